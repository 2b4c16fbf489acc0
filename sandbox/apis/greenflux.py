"""The GreenFlux platform API, close to OCPI 2.1.1: a static token, offset and limit, errors inside HTTP 200.

`date_from` is inclusive and `date_to` exclusive; both filter by last modification (creation if never modified).
Paths ignore case. The headers are those of OCPI 2.1.1, transport: paginated response.
"""

import hashlib
from bisect import bisect_left
from urllib.parse import urlencode

import orjson

from sandbox.exchange import Answer, Call, Refusal, json_answer
from sandbox.listing import Listing, Row, Snapshot, json_array
from sandbox.readings import epoch_milliseconds, instant_of_text
from sandbox.settings import GreenfluxSettings
from sandbox.tokens import TokenDesk
from sandbox.world import World

_LISTS = {"locations": "locations", "chargestations": "charge_stations", "cdrs": "cdrs"}
_VERSIONS = ("1.0", "2.0")


class GreenfluxApi:
    """GreenFlux's API over a world."""

    def __init__(self, world: World, settings: GreenfluxSettings) -> None:
        self._settings = settings
        self.tokens = TokenDesk(settings)
        self._listings = {name: Listing(world, "greenflux", name) for name in _LISTS.values()}

    def endpoint(self, call: Call) -> str:
        parts = call.path.lower().strip("/").split("/")
        if len(parts) != 3 or parts[0] != "api" or parts[1] not in _VERSIONS:
            return "unknown"
        return _LISTS.get(parts[2], "unknown")

    def scope(self, call: Call) -> str | None:
        return None

    def answer(self, call: Call) -> Answer:
        endpoint = self.endpoint(call)
        if endpoint == "unknown":
            return Answer(404)
        if call.method != "GET":
            return Answer(405)
        scheme, _, token = call.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "token" or token != self._settings.token:
            return json_answer(401, {"message": "Unauthorized"})
        if endpoint in self._settings.denied_scopes:
            return json_answer(403, {"message": "Forbidden"})
        return self._page(call, endpoint)

    def _page(self, call: Call, endpoint: str) -> Answer:
        settings = self._settings
        first, last = _instant(call, "date_from"), _instant(call, "date_to")
        offset = _whole_number(call, "offset", 0, lowest=0)
        limit = _whole_number(call, "limit", settings.default_limit, lowest=1)
        if settings.page_cap is not None:
            limit = min(limit, settings.page_cap)
        snapshot = self._listings[endpoint].at(call.now)
        start = 0 if first is None else bisect_left(snapshot.clocks, first)
        end = len(snapshot.clocks) if last is None else bisect_left(snapshot.clocks, last)
        total = max(0, end - start)
        if settings.ordered:
            page = snapshot.rows[min(start + offset, end) : min(start + offset + limit, end)]
        else:
            page = _shuffled(snapshot, start, end)[offset : offset + limit]
        body = json_array(page)
        if not settings.bare_array:
            timestamp = orjson.dumps(call.now, option=orjson.OPT_UTC_Z)
            body = b'{"data":%b,"status_code":1000,"status_message":"Success","timestamp":%b}' % (body, timestamp)
        answer = Answer(200, body, object_ids=[row.object_id for row in page])
        if settings.total_count_header:
            answer.headers["X-Total-Count"] = str(total)
        if settings.limit_header:
            answer.headers["X-Limit"] = str(limit)
        if settings.link_header and offset + limit < total:
            query = urlencode({**call.query, "offset": offset + limit, "limit": limit})
            answer.headers["Link"] = f'<{call.base_url}{call.path}?{query}>; rel="next"'
        return answer


def _shuffled(snapshot: Snapshot, start: int, end: int) -> list[Row]:
    def disorder(row: Row) -> bytes:
        return hashlib.sha256(row.object_id.encode()).digest()

    return snapshot.derived(("shuffled", start, end), lambda: sorted(snapshot.rows[start:end], key=disorder))


def refused(call: Call, status_code: int, message: str) -> Answer:
    """A business error: HTTP 200 with an OCPI status code other than success (OCPI 2.1.1, status codes)."""
    return json_answer(
        200,
        {
            "data": None,
            "status_code": status_code,
            "status_message": message,
            "timestamp": call.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    )


def _instant(call: Call, parameter: str) -> int | None:
    written = call.query.get(parameter)
    if written is None:
        return None
    instant = instant_of_text(written)
    if instant is None:
        raise Refusal(refused(call, 2001, f"{parameter} is not valid"))
    return epoch_milliseconds(instant)


def _whole_number(call: Call, parameter: str, default: int, lowest: int) -> int:
    written = call.query.get(parameter)
    if written is None:
        return default
    if not written.isascii() or not written.isdigit() or int(written[:12]) < lowest:
        raise Refusal(refused(call, 2001, f"{parameter} is not valid"))
    return int(written)
