"""The Zaptec API: password sign-in, PascalCase lists by page index, the camelCase session archive by cursor.

The archive filters by the END of a session, From inclusive and To exclusive, and lists the oldest end first. Exactly
one of InstallationId, ChargerId and UserId is required. A cursor is valid only for the query that returned it.
"""

import base64
import binascii
import hashlib
from bisect import bisect_left
from datetime import datetime

import orjson

from sandbox.exchange import Answer, Call, Refusal, invalid, json_answer, problem, whole_number
from sandbox.listing import Listing, Row, Snapshot, json_array
from sandbox.readings import epoch_milliseconds, instant_of_text, text
from sandbox.settings import ZaptecSettings
from sandbox.tokens import TokenDesk
from sandbox.world import World

_PATHS = {
    "/oauth/token": "token",
    "/api/installation": "installations",
    "/api/chargers": "chargers",
    "/api/sessions/archived": "sessions",
}
_SCOPES = ("InstallationId", "ChargerId", "UserId")


class ZaptecApi:
    """Zaptec's API over a world."""

    def __init__(self, world: World, settings: ZaptecSettings) -> None:
        self._settings = settings
        self.tokens = TokenDesk(settings)
        self._listings = {name: Listing(world, "zaptec", name) for name in ("installations", "chargers", "sessions")}

    def endpoint(self, call: Call) -> str:
        return _PATHS.get(call.path.rstrip("/"), "unknown")

    def scope(self, call: Call) -> str | None:
        return next((call.query[name] for name in _SCOPES if name in call.query), None)

    def answer(self, call: Call) -> Answer:
        endpoint = self.endpoint(call)
        if endpoint == "unknown":
            return problem(404, "Not Found")
        if endpoint == "token":
            return self._sign_in(call)
        if call.method != "GET":
            return problem(405, "Method Not Allowed")
        if not self.tokens.accepts(call.headers.get("Authorization"), call.now):
            return Answer(401, headers={"WWW-Authenticate": "Bearer"})
        if endpoint in self._settings.denied_scopes:
            return Answer(403)
        return self._archive(call) if endpoint == "sessions" else self._page_of_objects(call, endpoint)

    def _sign_in(self, call: Call) -> Answer:
        if call.method != "POST":
            return problem(405, "Method Not Allowed")
        if call.form.get("grant_type") != "password":
            return json_answer(400, {"error": "unsupported_grant_type", "error_description": "Use the password grant."})
        given = (call.form.get("username"), call.form.get("password"))
        if given != (self._settings.username, self._settings.password):
            return json_answer(400, {"error": "invalid_grant", "error_description": "Invalid username or password."})
        token = self.tokens.issue(call.now)
        return json_answer(
            200, {"access_token": token, "token_type": "Bearer", "expires_in": int(self._settings.token_seconds)}
        )

    def _page_of_objects(self, call: Call, endpoint: str) -> Answer:
        size = whole_number(call, "PageSize", 50, 1, 100)
        index = whole_number(call, "PageIndex", 0, 0, 10**9)
        rows = self._listings[endpoint].at(call.now).rows
        page = rows[index * size : (index + 1) * size]
        body = b'{"Pages":%d,"TotalCount":%d,"Data":%b,"Message":null}' % (
            -(-len(rows) // size),
            len(rows),
            json_array(page),
        )
        return Answer(200, body, object_ids=[row.object_id for row in page])

    def _archive(self, call: Call) -> Answer:
        name, scope = self._one_scope(call)
        first, last = self._instant(call, "From"), self._instant(call, "To")
        if first >= last:
            raise invalid("To", "To must be later than From.")
        size = whole_number(call, "PageSize", self._settings.default_page_size, 1, self._settings.max_page_size)
        snapshot = self._sessions(call.now, name, scope)
        query = f"{name}={scope}&From={epoch_milliseconds(first)}&To={epoch_milliseconds(last)}&PageSize={size}"
        start = bisect_left(snapshot.clocks, epoch_milliseconds(first))
        end = bisect_left(snapshot.clocks, epoch_milliseconds(last))
        if call.query.get("Cursor"):
            start = max(start, self._position(snapshot, call.query["Cursor"], query))
        page = snapshot.rows[start : min(start + size, end)]
        more = start + size < end
        cursor = orjson.dumps(_cursor(query, page[-1]) if more else None)
        body = b'{"sessions":%b,"cursor":%b,"hasMore":%b}' % (json_array(page), cursor, b"true" if more else b"false")
        return Answer(200, body, object_ids=[row.object_id for row in page])

    def _one_scope(self, call: Call) -> tuple[str, str]:
        given = [(name, call.query[name]) for name in _SCOPES if call.query.get(name)]
        if len(given) != 1:
            raise invalid("InstallationId", "Exactly one of InstallationId, ChargerId and UserId is required.")
        name, scope = given[0]
        if scope in self._settings.denied_scopes:
            raise Refusal(Answer(403))
        known = {"InstallationId": "installations", "ChargerId": "chargers"}.get(name)
        if known is not None and scope not in self._ids(known, call.now):
            raise Refusal(problem(404, "Not Found"))
        return name, scope

    def _ids(self, endpoint: str, now: datetime) -> frozenset[str]:
        snapshot = self._listings[endpoint].at(now)
        return snapshot.derived("ids", lambda: frozenset(row.object_id for row in snapshot.rows))

    def _sessions(self, now: datetime, name: str, scope: str) -> Snapshot:
        sessions, chargers = self._listings["sessions"].at(now), self._listings["chargers"].at(now)

        def belongs(row: Row) -> str | None:
            if name == "ChargerId":
                return text(row.payload.get("chargerId"))
            if name == "UserId":
                return text((row.payload.get("authorizedUser") or {}).get("id"))
            return row.scope or installation_of.get(text(row.payload.get("chargerId")))

        installation_of = chargers.derived(
            "installations",
            lambda: {text(row.payload.get("Id")): text(row.payload.get("InstallationId")) for row in chargers.rows},
        )
        # The chargers' snapshot is part of the key: a charger that changes installation takes its sessions along.
        return sessions.derived(
            (name, scope, id(chargers)), lambda: Snapshot([row for row in sessions.rows if belongs(row) == scope])
        )

    @staticmethod
    def _instant(call: Call, parameter: str) -> datetime:
        instant = instant_of_text(call.query.get(parameter))
        if instant is None:
            raise invalid(parameter, f"{parameter} is required and must be a date-time.")
        return instant

    @staticmethod
    def _position(snapshot: Snapshot, cursor: str, query: str) -> int:
        try:
            bound_to, clock, identity = orjson.loads(base64.urlsafe_b64decode(cursor))
        except (binascii.Error, ValueError, TypeError):
            raise invalid("Cursor", "The cursor is not valid.") from None
        if bound_to != _fingerprint(query):
            raise invalid("Cursor", "The cursor belongs to another query.")
        position = bisect_left(snapshot.clocks, clock)
        while position < len(snapshot.rows) and (
            snapshot.rows[position].clock == clock and snapshot.rows[position].object_id <= identity
        ):
            position += 1
        return position


def _fingerprint(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:16]


def _cursor(query: str, last: Row) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([_fingerprint(query), last.clock, last.object_id])).decode()
