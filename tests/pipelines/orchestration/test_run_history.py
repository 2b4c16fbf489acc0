"""Dagster's history of runs with connections that are kept open: the same files and answers as Dagster's own."""

from pathlib import Path
from queue import Queue

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from pipelines.orchestration.instance import prepare_dagster_home
from pipelines.orchestration.run_history import KEPT_OPEN, EventLog


@dg.asset
def told() -> None:
    """An asset that does nothing but materialize."""


def materialized(instance: dg.DagsterInstance) -> list[str]:
    runs = [dg.materialize([told], instance=instance).run_id for _ in range(KEPT_OPEN + 2)]
    assert all(instance.get_run_by_id(run_id).is_success for run_id in runs)
    return runs


def events(log: SqliteEventLogStorage, runs: list[str]) -> list[list[str | None]]:
    return [
        [record.event_log_entry.dagster_event_type.value for record in log.get_records_for_run(run).records]
        for run in runs
    ]


def test_the_projects_instance_keeps_its_history_there(tmp_path: Path) -> None:
    prepare_dagster_home(tmp_path)
    with dg.DagsterInstance.get() as instance:
        assert isinstance(instance.event_log_storage, EventLog)
        materialized(instance)


def test_dagsters_own_storage_reads_what_was_written(tmp_path: Path) -> None:
    home = prepare_dagster_home(tmp_path)
    with dg.DagsterInstance.get() as instance:
        runs = materialized(instance)
        written = events(instance.event_log_storage, runs)
    assert all("ASSET_MATERIALIZATION" in types and types[-1] == "PIPELINE_SUCCESS" for types in written)
    own = DagsterSqliteStorage.from_local(str(home)).event_log_storage
    assert events(own, runs) == written
    assert own.get_asset_records([told.key])[0].asset_entry.last_run_id == runs[-1]


def test_few_databases_are_kept_open_and_all_are_let_go(tmp_path: Path) -> None:
    prepare_dagster_home(tmp_path)
    with dg.DagsterInstance.get() as instance:
        runs = materialized(instance)
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        assert len(log._engines) == KEPT_OPEN
        # A database that was closed is opened again.
        assert log.get_records_for_run(runs[0]).records
    assert not log._engines


def test_who_watches_a_run_is_told_of_an_event_while_its_writer_keeps_the_database_open(tmp_path: Path) -> None:
    prepare_dagster_home(tmp_path)
    with dg.DagsterInstance.get() as writing, dg.DagsterInstance.get() as watching:
        run = writing.get_run_by_id(dg.materialize([told], instance=writing).run_id)
        assert run is not None
        before = watching.get_records_for_run(run.run_id)
        messages: Queue[str] = Queue()
        watching.watch_event_logs(
            run.run_id, before.cursor, lambda entry, cursor: messages.put(entry.user_message or entry.message)
        )
        writing.report_engine_event("written after the page was opened", run)
        assert messages.get(timeout=30) == "written after the page was opened"
