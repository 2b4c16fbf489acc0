"""Runs whose process died are recorded as failed; runs that live, or have hardly begun, are left alone."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from pipelines.locks import LAKE, is_held
from pipelines.orchestration import abandoned_runs
from pipelines.orchestration.abandoned_runs import end_abandoned_runs, hold_run, lake_held_by_run, release_run
from pipelines.settings import PROJECT_FOLDER

HOLDER = """
import sys, time
from pathlib import Path
from pipelines.orchestration.abandoned_runs import hold_run
hold_run(Path(sys.argv[1]), sys.argv[2])
print("held", flush=True)
time.sleep(60)
"""


@dg.job
def any_job() -> None:
    """A job that does nothing."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def started(instance: dg.DagsterInstance) -> str:
    return instance.create_run_for_job(any_job, status=dg.DagsterRunStatus.STARTED).run_id


def success() -> dg.DagsterEvent:
    return dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, any_job.name)


def status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


def test_a_run_lives_as_long_as_its_process(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = started(instance)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path), run_id], cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert end_abandoned_runs(instance, tmp_path) == []
        process.kill()
        process.wait()
    assert end_abandoned_runs(instance, tmp_path) == [run_id]
    assert status(instance, run_id) == dg.DagsterRunStatus.FAILURE
    assert list((tmp_path / "locks").iterdir()) == [], "nothing is left behind"
    assert end_abandoned_runs(instance, tmp_path) == []


@pytest.mark.parametrize("begun", ["STARTING", "STARTED", "CANCELING"])
def test_a_run_without_a_lock_has_a_while_to_begin(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: str
) -> None:
    run_id = instance.create_run_for_job(any_job, status=dg.DagsterRunStatus(begun)).run_id
    assert end_abandoned_runs(instance, tmp_path) == []
    monkeypatch.setattr(abandoned_runs, "TIME_TO_BEGIN", timedelta(0))
    assert end_abandoned_runs(instance, tmp_path) == [run_id]


def test_a_run_that_waits_for_its_turn_may_wait(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.create_run_for_job(any_job, status=dg.DagsterRunStatus.NOT_STARTED)
    monkeypatch.setattr(abandoned_runs, "TIME_TO_BEGIN", timedelta(0))
    assert end_abandoned_runs(instance, tmp_path) == []


def test_a_run_that_succeeds_while_it_is_looked_at_stays_a_success(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = started(instance)
    hold_run(tmp_path, run_id)

    def ends_before_the_look(data: Path, name: str) -> bool:
        if status(instance, run_id) == dg.DagsterRunStatus.STARTED:
            instance.report_dagster_event(success(), run_id)
            release_run(tmp_path, run_id)
        return is_held(data, name)

    monkeypatch.setattr(abandoned_runs, "is_held", ends_before_the_look)
    assert end_abandoned_runs(instance, tmp_path) == []
    assert status(instance, run_id) == dg.DagsterRunStatus.SUCCESS


def test_a_run_that_is_deleted_while_it_is_looked_at_is_no_run_any_more(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = started(instance)
    hold_run(tmp_path, run_id)

    def is_deleted_before_the_look(data: Path, name: str) -> bool:
        instance.delete_run(run_id)
        release_run(tmp_path, run_id)
        return is_held(data, name)

    monkeypatch.setattr(abandoned_runs, "is_held", is_deleted_before_the_look)
    assert end_abandoned_runs(instance, tmp_path) == []


def test_a_run_that_is_looked_at_while_it_takes_its_lock_lives_on(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = started(instance)
    ended: list[str] = []
    flock = fcntl.flock

    def is_looked_at_before(descriptor: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        ended.extend(end_abandoned_runs(instance, tmp_path))
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", is_looked_at_before)
    hold_run(tmp_path, run_id)
    assert ended == []
    assert is_held(tmp_path, f"run-{run_id}")
    release_run(tmp_path, run_id)
    assert list((tmp_path / "locks").iterdir()) == []


def test_the_lock_of_a_run_that_is_about_to_begin_stays(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    hold_run(tmp_path, "about-to-begin")
    end_abandoned_runs(instance, tmp_path)
    assert (tmp_path / "locks" / "run-about-to-begin.lock").exists()
    release_run(tmp_path, "about-to-begin")
    assert not (tmp_path / "locks" / "run-about-to-begin.lock").exists()


def test_a_run_that_holds_the_lake_is_alive_however_late_its_first_step(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abandoned_runs, "TIME_TO_BEGIN", timedelta(0))
    run_id = started(instance)
    with lake_held_by_run(tmp_path, run_id):
        assert is_held(tmp_path, LAKE)
        assert end_abandoned_runs(instance, tmp_path) == []
    release_run(tmp_path, run_id)
    assert end_abandoned_runs(instance, tmp_path) == [run_id]
