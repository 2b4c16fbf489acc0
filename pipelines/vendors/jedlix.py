"""Jedlix: sessions, and the users, vehicles and charging locations of a tenant.

API: Smart Charging API v2, client credentials at the token URL, bearer token and an ApiKey header. Lists are numbered
pages from 1, at most 100 rows, newest first, with totals. Sessions are filtered by start and by end, all bounds
inclusive; a filter by end leaves out those still running. Users, vehicles and locations can be filtered by creation
only, so an edit is invisible to the filter: they are read whole, up to the run's now.

Late: times come from telemetry and may lag; closed sessions are requested by end, with a look-back. Running ones are
requested by start: the recent stretch, and before it only around the starts of sessions known to be running. Such a
list shows closed ones too, newest first. The rest of it is skipped where only closed sessions that the run has already
read can be left, and the vendor's own count of the closed ones agrees.
Known lies: the `pageSize` echoed in an answer is unreliable; status words are an open list.
Source: "Smart Charging Api v2.0"."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.faults import ReadingError
from pipelines.personal_data import PersonalData
from pipelines.settings import JedlixAccount, Patience
from pipelines.vendors.contract import Endpoint, Line, Position, Question, Window, text_at
from pipelines.vendors.http_client import AnswerFault, HttpClient, Tally
from pipelines.vendors.instants import iso_milliseconds, parsed_instant
from pipelines.vendors.paging.numbered import KnownRows, read_numbered_pages
from pipelines.vendors.paging.pages import NumberedPage, Page, key_by_id
from pipelines.vendors.sign_in import BearerToken
from pipelines.vendors.window_sizes import LONGEST_LENGTH
from pipelines.vendors.windows import recent_and_running, since_watermark, whole_list

LOOK_BACK = timedelta(days=7)
"""The vendor does not say how late telemetry may be. `chargehouse status` shows how much of this look-back late
sessions have used, and the scheduled reconcile reaches further."""

RECENT = timedelta(days=60)
"""On the first reading the oldest running session is unknown. Sessions that began longer ago than this are a list of
their own: one page of it and two more requests show that none of them is running. In the newer list sessions come and
go, so that all of its pages may have to be read."""

BEFORE_ANY_END = datetime(2000, 1, 1, tzinfo=UTC)
"""A lower bound earlier than any session's end: a filter by it lets every closed session through and no running one."""

PAGE_SIZE = 100
"""The most that the vendor allows. Source: "Smart Charging Api v2.0", paging."""

DOCUMENTATION = "https://developer.jedlix.com"

_key = key_by_id("id")
_start_of = text_at("startTime")


def _is_open(session: Any) -> bool:
    return isinstance(session, dict) and not session.get("endTime")


USERS = Endpoint(
    "jedlix",
    "users",
    "Users of the tenant, as received.",
    DOCUMENTATION,
    id_field="id",
    id_names="user",
    is_personal=True,
)
VEHICLES = Endpoint(
    "jedlix",
    "vehicles",
    "Vehicles of the tenant, as received.",
    DOCUMENTATION,
    id_field="id",
    is_personal=True,
)
CHARGING_LOCATIONS = Endpoint(
    "jedlix",
    "charging_locations",
    "Charging locations of the tenant, as received.",
    DOCUMENTATION,
    id_field="id",
    modified_field="updatedAt",
    is_personal=True,
)
SESSIONS = Endpoint(
    "jedlix",
    "sessions",
    "Closed sessions, requested by their end, as received.",
    DOCUMENTATION,
    id_field="id",
    started_field="startTime",
    ended_field="endTime",
    clock="ended",
    is_open=_is_open,
    belongings=("vehicleId", "chargingLocationId"),
)
OPEN_SESSIONS = Endpoint(
    "jedlix",
    "open_sessions",
    "Sessions requested by their start, to find the running ones, as received.",
    DOCUMENTATION,
    id_field="id",
    started_field="startTime",
    ended_field="endTime",
    is_open=_is_open,
    belongings=("vehicleId", "chargingLocationId"),
)


