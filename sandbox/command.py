"""`chargehouse sandbox`: serves the four APIs in the foreground until it is told to stop."""

import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.files import read_world
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from sandbox.world import ENDPOINTS

_HISTORY = timedelta(days=400)


def demo_sandbox(
    *, port: int, seed: int, sessions: int, as_of: datetime | None, faults: str | None, world_folder: Path | None
) -> Sandbox:
    """A sandbox, not started yet, over a world of `sessions` invented sessions in the 400 days before `as_of`.

    The virtual clock stands still at `as_of`; without one it starts at the real time and runs on with it. `faults` is a
    profile such as `mixed:0.12`. With `world_folder` the world is read from there instead, see `sandbox.files`. Raises
    ValueError for an invalid port, an unknown profile, a naive `as_of` or a file that cannot be read as a world.
    """
    if not 0 <= port <= 65_535:
        raise ValueError(f"--port must be from 0 to 65535, not {port}")
    now = as_of or datetime.now(UTC)
    # A world begins at midnight, so that two starts on the same day give the same world.
    populated_until = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if world_folder is None:
        world = generate_world(seed, populated_until - _HISTORY, populated_until, sessions)
    else:
        world = read_world(world_folder)
        if not any(world.timelines(vendor, endpoint) for vendor in ENDPOINTS for endpoint in ENDPOINTS[vendor]):
            raise ValueError(f"{world_folder} contains no world: no {{vendor}}/{{endpoint}}.ndjson file with an object")
    sandbox = Sandbox(world, now, port, clock_runs=as_of is None)
    if faults:
        sandbox.faults.arm_profile(faults, seed)
    return sandbox


def serve(
    *,
    port: int,
    seed: int,
    sessions: int,
    as_of: datetime | None = None,
    faults: str | None = None,
    world_folder: Path | None = None,
) -> int:
    """Serves in the foreground until SIGINT or SIGTERM; returns the exit status.

    Prints one line that says what it is, and the `export` lines to use it. The exit status is 1 if the port cannot be
    opened, 2 for an invalid argument. Must be called from the main thread, which is the one that receives signals.
    """
    try:
        sandbox = demo_sandbox(
            port=port, seed=seed, sessions=sessions, as_of=as_of, faults=faults, world_folder=world_folder
        )
    except (ValueError, FileNotFoundError) as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 2
    stopped = threading.Event()
    former = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with sandbox:
            print(f"# Sandbox with invented data at {sandbox.url}: no vendor, no person and no kWh in it is real.")
            for name, value in sandbox.environment().items():
                print(f"export {name}='{value}'")
            sys.stdout.flush()
            stopped.wait()
    except OSError as error:
        print(f"sandbox: port {port} cannot be opened: {error.strerror}", file=sys.stderr)
        return 1
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
    return 0
