"""The four vendors' APIs in a process of their own: `python -m benchmarks.server PLAN`, a WorldPlan as JSON.

Prints one line of JSON for `Served`: the environment that points here, the number of objects and the fewest requests
that read them. Then answers each line on its standard input, a JSON list of a word and its arguments, with a line of
JSON, and exits when its input ends:

["busy"]                    the processor seconds it has used
["requests"]                the requests since the last such line, and when the first and the last of them were answered
["clock", "2026-04-16T..."] sets the virtual clock
["limit", 10, 0.05]         limits each vendor to 10 requests a second, each answered after 0.05 s; 0: no limit
"""

import gc
import os
import sys
import time
from collections import deque
from datetime import datetime
from typing import Any

import orjson

from benchmarks.prepared_pages import PreparedPages
from benchmarks.worlds import WorldPlan, least_requests, objects_shown, planned_world
from sandbox.server import Request, Sandbox


class _TimedLog(deque[Request]):
    """The request log, which also records when its first and its last line were written."""

    first_at: float | None = None
    last_at: float | None = None

    def append(self, request: Request) -> None:
        super().append(request)
        self.last_at = time.time()
        self.first_at = self.first_at or self.last_at

    def clear(self) -> None:
        super().clear()
        self.first_at = self.last_at = None


def _serve(sandbox: Sandbox) -> None:
    log = sandbox.requests = _TimedLog()
    for line in sys.stdin:
        word, *arguments = orjson.loads(line)
        match word:
            case "busy":
                _tell(time.process_time())
            case "requests":
                _tell({"requests": [_line(each) for each in log], "from": log.first_at, "to": log.last_at})
                log.clear()
            case "clock":
                sandbox.now = datetime.fromisoformat(arguments[0])
                _tell(None)
            case "limit":
                _limit(sandbox, *arguments)
                _tell(None)


def _line(request: Request) -> dict[str, Any]:
    return {
        "vendor": request.vendor,
        "endpoint": request.endpoint,
        "path": request.path,
        "query": request.query,
        "status": request.status,
    }


def _limit(sandbox: Sandbox, requests_per_second: float, latency_seconds: float) -> None:
    for vendor in sandbox.apis:
        settings = sandbox.settings.of(vendor)
        settings.requests_per_second = requests_per_second or None
        settings.latency_seconds = latency_seconds


def _tell(answer: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.flush()


def main(written_plan: str) -> None:
    """Serve until the standard input ends."""
    fields = orjson.loads(written_plan)
    plan = WorldPlan(**{**fields, "as_of": datetime.fromisoformat(fields["as_of"])})
    gc.disable()
    world = planned_world(plan)
    # The world does not change: collections that traverse it again and again would slow down the server's clients.
    gc.freeze()
    gc.enable()
    with Sandbox(world, plan.as_of) as sandbox:
        for vendor, api in sandbox.apis.items():
            sandbox.apis[vendor] = PreparedPages(api)
        _tell(
            {
                "environment": sandbox.environment(),
                "objects": objects_shown(world, plan.as_of),
                "least_requests": least_requests(world, plan.as_of) if plan.kind == "generated" else {},
            }
        )
        _serve(sandbox)
    # Exit at once: freeing millions of objects one by one would take seconds, for nothing.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
