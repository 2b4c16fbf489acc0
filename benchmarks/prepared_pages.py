"""Pages that are made once: a request that was answered before is answered from memory."""

from datetime import datetime

from sandbox.apis.api import Api
from sandbox.exchange import Answer, Call

_Question = tuple[str, tuple[tuple[str, str], ...], datetime]


class PreparedPages:
    """A vendor's API that caches its answers, so that a benchmark measures the client, not the server.

    Credentials are checked when a page is made, not when it is served again.
    """

    def __init__(self, api: Api) -> None:
        self.tokens = api.tokens
        self._api = api
        self._answers: dict[_Question, Answer] = {}

    def endpoint(self, call: Call) -> str:
        return self._api.endpoint(call)

    def scope(self, call: Call) -> str | None:
        return self._api.scope(call)

    def answer(self, call: Call) -> Answer:
        if call.method != "GET":
            return self._api.answer(call)
        question = (call.path, tuple(sorted(call.query.items())), call.now)
        answer = self._answers.get(question)
        if answer is None:
            answer = self._api.answer(call)
            if answer.status == 200:
                self._answers[question] = answer
        return answer
