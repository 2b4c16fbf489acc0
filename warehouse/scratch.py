"""A folder for what a query cannot keep in memory. It goes with the process, however that ends."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "chargehouse-query-"

MAKING_SECONDS = 60.0
"""Long enough that a younger folder may still be on its way to being held."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of its own for as long as the context lasts; what killed processes left behind is removed first."""
    _remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        held = os.open(folder, os.O_RDONLY)
        try:
            # The kernel lets go of it when the process dies, and the next query sees that.
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(held)


def _remove_abandoned() -> None:
    """Removes the folders of this user that no process holds any more."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                found = os.fstat(folder)
                if found.st_uid == os.getuid() and found.st_mtime < time.time() - MAKING_SECONDS:
                    shutil.rmtree(path)
            finally:
                os.close(folder)
