"""The Jedlix Smart Charging API v2: client-credentials sign-in, pages by 1-based index, newest first, with totals.

Every `...From` and every `...To` is inclusive; an `endTime...` filter excludes sessions without an end.
"""

from collections.abc import Callable
from datetime import datetime

from sandbox.exchange import Answer, Call, invalid, json_answer, problem, whole_number
from sandbox.listing import UNDATED, Listing, Row, Snapshot, json_array
from sandbox.readings import epoch_milliseconds, instant_of_text
from sandbox.settings import JedlixSettings
from sandbox.tokens import TokenDesk
from sandbox.world import World

_PATHS = {
    "/oauth/token": "token",
    "/api/v2/users": "users",
    "/api/v2/vehicles": "vehicles",
    "/api/v2/charging-locations": "charging_locations",
    "/api/v2/sessions": "sessions",
}
_LISTS = ("users", "vehicles", "charging_locations", "sessions")
_MAX_PAGE_SIZE = 100


class JedlixApi:
    """Jedlix's API over a world. Its token endpoint, in reality on another host, is `/oauth/token` here."""

    def __init__(self, world: World, settings: JedlixSettings) -> None:
        self._settings = settings
        self.tokens = TokenDesk(settings)
        self._listings = {name: Listing(world, "jedlix", name) for name in _LISTS}

    def endpoint(self, call: Call) -> str:
        return _PATHS.get(call.path.rstrip("/"), "unknown")

    def scope(self, call: Call) -> str | None:
        return None

    def answer(self, call: Call) -> Answer:
        endpoint = self.endpoint(call)
        if endpoint == "unknown":
            return problem(404, "Not Found")
        if endpoint == "token":
            return self._sign_in(call)
        if call.method != "GET":
            return problem(405, "Method Not Allowed")
        key = self._settings.api_key
        if key and call.headers.get("ApiKey") != key:
            return problem(401, "Unauthorized")
        if not self.tokens.accepts(call.headers.get("Authorization"), call.now):
            return problem(401, "Unauthorized")
        if endpoint in self._settings.denied_scopes:
            return problem(403, "Forbidden")
        return self._page(call, endpoint)

    def _sign_in(self, call: Call) -> Answer:
        if call.method != "POST":
            return problem(405, "Method Not Allowed")
        settings = self._settings
        if call.form.get("grant_type") != "client_credentials":
            return json_answer(403, {"error": "unauthorized_client", "error_description": "Grant type not allowed."})
        if (call.form.get("client_id"), call.form.get("client_secret")) != (settings.client_id, settings.client_secret):
            return json_answer(401, {"error": "access_denied", "error_description": "Unauthorized"})
        if call.form.get("audience", "").rstrip("/") != call.base_url:
            return json_answer(403, {"error": "access_denied", "error_description": "Service not enabled."})
        return json_answer(
            200,
            {
                "access_token": self.tokens.issue(call.now),
                "token_type": "Bearer",
                "expires_in": int(settings.token_seconds),
            },
        )

    def _page(self, call: Call, endpoint: str) -> Answer:
        size = whole_number(call, "pageSize", self._settings.default_page_size, 1, _MAX_PAGE_SIZE)
        index = whole_number(call, "pageIndex", 1, 1, 10**9)
        rows = self._rows(call, endpoint)
        page = rows[(index - 1) * size : index * size]
        body = b'{"pageIndex":%d,"pageSize":%d,"totalPages":%d,"totalCount":%d,"items":%b}' % (
            index,
            self._settings.echoed_page_size or size,
            -(-len(rows) // size),
            len(rows),
            json_array(page),
        )
        return Answer(200, body, object_ids=[row.object_id for row in page])

    def _rows(self, call: Call, endpoint: str) -> list[Row]:
        snapshot = self._listings[endpoint].at(call.now)
        if endpoint == "sessions":
            start, end = _bounds(call, "startTime"), _bounds(call, "endTime")
        else:
            start, end = _bounds(call, "created"), (None, None)
        return snapshot.derived((start, end), lambda: _newest_first(snapshot, start, end))


def _bounds(call: Call, name: str) -> tuple[int | None, int | None]:
    return _bound(call, f"{name}From"), _bound(call, f"{name}To")


def _bound(call: Call, parameter: str) -> int | None:
    written = call.query.get(parameter)
    if written is None:
        return None
    instant = instant_of_text(written)
    if instant is None:
        raise invalid(parameter, f"The value '{written}' is not valid.")
    return epoch_milliseconds(instant)


def _newest_first(
    snapshot: Snapshot, start: tuple[int | None, int | None], end: tuple[int | None, int | None]
) -> list[Row]:
    starts_within = _within(start)
    ends_within = _within(end)
    filters_end = end != (None, None)
    return [
        row
        for row in reversed(snapshot.rows)
        if starts_within(row.clock) and (not filters_end or ends_within(_end_clock(row)))
    ]


def _within(bounds: tuple[int | None, int | None]) -> Callable[[int], bool]:
    first, last = bounds
    if first is None and last is None:
        return lambda clock: True
    lowest = UNDATED + 1 if first is None else first
    highest = 2**62 if last is None else last
    return lambda clock: lowest <= clock <= highest


def _end_clock(row: Row) -> int:
    ended_at: datetime | None = instant_of_text(row.payload.get("endTime"))
    return UNDATED if ended_at is None else epoch_milliseconds(ended_at)
