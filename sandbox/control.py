"""The `/sandbox/...` endpoints, through which another process sets the clock and the faults and asks for the truth.

GET, POST /sandbox/clock        {"now": "2026-03-01T00:00:00Z"} or {"advance_seconds": 3600}
GET       /sandbox/requests     the request log
GET, POST, DELETE /sandbox/faults   {"kind": "status", "vendor": "jedlix", "value": 503}, or {"profile": "mixed:0.1"}
GET       /sandbox/truth?refresh=...&refresh=...&time_zone=...&first_read_at=...
GET       /sandbox/environment  the variables that point Chargehouse here
"""

from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from multidict import MultiMapping

from sandbox.exchange import Answer

if TYPE_CHECKING:
    from sandbox.faults import Fault
    from sandbox.server import Sandbox


class Control:
    """Answers the control endpoints of one sandbox."""

    def __init__(self, sandbox: "Sandbox") -> None:
        self._sandbox = sandbox

    def answer(self, method: str, path: str, query: MultiMapping[str], content: bytes) -> Answer:
        """Answers one control request: 400 for an invalid request, 404 for an unknown path."""
        try:
            body = orjson.loads(content) if content else {}
            result = self._result(method, path, query, body)
        except (KeyError, TypeError, ValueError) as error:
            return Answer(400, orjson.dumps({"error": str(error)}))
        if result is None:
            return Answer(404, orjson.dumps({"error": f"unknown control endpoint: {method} /sandbox/{path}"}))
        return Answer(200, orjson.dumps(result, default=_plain_text, option=orjson.OPT_UTC_Z))

    def _result(self, method: str, path: str, query: MultiMapping[str], body: dict[str, Any]) -> object:
        sandbox = self._sandbox
        match method, path:
            case "POST", "clock":
                if "now" in body:
                    sandbox.now = datetime.fromisoformat(body["now"])
                else:
                    sandbox.now += timedelta(seconds=body["advance_seconds"])
                return {"now": sandbox.now}
            case "GET", "clock":
                return {"now": sandbox.now}
            case "GET", "requests":
                return [asdict(request) for request in list(sandbox.requests)]
            case "POST", "faults":
                profile = body.pop("profile", None)
                if profile is not None:
                    return [_fault(fault) for fault in sandbox.faults.arm_profile(profile, **body)]
                return [_fault(sandbox.faults.arm(**body))]
            case "DELETE", "faults":
                sandbox.faults.clear()
                return []
            case "GET", "faults":
                return [_fault(fault) for fault in sandbox.faults.armed()]
            case "GET", "truth":
                first = query.get("first_read_at")
                return sandbox.truth(
                    [datetime.fromisoformat(written) for written in query.getall("refresh")],
                    query.get("time_zone", "UTC"),
                    first_read_at=None if first is None else datetime.fromisoformat(first),
                )
            case "GET", "environment":
                return sandbox.environment()
        return None


def _fault(fault: "Fault") -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "vendor": fault.vendor,
        "endpoint": fault.endpoint,
        "scope": fault.scope,
        "seen": fault.seen,
        "fired": fault.fired,
    }


def _plain_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"cannot be written as JSON: {type(value).__name__}")
