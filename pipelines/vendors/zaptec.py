"""Zaptec: the session archive, and the lists of installations and chargers.

API: https://api.zaptec.com, password grant, bearer token. Archived sessions are requested for one installation, charger
or user at a time, by session END in [From, To), oldest first, with an opaque cursor that is valid for its query only.
Installations and chargers are plain numbered lists without a filter, read whole.

Late: a charger that was offline uploads days afterwards; a correction voids one session and adds another under the old
times. No "changed since" filter shows either, hence the look-back.
Known lies: field names are camelCase in the archive and PascalCase elsewhere; `energyDetails` is per interval or
cumulative (decided per session in the transforms).
Source: "Announcement: Upcoming Changes to Session APIs"; https://docs.zaptec.com.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from pipelines.faults import ReadingError
from pipelines.personal_data import PersonalData, Pseudonyms
from pipelines.settings import Patience, ZaptecAccount
from pipelines.vendors.contract import USER_SCOPE, Endpoint, Line, Question, Window, text_at
from pipelines.vendors.http_client import AnswerFault, HttpClient, Refused, Tally
from pipelines.vendors.instants import iso_milliseconds
from pipelines.vendors.paging.cursor import read_cursor_pages
from pipelines.vendors.paging.numbered import read_numbered_pages
from pipelines.vendors.paging.pages import CursorPage, NumberedPage, Page, key_by_id
from pipelines.vendors.sign_in import BearerToken
from pipelines.vendors.windows import since_watermark, whole_list

LOOK_BACK = timedelta(days=7)
"""Nobody knows how long a charger may be offline. `chargehouse status` shows how much of this look-back late sessions
have used, and the scheduled reconcile reaches further."""

LIST_PAGE_SIZE = 100
"""The most that the vendor allows. Source: https://docs.zaptec.com/reference/api_installation_get, PageSize."""

ARCHIVE_PAGE_SIZES = (200, 100)
"""The largest page size seen to work, and the one that always worked, for an account that is refused the largest."""

FIRST_WINDOW = timedelta(days=62)
"""A single installation or charger takes months to fill a window."""

_id_of = text_at("Id")

INSTALLATIONS = Endpoint(
    "zaptec",
    "installations",
    "Installations the account can list, as received.",
    "https://docs.zaptec.com/reference/api_installation_get",
    id_field="Id",
)
CHARGERS = Endpoint(
    "zaptec",
    "chargers",
    "Chargers the account can list, as received.",
    "https://docs.zaptec.com/reference/api_chargers_get",
    id_field="Id",
)
SESSIONS = Endpoint(
    "zaptec",
    "sessions",
    "Archived (closed) sessions, as received.",
    "https://docs.zaptec.com/reference/api_sessions_archived_get",
    id_field="id",
    started_field="startDateTime",
    ended_field="endDateTime",
    modified_field="recognizedDateTime",
    clock="ended",
)


