"""The Smappee API v3: password or refresh-token sign-in, and a charging park's sessions as one array, newest first.

`range=start[,end]` in epoch milliseconds filters by the START of a session, start inclusive and end exclusive.
Only completed sessions are listed, or with `active=true` only those that have not ended. A missing mandatory parameter
is answered with 500.
"""

import re
from bisect import bisect_left

from sandbox.exchange import Answer, Call, json_answer
from sandbox.fields import is_stopped
from sandbox.listing import Listing, Row, Snapshot, json_array
from sandbox.settings import SmappeeSettings
from sandbox.tokens import TokenDesk
from sandbox.world import World

_SESSIONS = re.compile(r"/chargingparks/([^/]+)/sessions")
_RANGE = re.compile(r"(-?\d{1,17})(?:,(-?\d{1,17}))?", re.ASCII)


class SmappeeApi:
    """Smappee's API over a world."""

    def __init__(self, world: World, settings: SmappeeSettings) -> None:
        self._world = world
        self._settings = settings
        self.tokens = TokenDesk(settings)
        self._sessions = Listing(world, "smappee", "sessions")
        self._service_locations = Listing(world, "smappee", "service_locations")

    def endpoint(self, call: Call) -> str:
        path = call.path.rstrip("/")
        if _SESSIONS.fullmatch(path):
            return "sessions"
        return {"/oauth2/token": "token", "/servicelocation": "service_locations"}.get(path, "unknown")

    def scope(self, call: Call) -> str | None:
        match = _SESSIONS.fullmatch(call.path.rstrip("/"))
        return match[1] if match else None

    def answer(self, call: Call) -> Answer:
        endpoint = self.endpoint(call)
        if endpoint == "unknown":
            return json_answer(404, {"error": "not_found"})
        if endpoint == "token":
            return self._sign_in(call)
        if call.method != "GET":
            return json_answer(405, {"error": "method_not_allowed"})
        if not self.tokens.accepts(call.headers.get("Authorization"), call.now):
            return json_answer(401, {"error": "invalid_token"})
        if endpoint in self._settings.denied_scopes or self.scope(call) in self._settings.denied_scopes:
            return json_answer(403, {"error": "forbidden"})
        return self._park_sessions(call) if endpoint == "sessions" else self._list_service_locations(call)

    def _sign_in(self, call: Call) -> Answer:
        if call.method != "POST":
            return json_answer(405, {"error": "method_not_allowed"})
        settings, form = self._settings, call.form
        if (form.get("client_id"), form.get("client_secret")) != (settings.client_id, settings.client_secret):
            return json_answer(401, {"error": "invalid_client"})
        if form.get("grant_type") == "refresh_token":
            granted = self.tokens.redeem(form.get("refresh_token", ""))
        elif form.get("grant_type") == "password":
            granted = (form.get("username"), form.get("password")) == (settings.username, settings.password)
        else:
            return json_answer(400, {"error": "unsupported_grant_type"})
        if not granted:
            return json_answer(400, {"error": "invalid_grant"})
        return json_answer(
            200,
            {
                "access_token": self.tokens.issue(call.now),
                "refresh_token": self.tokens.issue_refresh_token(),
                "expires_in": int(settings.token_seconds),
            },
        )

    def _list_service_locations(self, call: Call) -> Answer:
        rows = self._service_locations.at(call.now).rows
        return Answer(200, b'{"appName":"sandbox","serviceLocations":%b}' % json_array(rows))

    def _park_sessions(self, call: Call) -> Answer:
        park = self.scope(call)
        if park not in self._world.parks():
            return json_answer(404, {"error": "not_found"})
        if "range" not in call.query:
            return json_answer(500, {"error": "internal_server_error"})
        bounds = _RANGE.fullmatch(call.query["range"])
        if bounds is None:
            return json_answer(400, {"error": "invalid_range"})
        active = call.query.get("active", "false").lower() == "true"
        snapshot = self._listed(call, park, active)
        start = bisect_left(snapshot.clocks, int(bounds[1]))
        end = len(snapshot.clocks) if bounds[2] is None else bisect_left(snapshot.clocks, int(bounds[2]))
        rows = snapshot.rows[start:end]
        rows.reverse()
        object_ids = [row.object_id for row in rows]
        if not rows and self._settings.empty_is_no_content:
            return Answer(204)
        if len(rows) == 1 and self._settings.single_is_object:
            return Answer(200, rows[0].version.encoded, object_ids=object_ids)
        return Answer(200, json_array(rows), object_ids=object_ids)

    def _listed(self, call: Call, park: str, active: bool) -> Snapshot:
        snapshot = self._sessions.at(call.now)
        with_open = self._settings.default_includes_open

        def listed(row: Row) -> bool:
            return row.scope == park and (is_stopped(row.payload) != active or (not active and with_open))

        return snapshot.derived(
            (park, active, with_open), lambda: Snapshot([row for row in snapshot.rows if listed(row)])
        )
