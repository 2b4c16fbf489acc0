"""Runs whose process died before it recorded their end: they would count as running for ever, and others would wait.

Each run holds a lock of its own for as long as its process lives; the kernel releases it when the process dies.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from pipelines.layout import LOCKS_FOLDER
from pipelines.locks import LAKE, exclusive, is_held

BEGUN = (dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)

TIME_TO_BEGIN = timedelta(minutes=10)
"""A run that has started and has no lock after this time never reached its first step."""

_held: dict[Path, int] = {}


def hold_run(data: Path, run_id: str) -> None:
    """Hold the run's lock, which shows that it is alive, while this process lives. Every step that waits calls it."""
    path = _lock_path(data, run_id)
    if path in _held:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # The file appears under its name only once it is locked: an unlocked one marks a run whose process died.
    beside = path.with_suffix(".begins")
    descriptor = os.open(beside, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    beside.rename(path)
    _held[path] = descriptor


@contextmanager
def lake_held_by_run(data: Path, run_id: str, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock of the lake, for which a run may wait longer than one without a sign of life counts as alive.

    Raises AnotherRunError when it is not free within an hour.
    """
    hold_run(data, run_id)
    with exclusive(data, LAKE, on_wait):
        yield


def release_run(data: Path, run_id: str) -> None:
    """Remove the lock of a run that has ended while its process goes on."""
    path = _lock_path(data, run_id)
    descriptor = _held.pop(path, None)
    path.unlink(missing_ok=True)
    if descriptor is not None:
        os.close(descriptor)


def end_abandoned_runs(instance: dg.DagsterInstance, data: Path) -> list[str]:
    """Record the runs whose process died as failed. Returns their ids."""
    ended: list[str] = []
    begun = instance.get_run_records(dg.RunsFilter(statuses=list(BEGUN)))
    for record in begun:
        run_id = record.dagster_run.run_id
        if _is_alive(data, run_id, record.update_timestamp):
            continue
        # A run records its end before it releases its lock, so this second look shows one that ended meanwhile.
        run = instance.get_run_by_id(run_id)
        if run is not None and run.status in BEGUN:
            instance.report_run_failed(run, "Its process died. The next run repeats what was not finished.")
            ended.append(run_id)
    for path in (data / LOCKS_FOLDER).glob(f"{_lock_of('*')}.lock"):
        known = instance.get_run_by_id(path.stem.removeprefix(_lock_of("")))
        # A run that the history does not know yet is about to begin.
        if known is not None and known.is_finished and not is_held(data, path.stem):
            path.unlink(missing_ok=True)
    return ended


def _is_alive(data: Path, run_id: str, changed_at: datetime) -> bool:
    if _lock_path(data, run_id).exists():
        return is_held(data, _lock_of(run_id))
    return datetime.now(UTC) - changed_at < TIME_TO_BEGIN


def _lock_path(data: Path, run_id: str) -> Path:
    return data / LOCKS_FOLDER / f"{_lock_of(run_id)}.lock"


def _lock_of(run_id: str) -> str:
    return f"run-{run_id}"
