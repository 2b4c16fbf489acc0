"""Lost and damaged files (F29, F30, F31): the next refresh or a rebuild repairs them; nothing wrong is published."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

import dagster as dg
import pytest
from _pytest.mark import ParameterSet

from pipelines import command
from pipelines.orchestration import table_assets
from tests.crashes.conftest import REFRESHES
from tests.crashes.house import House

Damage: TypeAlias = Callable[[Path], None]


def newest(folder: Path, pattern: str) -> Path:
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime_ns)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def delete_the_publication(data: Path) -> None:
    (data / "warehouse.duckdb").unlink()


def overwrite_the_publication(data: Path) -> None:
    (data / "warehouse.duckdb").write_bytes(b"garbage" * 10_000)


def cut_the_publication_short(data: Path) -> None:
    cut_short(data / "warehouse.duckdb")


def delete_the_working_folder_of_dlt(data: Path) -> None:
    shutil.rmtree(data / "dlt")


def damage_the_working_folder_of_dlt(data: Path) -> None:
    for path in (data / "dlt").rglob("*.json"):
        cut_short(path)


def cut_the_newest_state_short(data: Path) -> None:
    cut_short(newest(data / "raw" / "_dlt_pipeline_state", "*.jsonl"))


def empty_the_newest_state_and_lose_the_working_folder(data: Path) -> None:
    os.truncate(newest(data / "raw" / "_dlt_pipeline_state", "*.jsonl"), 0)
    shutil.rmtree(data / "dlt")


def cut_the_stored_schema_short_and_lose_the_working_folder(data: Path) -> None:
    cut_short(newest(data / "raw" / "_dlt_version", "*.jsonl"))
    shutil.rmtree(data / "dlt")


def cut_the_newest_load_record_short(data: Path) -> None:
    cut_short(newest(data / "raw" / "_dlt_loads", "*.jsonl"))


def leave_half_a_file_of_an_incomplete_load(data: Path) -> None:
    file = newest(data / "raw" / "zaptec_sessions", "*.parquet")
    half = file.with_name("1999999999.1234567.0123456789.parquet")
    half.write_bytes(file.read_bytes()[:1000])


def restore_an_older_state(data: Path) -> None:
    newest(data / "raw" / "_dlt_pipeline_state", "*.jsonl").unlink()
    shutil.rmtree(data / "dlt")


def delete_staging(data: Path) -> None:
    shutil.rmtree(data / "staging")


def delete_the_staged_sessions(data: Path) -> None:
    shutil.rmtree(data / "staging" / "staged_session")


def delete_the_staged_stations(data: Path) -> None:
    shutil.rmtree(data / "staging" / "staged_charge_station")


def delete_the_log_of_the_staged_sessions(data: Path) -> None:
    shutil.rmtree(data / "staging" / "staged_session" / "_delta_log")


def delete_the_lake(data: Path) -> None:
    shutil.rmtree(data / "lake")


def delete_a_fact(data: Path) -> None:
    shutil.rmtree(data / "lake" / "fact_energy")


def delete_the_touched_months(data: Path) -> None:
    shutil.rmtree(data / "lake" / "touched_month")


def delete_the_audit(data: Path) -> None:
    shutil.rmtree(data / "lake" / "load_audit")


def delete_a_dimension(data: Path) -> None:
    shutil.rmtree(data / "lake" / "dim_charge_station")


def delete_everything_but_raw(data: Path) -> None:
    for path in data.iterdir():
        if path.name != "raw":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def delete_the_dagster_home(data: Path) -> None:
    shutil.rmtree(data / "dagster")


def take_the_locks_away(data: Path) -> None:
    shutil.rmtree(data / "locks")


QUICK: tuple[Damage, ...] = (
    overwrite_the_publication,
    damage_the_working_folder_of_dlt,
    empty_the_newest_state_and_lose_the_working_folder,
    delete_the_staged_sessions,
    delete_the_lake,
    delete_the_dagster_home,
)
OTHERS: tuple[Damage, ...] = (
    leave_half_a_file_of_an_incomplete_load,
    restore_an_older_state,
    delete_the_touched_months,
    delete_the_publication,
    cut_the_publication_short,
    delete_the_working_folder_of_dlt,
    cut_the_newest_state_short,
    cut_the_stored_schema_short_and_lose_the_working_folder,
    cut_the_newest_load_record_short,
    delete_staging,
    delete_the_staged_stations,
    delete_the_log_of_the_staged_sessions,
    delete_a_fact,
    delete_the_audit,
    delete_a_dimension,
    delete_everything_but_raw,
    take_the_locks_away,
)


def cases(damages: Iterable[Damage], quick: Collection[Damage]) -> list[ParameterSet]:
    """The `quick` damages for every test run, the others for the long one."""
    return [
        pytest.param(damage, id=damage.__name__.replace("_", " "), marks=[] if damage in quick else [pytest.mark.long])
        for damage in damages
    ]


@pytest.mark.parametrize("damage", cases((*QUICK, *OTHERS), QUICK))
def test_the_next_refresh_heals(full_house: House, damage: Damage) -> None:
    damage(full_house.data)
    full_house.assert_converges(REFRESHES)


@pytest.mark.parametrize("damage", cases((*QUICK, *OTHERS), ()))
def test_a_rebuild_heals(full_house: House, damage: Damage) -> None:
    damage(full_house.data)
    assert full_house.run("rebuild") == command.DONE
    full_house.assert_equals_the_truth(REFRESHES)


def test_after_touched_months_are_lost_a_later_refresh_builds_what_it_touches(
    house: House,
) -> None:
    delete_the_touched_months(house.data)
    house.assert_converges(REFRESHES[:2])


def test_a_damaged_history_of_runs_is_named_and_can_be_moved_away(
    full_house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (full_house.data / "dagster").rglob("*.db"):
        path.write_bytes(b"garbage" * 1_000)
    assert full_house.refresh(REFRESHES[-1]) == command.INCOMPLETE
    complaint = capsys.readouterr().err
    assert str(full_house.data / "dagster") in complaint
    assert "move that folder away" in complaint
    assert "Traceback" not in complaint
    shutil.rmtree(full_house.data / "dagster")
    full_house.assert_converges(REFRESHES)


def test_a_history_of_two_versions_is_said_to_be_damaged(full_house: House, capsys: pytest.CaptureFixture[str]) -> None:
    [schedules] = (full_house.data / "dagster").glob("**/schedules.db")
    with closing(sqlite3.connect(schedules)) as database, database:
        # What two processes that make the tables at the same time leave behind.
        database.execute("INSERT INTO alembic_version VALUES ('5771160a95ad')")
    assert full_house.refresh(REFRESHES[-1]) == command.INCOMPLETE
    complaint = capsys.readouterr().err
    assert "move that folder away" in complaint
    assert "Traceback" not in complaint


def test_a_run_whose_record_is_deleted_meanwhile_ends_well(
    full_house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_warehouse = table_assets.publish_warehouse

    def deleting(*arguments: Any) -> Any:
        with dg.DagsterInstance.get() as instance:
            for run in instance.get_runs():
                instance.delete_run(run.run_id)
        return publish_warehouse(*arguments)

    monkeypatch.setattr(table_assets, "publish_warehouse", deleting)
    assert full_house.refresh(REFRESHES[-1]) == command.DONE
    assert "Traceback" not in capsys.readouterr().err
    monkeypatch.undo()
    full_house.assert_converges(REFRESHES)


def data_file(data: Path, table: str) -> Path:
    root = data / ("staging" if table.startswith("staged") else "lake")
    return newest(root / table, "**/*.parquet")


def log_entry(data: Path, table: str) -> Path:
    root = data / ("staging" if table.startswith("staged") else "lake")
    return max((root / table / "_delta_log").glob("*.json"))


QUICK_TO_DAMAGE = (
    ("touched_month", "a file deleted"),
    ("fact_session", "a file cut short"),
)
TO_DAMAGE = (
    "staged_session",
    "staged_charge_station",
    "touched_month",
    "load_audit",
    "fact_session",
    "fact_energy",
    "dim_user",
    "coverage",
)


@pytest.mark.parametrize(
    ("table", "damage"),
    [
        pytest.param(table, damage, marks=[] if (table, damage) in QUICK_TO_DAMAGE else [pytest.mark.long])
        for table in TO_DAMAGE
        for damage in ("a file cut short", "a file deleted", "a log entry cut short")
    ],
)
def test_a_damaged_table_is_reported_or_healed_and_a_rebuild_heals_it(
    full_house: House, table: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    match damage:
        case "a file cut short":
            cut_short(data_file(full_house.data, table))
        case "a file deleted":
            data_file(full_house.data, table).unlink()
        case "a log entry cut short":
            cut_short(log_entry(full_house.data, table))
    status = full_house.refresh(REFRESHES[-1])
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("chargehouse: ")]
    if status == command.DONE:
        full_house.assert_equals_the_truth(REFRESHES)
    else:
        assert status == command.INCOMPLETE
        assert len(complaints) == 1, complaints
        assert "chargehouse rebuild" in complaints[0]
    assert full_house.run("rebuild") == command.DONE
    full_house.assert_equals_the_truth(REFRESHES)
