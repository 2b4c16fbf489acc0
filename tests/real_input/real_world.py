"""The real records behind the four APIs."""

import gc
from collections.abc import Iterable
from pathlib import Path

from sandbox.files import read_world
from sandbox.world import World
from tests.real_input.sources import RealSession
from tests.real_input.vendor_objects import write_objects


def real_world(sessions: Iterable[RealSession], folder: Path, *, with_dutch_locations: bool = True) -> World:
    """The world of these sessions and their places, through files in `folder`."""
    write_objects(sessions, folder, with_dutch_locations=with_dutch_locations)
    # Hundreds of thousands of small objects that all stay: collecting garbage among them would take most of the time.
    gc.disable()
    try:
        return read_world(folder)
    finally:
        gc.enable()
