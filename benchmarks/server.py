"""The four vendors' APIs in a process of their own: `python -m benchmarks.server real|generated SESSIONS AS_OF`.

Prints the environment that leads to it as one line of JSON. Then answers each line on its standard input: `busy` with
the processor seconds it has used, `pages` with the requests for data since the last such line. Ends with its input.
"""

import gc
import os
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from sandbox.generate import generate_world
from sandbox.server import Sandbox
from sandbox.world import ENDPOINTS, World
from tests.real_input import sources
from tests.real_input.real_world import real_world

GENERATED_DAYS = 400
_SEED = 7


def _world(kind: str, sessions: int, as_of: datetime) -> World:
    if kind == "generated":
        return generate_world(_SEED, as_of - timedelta(days=GENERATED_DAYS), as_of, sessions, continues_days=0)
    with tempfile.TemporaryDirectory() as folder:
        return real_world(sources.sessions(), Path(folder))


def _encode(world: World) -> None:
    """Serialises every object now, so that no reader waits for it."""
    for vendor, endpoints in ENDPOINTS.items():
        for endpoint in endpoints:
            for line in world.timelines(vendor, endpoint):
                for version in line.versions:
                    assert version.encoded


def main(kind: str, sessions: str, as_of: str) -> None:
    """Serve until the standard input ends."""
    now = datetime.fromisoformat(as_of)
    gc.disable()
    world = _world(kind, int(sessions), now)
    _encode(world)
    # The world stays as it is: walking it again and again would slow down whoever reads from here.
    gc.freeze()
    gc.enable()
    with Sandbox(world, now) as sandbox:
        _tell(sandbox.environment())
        for line in sys.stdin:
            if line.strip() == "busy":
                _tell(time.process_time())
            else:
                _tell([(each.vendor, each.path, each.query) for each in sandbox.requests if each.method == "GET"])
                sandbox.requests.clear()
    # Taking millions of objects apart one by one would take seconds, for nothing.
    os._exit(0)


def _tell(answer: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(answer) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
