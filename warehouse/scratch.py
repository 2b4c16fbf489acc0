"""A folder for query data that does not fit in memory. If its process is killed, the next query removes it."""

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
"""A folder younger than this may have been made by a process that has not locked it yet."""


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder for as long as the context lasts; folders that killed processes left behind are removed first."""
    _remove_abandoned()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        held = os.open(folder, os.O_RDONLY)
        try:
            # The kernel releases the lock when the process dies, and the next query sees that.
            fcntl.flock(held, fcntl.LOCK_EX)
            yield Path(folder)
        finally:
            os.close(held)


def _remove_abandoned() -> None:
    """Removes the folders of this user that no process has locked any more."""
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
