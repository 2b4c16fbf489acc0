"""One request to a vendor's API and the answer to it, independent of the HTTP server that carries them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson


@dataclass(frozen=True)
class Call:
    """A request as an API sees it: `path` is below the vendor's prefix, `base_url` ends with that prefix."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    form: Mapping[str, str]
    now: datetime
    base_url: str


@dataclass
class Answer:
    """What an API answers. `object_ids` are the ids of the objects on the page, in page order."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    object_ids: list[str] = field(default_factory=list)


class Refusal(Exception):
    """Ends the handling of a call with the given answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def json_answer(status: int, body: Any, **headers: str) -> Answer:
    """An answer with `body` as JSON; underscores in header names stand for hyphens."""
    return Answer(status, orjson.dumps(body), {name.replace("_", "-"): value for name, value in headers.items()})


def problem(status: int, title: str, errors: Mapping[str, list[str]] | None = None) -> Answer:
    """An answer in problem-details form (RFC 9457), with the `errors` map of a failed validation."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status}
    if errors is not None:
        body["errors"] = dict(errors)
    answer = json_answer(status, body)
    answer.content_type = "application/problem+json"
    return answer


def invalid(parameter: str, message: str) -> Refusal:
    """A refusal because of one query parameter, as problem details with status 400."""
    return Refusal(problem(400, "One or more validation errors occurred.", {parameter: [message]}))


def whole_number(call: Call, parameter: str, default: int, lowest: int, highest: int) -> int:
    """A whole-number query parameter within bounds. Raises Refusal (400, problem details) outside them."""
    written = call.query.get(parameter)
    if written is None:
        return default
    if not written.isascii() or not written.isdigit() or not lowest <= int(written[:12]) <= highest:
        raise invalid(parameter, f"The value '{written}' is not a whole number from {lowest} to {highest}.")
    return int(written)