class Zaptec:
    """One Zaptec account."""

    name = "zaptec"
    endpoints: Sequence[Endpoint] = (INSTALLATIONS, CHARGERS, SESSIONS)
    personal_data = PersonalData(
        pseudonymised={"authorizedUser.id": "user", "tokenName": "token", "UserId": "user", "TokenName": "token"},
        persons=frozenset({"authorizedUser"}),
        dropped=frozenset({"Pin", "UserUserName", "UserFullName", "UserEmail"}),
        signed_readings=frozenset(
            {"sessionSignature", "sessionSignatureEichreicht", "sessionSignatureEichrecht"}
            | {"SignedSession", "SignedSessionEichrecht"}
        ),
        measurements=frozenset({"energyDetails", "EnergyDetails"}),
    )

    def __init__(self, account: ZaptecAccount, patience: Patience, pseudonyms: Pseudonyms) -> None:
        self._account = account
        self._pseudonyms = pseudonyms
        self._installation_ids: list[str] = list(account.installation_ids)
        self._archive_page_size = ARCHIVE_PAGE_SIZES[0]
        self._client = HttpClient(
            account.base_url,
            BearerToken(
                f"{account.base_url}/oauth/token",
                {
                    "grant_type": "password",
                    "username": account.username,
                    "password": account.password.get_secret_value(),
                },
            ),
            account.requests_per_second,
            patience,
        )

    def rounds(self, question: Question) -> Iterator[Sequence[Sequence[Line]]]:
        listed: list[str] = []
        yield [
            [_list_line(INSTALLATIONS, question, lambda tally: self._installations(tally, listed))],
            [_list_line(CHARGERS, question, lambda tally: self._list("/api/chargers", tally))],
        ]
        if not self._has_explicit_scopes:
            self._installation_ids = list(dict.fromkeys(listed))
        yield [[self._session_line(question, *scope)] for scope in self._scopes()]

    def check_credentials(self, tally: Tally) -> str:
        answer = self._client.get("/api/installation", {"PageSize": 1, "PageIndex": 0}, tally, _check_list)
        return f"{answer.document['Pages']} installation(s)"

    @property
    def _has_explicit_scopes(self) -> bool:
        return bool(self._account.installation_ids or self._account.charger_ids or self._account.user_ids)

    def _scopes(self) -> Iterator[tuple[str, str, str]]:
        """The parameter, its value, and the label to store, in which a user appears by pseudonym."""
        for installation_id in self._installation_ids:
            yield "InstallationId", installation_id, f"installation:{installation_id}"
        for charger_id in self._account.charger_ids:
            yield "ChargerId", charger_id, f"charger:{charger_id}"
        for user_id in self._account.user_ids:
            yield "UserId", user_id, f"{USER_SCOPE}{self._pseudonyms.of('user', user_id)}"

    def _session_line(self, question: Question, parameter: str, value: str, scope: str) -> Line:
        return Line(
            SESSIONS,
            scope,
            lambda position: since_watermark(question, position, LOOK_BACK),
            lambda window, tally: self._archived_sessions(parameter, value, window, tally),
            first_window=FIRST_WINDOW,
        )

    def _archived_sessions(self, parameter: str, value: str, window: Window, tally: Tally) -> Iterator[Page]:
        if window.from_at is None:
            raise ValueError("the archive needs a lower bound")
        query: dict[str, str | int] = {
            parameter: value,
            "From": iso_milliseconds(window.from_at),
            "To": iso_milliseconds(window.to_at),
        }

        size = self._archive_page_size

        def fetch(cursor: str | None) -> CursorPage:
            nonlocal size
            try:
                return self._archive_page(query, size, cursor, tally)
            except Refused as refused:
                if refused.status != 400 or cursor is not None or size == ARCHIVE_PAGE_SIZES[-1]:
                    raise
                # For this window. A window that is being read keeps its page size: its cursor belongs to that size.
                size = ARCHIVE_PAGE_SIZES[-1]
                page = self._archive_page(query, size, cursor, tally)
                # And for later windows, now that the refusal is known to be of the size, not the scope or the window.
                self._archive_page_size = size
                return page

        return read_cursor_pages(fetch)

    def _archive_page(self, query: dict[str, str | int], size: int, cursor: str | None, tally: Tally) -> CursorPage:
        parameters = {**query, "PageSize": size} | ({"Cursor": cursor} if cursor else {})
        answer = self._client.get("/api/sessions/archived", parameters, tally, _check_archive)
        document = answer.document
        return CursorPage(Page(document["sessions"], answer.requested_at), document.get("cursor"), document["hasMore"])

    def _installations(self, tally: Tally, ids: list[str]) -> Iterator[Page]:
        """The pages of the list of installations, whose ids are added to `ids` as they come.

        Raises ReadingError where they are the scopes of the sessions and one has no id: its sessions would be missing
        without a trace.
        """
        nameless = 0
        for page in self._list("/api/installation", tally):
            named = [id_ for item in page.objects if (id_ := _id_of(item))]
            ids.extend(named)
            nameless += len(page.objects) - len(named)
            yield page
        if nameless and not self._has_explicit_scopes:
            raise ReadingError(f"{nameless} installation(s) have no Id, so their sessions cannot be requested.")

    def _list(self, path: str, tally: Tally) -> Iterator[Page]:
        """The pages of a numbered list, which counts pages from 0 and gives their number, but not always that of the
        rows."""

        def fetch(number: int) -> NumberedPage:
            parameters = {"PageSize": LIST_PAGE_SIZE, "PageIndex": number - 1}
            answer = self._client.get(path, parameters, tally, _check_list)
            objects, pages = answer.document["Data"], answer.document["Pages"]
            total = answer.document.get("TotalCount")
            return NumberedPage(Page(objects, answer.requested_at), total if isinstance(total, int) else None, pages)

        return read_numbered_pages(fetch, key_by_id("Id"))


def _list_line(endpoint: Endpoint, question: Question, read: Callable[[Tally], Iterator[Page]]) -> Line:
    return Line(endpoint, "all", lambda position: whole_list(question, position), lambda window, tally: read(tally))


def _check_archive(document: Any) -> None:
    if not isinstance(document, dict) or not isinstance(document.get("sessions"), list):
        raise AnswerFault("the response contains no list of sessions", is_passing=True)
    if not isinstance(document.get("hasMore"), bool):
        raise AnswerFault("the response does not say whether more pages follow", is_passing=True)
    if not isinstance(document.get("cursor"), str | None):
        raise AnswerFault("the response has a cursor that is not text", is_passing=False)


def _check_list(document: Any) -> None:
    if not isinstance(document, dict) or not isinstance(document.get("Data"), list):
        raise AnswerFault("the response contains no list", is_passing=True)
    if not isinstance(document.get("Pages"), int):
        raise ReadingError("the response does not say how many pages there are.")
