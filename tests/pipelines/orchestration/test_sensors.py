"""The sensor of the touched months: exactly what a load touched is built, then published, and nothing else."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import duckdb
import pytest

from pipelines.layout import DATABASE
from pipelines.locks import LAKE, exclusive
from pipelines.orchestration import month_assets, radar_assets, sensors, table_assets
from pipelines.orchestration.sensors import build_tasks, publish_tasks, stretches
from pipelines.orchestration.step_causes import step_cause
from pipelines.settings import load_settings
from pipelines.tables.monthly_facts import pending_months
from sandbox.server import Sandbox
from tests.faults.scene import Scene
from tests.pipelines.orchestration.operated import Operated, described, metadata_of, operated, two_vendors
from warehouse.tables import FACT_ENERGY, FACT_SESSION, REJECTED_SESSION, VENDOR_RADAR

HOUR = timedelta(hours=1)
FIRST = datetime(2025, 4, 10, 6, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)
IN_JANUARY, IN_FEBRUARY, IN_APRIL = (datetime(2025, month, 5, 9, tzinfo=UTC) for month in (1, 2, 4))


@pytest.fixture
def scene() -> Scene:
    """A session in January, February and April; none in March."""
    made = Scene(datetime(2024, 12, 1, tzinfo=UTC))
    made.zaptec("zaptec-january", IN_JANUARY, IN_JANUARY + HOUR)
    made.greenflux("cdr-february", IN_FEBRUARY, IN_FEBRUARY + HOUR)
    made.greenflux("cdr-april", IN_APRIL, IN_APRIL + HOUR)
    return made


@pytest.fixture
def house(scene: Scene, tmp_path: Path) -> Iterator[Operated]:
    with Sandbox(scene.world, FIRST) as sandbox:
        variables = {
            **two_vendors(sandbox),
            "CHARGEHOUSE_DATA": str(tmp_path / "data"),
            "CHARGEHOUSE_FIRST_MONTH": "2025-01",
            "CHARGEHOUSE_PSEUDONYM_KEY": "a key for tests",
            "CHARGEHOUSE_RETRY_PAUSE_SECONDS": "0.001",
        }
        with operated(load_settings(variables, tmp_path / ".env"), sandbox) as house:
            yield house


@pytest.fixture
def without_pauses() -> Iterator[None]:
    with patch.object(sensors, "PAUSES", (timedelta(0),)):
        yield


def published(house: Operated, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(house.settings.data / DATABASE), read_only=True) as connection:
        return connection.execute(sql).fetchall()


# -- what is requested -------------------------------------------------------------------------------------------------


def test_months_are_one_stretch_as_far_as_none_is_missing() -> None:
    assert stretches([]) == []
    assert stretches(["2025-11", "2025-12", "2026-01", "2026-03"]) == [["2025-11", "2025-12", "2026-01"], ["2026-03"]]


def test_each_stretch_of_pending_months_is_one_run_named_by_its_newest_touch() -> None:
    partitions = {"2025-01", "2025-02", "2025-03", "2025-04"}
    tasks = build_tasks({"2025-01": 3, "2025-02": 7, "2025-04": 2, "none": 9, "2019-01": 4}, partitions)
    assert [(task.what, task.news) for task in tasks] == [
        ("2025-01 to 2025-02", "2025-01 to 2025-02, touched 7"),
        ("2025-04", "2025-04, touched 2"),
    ]


def test_nothing_new_is_not_published_and_anything_new_is() -> None:
    assert publish_tasks({}, {}) == []
    [coverage], [later], [none] = (
        publish_tasks({}, {"coverage": 3}),
        publish_tasks({}, {"coverage": 4}),
        publish_tasks({"none": 1}, {}),
    )
    assert len({coverage.news, later.news, none.news}) == 3


# -- from load to publication ------------------------------------------------------------------------------------------


def test_nothing_is_asked_for_before_anything_was_read(house: Operated) -> None:
    tick = house.tick()
    assert not tick.run_requests
    assert tick.skip_message == "No month is pending; nothing is published."


def test_a_load_leads_to_its_months_and_then_to_the_publication(house: Operated) -> None:
    assert house.load(FIRST).success
    assert not (house.settings.data / DATABASE).exists(), "a load publishes nothing"
    months = house.tick()
    assert [described(request) for request in months.run_requests or []] == [
        "build_months 2025-01..2025-02",
        "build_months 2025-04",
    ]
    assert all(result.success for result in house.answer(months))
    assert house.settle() == ["publish"]
    assert published(house, "SELECT count(*), sum(energy_kwh) FROM fact_session") == [(3, 30)]
    quiet = house.tick()
    assert not quiet.run_requests
    assert quiet.skip_message is not None
    assert quiet.skip_message.startswith("No month is pending; published ")


def test_a_correction_rebuilds_its_month_and_no_other(house: Operated, scene: Scene) -> None:
    house.load(FIRST)
    house.settle()
    before = {table: house.versions(table) for table in (FACT_SESSION, FACT_ENERGY)}
    scene.again("greenflux", "cdr-february", FIRST + HOUR, total_energy=12.5)
    assert house.load(SECOND).success
    assert house.settle() == ["build_months 2025-02", "publish"]
    for table in (FACT_SESSION, FACT_ENERGY):
        after = house.versions(table)
        assert {month for month in after if after[month] != before[table].get(month)} == {"2025-02"}
    assert published(house, "SELECT energy_kwh FROM fact_session WHERE month = '2025-02'") == [(12.5,)]
    told = metadata_of(house.instance, ["fact_energy"], "2025-02")
    assert (told["touched_last_because"], told["energy_kwh"], told["energy_kwh_change"]) == ("corrected", 12.5, 2.5)


def test_a_load_that_brings_nothing_builds_no_month_and_still_publishes_what_was_read(house: Operated) -> None:
    house.load(FIRST)
    house.settle()
    house.load(SECOND)
    assert house.settle() == ["publish"], "the coverage reaches further now"


def test_a_late_session_is_told_from_a_new_one(house: Operated, scene: Scene) -> None:
    house.load(FIRST)
    house.settle()
    ended_at = FIRST - timedelta(days=3)
    scene.zaptec("zaptec-late", ended_at - HOUR, ended_at, at=FIRST + HOUR)
    scene.greenflux("cdr-new", FIRST + HOUR, FIRST + 2 * HOUR)
    house.load(SECOND)
    house.settle()
    rows = published(house, "SELECT month, reason FROM ops.touched_month WHERE number = 2 ORDER BY ALL")
    assert rows == [("2025-04", "late"), ("2025-04", "new")]
    assert metadata_of(house.instance, ["fact_session"], "2025-04")["touched_last_because"] == "late, new"


def test_sessions_without_a_month_are_built_before_the_publication(house: Operated, scene: Scene) -> None:
    house.load(FIRST)
    house.settle()
    scene.greenflux("cdr-unreadable", FIRST, FIRST + HOUR, start_date_time="soon")
    house.load(SECOND)
    assert pending_months(house.lakes) == ["none"]
    assert house.settle() == ["publish"]
    assert house.lakes.published.row_counts(REJECTED_SESSION) == {None: 1}
    assert published(house, "SELECT count(*) FROM rejected_session") == [(1,)]


def test_months_that_are_built_take_along_the_sessions_without_one(house: Operated, scene: Scene) -> None:
    scene.greenflux("cdr-unreadable", IN_APRIL, IN_APRIL + HOUR, start_date_time="soon")
    house.load(FIRST)
    house.answer(house.tick())
    assert pending_months(house.lakes) == []


def test_a_month_that_dagster_does_not_know_yet_is_built_before_the_publication(house: Operated, scene: Scene) -> None:
    began_at = datetime(2024, 12, 31, 20, tzinfo=UTC)
    scene.greenflux("cdr-december", began_at, began_at + 8 * HOUR)
    house.load(FIRST)
    assert "2024-12" in pending_months(house.lakes)
    assert house.settle() == ["build_months 2025-01..2025-02", "build_months 2025-04", "publish"]
    assert published(house, "SELECT count(*) FROM fact_session WHERE month = '2024-12'") == [(1,)]
    house.reload()
    assert house.tick().run_requests == []


# -- runs that are in the way, and runs that fail ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
def test_nothing_is_asked_for_while_a_run_is_at_it(house: Operated, status: dg.DagsterRunStatus) -> None:
    house.load(FIRST)
    house.instance.create_run_for_job(house.definitions.resolve_job_def("build_months"), status=status)
    tick = house.tick()
    assert not tick.run_requests
    assert tick.skip_message == "Waiting for build_months to end."


def test_nothing_is_asked_for_while_another_process_writes(house: Operated) -> None:
    house.load(FIRST)
    with exclusive(house.settings.data, LAKE):
        assert house.tick().skip_message == "Waiting for a run that writes the tables."


def test_nothing_is_asked_for_over_tables_of_another_version_and_the_next_load_makes_them_good(
    house: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.load(FIRST)
    house.settle()
    monkeypatch.setattr("pipelines.tables.upgrade.EDITION", 1_000_000)
    assert house.tick().skip_message == "Another version wrote the tables; the next load rebuilds them."
    assert not house.run("build_months", {"dagster/partition": "2025-02"}).success
    house.load(SECOND)
    assert house.settle() == ["build_months 2025-01..2025-02", "build_months 2025-04", "publish"]


def test_a_run_whose_process_died_is_in_nobodys_way(house: Operated) -> None:
    house.load(FIRST)
    job = house.definitions.resolve_job_def("refresh")
    died = house.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    (house.settings.data / "locks" / f"run-{died.run_id}.lock").touch()
    assert house.tick().run_requests
    run = house.instance.get_run_by_id(died.run_id)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    assert not (house.settings.data / "locks" / f"run-{died.run_id}.lock").exists()


def test_the_same_news_has_the_same_run_key_until_a_run_has_failed(house: Operated, without_pauses: None) -> None:
    house.load(FIRST)
    keys = [request.run_key for request in house.tick().run_requests or []]
    assert keys == [request.run_key for request in house.tick().run_requests or []]
    with patch.object(month_assets, "build_months", side_effect=OSError("the disk is full")):
        failed = house.answer(house.tick())
    assert not any(result.success for result in failed)
    again = house.tick().run_requests or []
    assert len(again) == len(keys)
    assert set(keys).isdisjoint(request.run_key for request in again)
    assert house.settle() == ["build_months 2025-01..2025-02", "build_months 2025-04", "publish"]


@pytest.mark.parametrize("end", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_failed_or_cancelled_run_is_tried_again_after_a_while(house: Operated, end: dg.DagsterRunStatus) -> None:
    house.load(FIRST)
    job = house.definitions.resolve_job_def("build_months")
    for request in house.tick().run_requests or []:
        house.instance.create_run_for_job(job, status=end, tags=dict(request.tags))
    waiting = house.tick()
    assert not waiting.run_requests
    assert waiting.skip_message is not None
    assert waiting.skip_message.startswith("2025-01 to 2025-02 was tried 1 time(s) without success, last at ")
    with patch.object(sensors, "PAUSES", (timedelta(0),)):
        assert len(house.tick().run_requests or []) == 2


def test_the_pauses_grow_to_a_day(house: Operated) -> None:
    last_at = datetime(2025, 4, 10, tzinfo=UTC)
    pauses = [sensors.Attempts(count, last_at).next_at - last_at for count in range(1, 10)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=1), timedelta(days=1))


def test_a_publication_that_fails_leaves_the_old_one_and_is_tried_again(house: Operated, without_pauses: None) -> None:
    house.load(FIRST)
    house.settle()
    house.load(SECOND)
    before = (house.settings.data / DATABASE).read_bytes()
    with patch.object(table_assets, "publish_warehouse", side_effect=OSError("the disk is full")):
        assert not house.answer(house.tick())[0].success
    assert (house.settings.data / DATABASE).read_bytes() == before
    assert house.settle() == ["publish"]
    assert (house.settings.data / DATABASE).read_bytes() != before


def test_what_could_not_be_read_fails_the_load_and_the_rest_is_published(house: Operated) -> None:
    house.sandbox.settings.greenflux.denied_scopes = {"charge_stations"}
    result = house.load(FIRST)
    assert not result.success
    failures = [event.step_key for event in result.all_events if event.is_step_failure]
    assert failures == ["vendor_radar"], "the last step, and everything else of the load is done"
    checks = {evaluation.check_name for evaluation in result.get_asset_check_evaluations()}
    assert radar_assets.CHECK in checks, "what is about to disappear matters most where something cannot be read"
    assert house.lakes.published.scan(VENDOR_RADAR).collect().height
    assert house.settle() == ["build_months 2025-01..2025-02", "build_months 2025-04", "publish"]
    assert published(house, "SELECT count(*) FROM ops.coverage WHERE state = 'gap'") != [(0,)]


@pytest.mark.parametrize(
    "months", [{"from_month": "2025-01"}, {"to_month": "2025-02"}, {"from_month": "1", "to_month": "2"}]
)
def test_a_rebuild_from_the_launchpad_needs_both_months(house: Operated, months: dict[str, str]) -> None:
    assert house.load(FIRST).success
    asked = {"ops": {"staged_tables": {"config": {"from_raw": True, **months}}}}
    result = house.run("rebuild", configuration=asked)
    [cause] = [step_cause(event) for event in result.all_events if event.is_step_failure]
    assert cause.step == "staged_tables"
    assert "must be a month such as 2026-01" in cause.words