class Jedlix:
    """One Jedlix tenant."""

    name = "jedlix"
    endpoints: Sequence[Endpoint] = (USERS, VEHICLES, CHARGING_LOCATIONS, SESSIONS, OPEN_SESSIONS)
    personal_data = PersonalData(
        pseudonymised={"userId": "user"},
        dropped=frozenset({"name", "street", "houseNumber", "postalCode"}),
        rounded={"latitude": 2, "longitude": 2},
    )

    def __init__(self, account: JedlixAccount, patience: Patience) -> None:
        api_key = {"ApiKey": account.api_key.get_secret_value()} if account.api_key else {}
        self._client = HttpClient(
            account.base_url,
            BearerToken(
                account.token_url,
                {
                    "grant_type": "client_credentials",
                    "client_id": account.client_id,
                    "client_secret": account.client_secret.get_secret_value(),
                    "audience": account.audience,
                },
                other_headers=api_key,
            ),
            account.requests_per_second,
            patience,
        )

    def rounds(self, question: Question) -> Iterator[Sequence[Sequence[Line]]]:
        chains = [
            [self._list_line(USERS, "/api/v2/users", question)],
            [self._list_line(VEHICLES, "/api/v2/vehicles", question)],
            [self._list_line(CHARGING_LOCATIONS, "/api/v2/charging-locations", question)],
        ]
        closed: dict[str, datetime] = {}
        sessions = [self._session_line(question, closed)]
        if question.kind != "backfill":
            sessions.append(self._open_line(question, closed))
        yield [*chains, sessions]

    def check_credentials(self, tally: Tally) -> str:
        return f"{self._count('/api/v2/users', {}, tally)} users"

    def _list_line(self, endpoint: Endpoint, path: str, question: Question) -> Line:
        return Line(
            endpoint,
            "all",
            lambda position: whole_list(question, position),
            lambda window, tally: self._pages(path, {"createdTo": iso_milliseconds(window.to_at)}, tally),
        )

    def _session_line(self, question: Question, closed: dict[str, datetime]) -> Line:
        """Closed sessions. Adds their starts to `closed`, for the search for running ones, which meets them again."""

        def read(window: Window, tally: Tally) -> Iterator[Page]:
            for page in self._pages("/api/v2/sessions", _bounds("endTime", window), tally):
                for item in page.objects:
                    started_at = parsed_instant(_start_of(item))
                    if started_at is not None:
                        closed[_key(item)] = started_at
                yield page

        return Line(SESSIONS, "all", lambda position: since_watermark(question, position, LOOK_BACK), read)

    def _open_line(self, question: Question, closed: Mapping[str, datetime]) -> Line:
        """Running sessions, to be read once `closed` holds those that have ended."""

        def stretches(position: Position) -> Sequence[Window]:
            first_at = max(question.first_month_at, question.as_of - RECENT)
            recent = recent_and_running(question, position, first_at, LOOK_BACK)
            if position.watermark is not None or not recent or recent[0].from_at is None:
                return recent
            older = Window(question.first_month_at, recent[0].from_at)
            return [older, *recent] if question.first_month_at < older.to_at else recent

        def read(window: Window, tally: Tally) -> Iterator[Page]:
            bounds = _bounds("startTime", window)
            running: set[str] = set()

            def are_others_closed(total: int) -> bool:
                return self._closed_among(bounds, tally) == total - len(running)

            ended = {key for key, started_at in closed.items() if _holds(window, started_at)}
            for page in self._pages("/api/v2/sessions", bounds, tally, KnownRows(ended, are_others_closed)):
                running.update(_key(item) for item in page.objects if _is_open(item))
                yield page

        return Line(
            OPEN_SESSIONS,
            "all",
            stretches,
            read,
            # Each stretch is one list, whose newest pages tell when the others need not be read.
            first_window=LONGEST_LENGTH,
            # The closed sessions only spare it some pages.
            needs_those_before=False,
        )

    def _closed_among(self, bounds: dict[str, str | int], tally: Tally) -> int | None:
        """How many of the sessions within these bounds have ended, by the vendor's count; None where it gives none."""
        try:
            return self._count("/api/v2/sessions", {**bounds, "endTimeFrom": iso_milliseconds(BEFORE_ANY_END)}, tally)
        except ReadingError:
            return None

    def _count(self, path: str, bounds: dict[str, str | int], tally: Tally) -> int:
        """How many rows a list has."""
        parameters = {**bounds, "pageSize": 1, "pageIndex": 1}
        total: int = self._client.get(path, parameters, tally, _check).document["totalCount"]
        return total

    def _pages(
        self, path: str, bounds: dict[str, str | int], tally: Tally, known: KnownRows | None = None
    ) -> Iterator[Page]:
        def fetch(number: int) -> NumberedPage:
            parameters = {**bounds, "pageSize": PAGE_SIZE, "pageIndex": number}
            answer = self._client.get(path, parameters, tally, _check)
            document = answer.document
            page = Page(document["items"], answer.requested_at)
            return NumberedPage(page, document["totalCount"], document["totalPages"])

        return read_numbered_pages(fetch, _key, known)


def _bounds(clock: str, window: Window) -> dict[str, str | int]:
    if window.from_at is None:
        raise ValueError("sessions are asked for with a lower bound")
    return {f"{clock}From": iso_milliseconds(window.from_at), f"{clock}To": iso_milliseconds(window.to_at)}


def _holds(window: Window, started_at: datetime) -> bool:
    """Whether a list filtered by start, both bounds inclusive, shows a session that began then."""
    return (window.from_at is None or window.from_at <= started_at) and started_at <= window.to_at


def _check(document: Any) -> None:
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise AnswerFault("the response contains no list of items", is_passing=True)
    if not isinstance(document.get("totalCount"), int) or not isinstance(document.get("totalPages"), int):
        raise AnswerFault("the response does not say how many rows and pages there are", is_passing=True)
