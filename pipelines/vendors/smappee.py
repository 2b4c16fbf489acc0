"""Smappee: the sessions of charging parks, closed and running.

API: password grant with client id and secret, refresh token, bearer token. The sessions of a park come all at once,
without pages, filtered by session START in epoch milliseconds, end exclusive; `active` chooses between running and
completed ones.

The trap: a session is listed as completed only when it has ended, under its start. A car that was plugged in for three
weeks appears three weeks later under its old start, so the window begins at the oldest session still running at the
last reading. Running sessions are requested before completed ones, so that one that ends in between is not missing from
both; and for a long time back, so that one which a station reports late is seen while it runs.
Known lies: one session may come as a single object instead of a list, none as 204; `serialNumber` and `energy` are
numbers or text; `duration` and the field `range` have no unit and are not used.
Source: "Get charging sessions at a charging park"."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from pipelines.faults import ReadingError
from pipelines.personal_data import PersonalData
from pipelines.settings import Patience, SmappeeAccount
from pipelines.vendors.contract import Endpoint, Line, Question, Window
from pipelines.vendors.http_client import Answer, AnswerFault, HttpClient, Refused, Tally
from pipelines.vendors.instants import epoch_milliseconds
from pipelines.vendors.paging.pages import Page
from pipelines.vendors.sign_in import BearerToken
from pipelines.vendors.window_sizes import LONGEST_LENGTH
from pipelines.vendors.windows import since_oldest_open

MARGIN = timedelta(days=1)
"""So that a session whose start was corrected while it ran is still found."""

RUNNING_LOOK_BACK = timedelta(days=90)
"""A station that was offline reports late a session that is still running; the list of those is short, whatever its
range."""

LONGEST_WINDOW = timedelta(days=549)
"""Without pages, a window is the only bound on the size of an answer: a year and a half of a park, or about
ROWS_PER_WINDOW sessions."""

ROWS_PER_WINDOW = 25_000
DOCUMENTATION = "https://smappee.atlassian.net/wiki/spaces/DEVAPI/pages/2803007489"


def _is_open(session: Any) -> bool:
    return isinstance(session, dict) and str(session.get("status", "")).upper() != "STOPPED"


SESSIONS = Endpoint(
    "smappee",
    "sessions",
    "Completed sessions of the charging parks, as received.",
    DOCUMENTATION,
    id_field="id",
    started_field="from",
    ended_field="to",
    clock="started",
    is_open=_is_open,
)
OPEN_SESSIONS = Endpoint(
    "smappee",
    "open_sessions",
    "Running sessions of the charging parks, as received.",
    DOCUMENTATION,
    id_field="id",
    started_field="from",
    ended_field="to",
    is_open=_is_open,
)


class Smappee:
    """One Smappee account with its charging parks."""

    name = "smappee"
    endpoints: Sequence[Endpoint] = (SESSIONS, OPEN_SESSIONS)
    personal_data = PersonalData(
        pseudonymised={"rfid": "token", "userId": "user"}, dropped=frozenset({"rfidToken", "address"})
    )

    def __init__(self, account: SmappeeAccount, patience: Patience) -> None:
        self._account = account
        client = {"client_id": account.client_id, "client_secret": account.client_secret.get_secret_value()}
        self._client = HttpClient(
            account.base_url,
            BearerToken(
                f"{account.base_url}/oauth2/token",
                {
                    "grant_type": "password",
                    **client,
                    "username": account.username,
                    "password": account.password.get_secret_value(),
                },
                refresh_grant={"grant_type": "refresh_token", **client},
            ),
            account.requests_per_second,
            patience,
        )

    def rounds(self, question: Question) -> Iterator[Sequence[Sequence[Line]]]:
        yield [self._chain(question, park_id) for park_id in self._account.park_ids]

    def check_credentials(self, tally: Tally) -> str:
        refusals = []
        now = datetime.now(UTC)
        for park_id in self._account.park_ids:
            try:
                # A range as a reading would request it: a server may refuse a meaningless one.
                self._get(park_id, now - MARGIN, now, "true", tally)
            except Refused as refusal:
                refusals.append(f"park {park_id}: {refusal}")
        if refusals:
            raise ReadingError(" ".join(refusals))
        return f"{len(self._account.park_ids)} charging park(s) answered"

    def _chain(self, question: Question, park_id: str) -> Sequence[Line]:
        completed = Line(
            SESSIONS,
            f"park:{park_id}",
            lambda position: since_oldest_open(question, position, MARGIN),
            lambda window, tally: self._sessions(park_id, window, "false", tally),
            rows_per_window=ROWS_PER_WINDOW,
            longest_window=LONGEST_WINDOW,
            first_window=LONGEST_WINDOW,
        )
        running = Line(
            OPEN_SESSIONS,
            f"park:{park_id}",
            lambda position: since_oldest_open(question, position, MARGIN, RUNNING_LOOK_BACK),
            lambda window, tally: self._sessions(park_id, window, "true", tally),
            # A park has hardly more of these than plugs, however long ago they began.
            first_window=LONGEST_LENGTH,
        )
        return [running, completed]

    def _sessions(self, park_id: str, window: Window, active: str, tally: Tally) -> Iterator[Page]:
        if window.from_at is None:
            raise ValueError("sessions are asked for with a lower bound")
        answer = self._get(park_id, window.from_at, window.to_at, active, tally)
        document = answer.document
        objects = document if isinstance(document, list) else [document]
        yield Page([] if document is None else objects, answer.requested_at)

    def _get(self, park_id: str, from_at: datetime, to_at: datetime, active: str, tally: Tally) -> Answer:
        parameters = {"range": f"{epoch_milliseconds(from_at)},{epoch_milliseconds(to_at)}", "active": active}
        path = f"/chargingparks/{quote(park_id, safe='')}/sessions"
        return self._client.get(path, parameters, tally, _check, may_be_empty=True)


def _check(document: Any) -> None:
    if isinstance(document, list) or (isinstance(document, dict) and "id" in document):
        return
    raise AnswerFault("the response is neither a list of sessions nor a session", is_passing=True)
