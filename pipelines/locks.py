"""One writer at a time: advisory locks between processes, which the kernel releases when their holder dies."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipelines.faults import AnotherRunError
from pipelines.layout import LOCKS_FOLDER

PATIENCE_SECONDS = 3600.0
"""An hour, as the error message says: a run that takes longer is a first reading, or hangs."""

BETWEEN_TRIES_SECONDS = 0.1

LAKE = "lake"
"""The lock held to write tables: one writer at a time, so that no two build the same month. Also the pool of the runs
that build months, so that Dagster keeps a second one in the queue."""

RAW_LOG = "raw"
"""The lock held to append to the raw log."""

DAGSTER = "dagster"
"""The lock held to make Dagster's home, or the tables of its run history."""

DAEMON = "daemon"
"""The lock held to run Dagster's daemon: two over one history would each do what is due, and both would complain."""

BACKUP = "backup"
"""The lock held to add a generation to a folder of backups. It lies below that folder."""


def account_lock(vendor: str) -> str:
    """The name of the lock held to read with the account at this vendor."""
    return f"account-{vendor}"


def is_held(data: Path, name: str) -> bool:
    """Whether somebody holds the lock `name` below `data` at this moment."""
    path = _path(data, name)
    if not path.exists():
        return False
    with path.open() as file:
        return not _takes(file)


@contextmanager
def exclusive(data: Path, name: str, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock `name` below `data`; waits for another holder, after calling `on_wait` once.

    Raises AnotherRunError when it is not free within an hour.
    """
    with _opened(data, name) as file:
        deadline = time.monotonic() + PATIENCE_SECONDS
        has_told = False
        while not _takes(file):
            if time.monotonic() > deadline:
                raise AnotherRunError(f"another process has held the lock `{name}` for an hour; try again later.")
            if on_wait is not None and not has_told:
                on_wait()
                has_told = True
            time.sleep(BETWEEN_TRIES_SECONDS)
        yield


@contextmanager
def sole_daemon(data: Path, *, lasts_as_another_program: bool = False) -> Iterator[None]:
    """Hold the lock of the only daemon over `data` until the block ends, or, with `lasts_as_another_program`, until the
    program ends that this process becomes (`exec`) inside the block.

    Raises AnotherRunError if a daemon is already running.
    """
    with _opened(data, DAEMON) as file:
        if not _takes(file):
            raise AnotherRunError(
                f"`chargehouse daemon` or `chargehouse ui` already runs the schedules and sensors of {data}. "
                "Stop it first, or use `chargehouse webserver` for the web UI alone."
            )
        os.set_inheritable(file.fileno(), lasts_as_another_program)
        yield


def _path(data: Path, name: str) -> Path:
    return data / LOCKS_FOLDER / f"{name}.lock"


def _opened(data: Path, name: str) -> IO[str]:
    path = _path(data, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("w")


def _takes(file: IO[str]) -> bool:
    """Try to take the lock, which lasts until the file is closed. Returns whether that succeeded."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
