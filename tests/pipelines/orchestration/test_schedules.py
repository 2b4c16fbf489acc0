"""The schedules: what each requests, when, and that one switch turns them on."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from dagster._core.definitions.schedule_definition import ScheduleExecutionData
from dagster._utils.schedules import schedule_execution_time_iterator

from pipelines.definitions import build_definitions
from pipelines.orchestration.schedules import READING
from pipelines.settings import Settings, load_settings
from sandbox.environment import environment
from sandbox.settings import Settings as SandboxSettings

NAMES = ["monthly_reconcile", "refresh", "weekly_reconcile"]
VARIABLES = environment("http://127.0.0.1:9000", SandboxSettings(), ["1201"])
ZONE = ZoneInfo("Europe/Oslo")
FRIDAY = datetime(2025, 3, 28, 12, tzinfo=UTC)
"""Two days before the clocks of the zone go forward at two in the morning."""


def settings(tmp_path: Path, **variables: str) -> Settings:
    zone = {"CHARGEHOUSE_TIME_ZONE": "Europe/Oslo", "CHARGEHOUSE_DATA": str(tmp_path / "data")}
    return load_settings({**VARIABLES, **zone, **variables}, tmp_path / ".env")


@pytest.fixture
def definitions(tmp_path: Path) -> dg.Definitions:
    return build_definitions(settings(tmp_path))


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def schedule(definitions: dg.Definitions, name: str) -> dg.ScheduleDefinition:
    return definitions.get_repository_def().get_schedule_def(name)


def next_ticks(definitions: dg.Definitions, name: str, count: int) -> list[str]:
    """The ticks after that Friday noon, in the schedule's own zone."""
    of = schedule(definitions, name)
    assert of.execution_timezone is not None
    ticks = schedule_execution_time_iterator(FRIDAY.timestamp(), of.cron_schedule, of.execution_timezone)
    return [f"{tick.astimezone(ZONE):%a %d %b %H:%M}" for tick in islice(ticks, count)]


def evaluate(definitions: dg.Definitions, name: str, instance: dg.DagsterInstance) -> ScheduleExecutionData:
    repository = definitions.get_repository_def()
    context = dg.build_schedule_context(instance, FRIDAY, repository_def=repository)
    return schedule(definitions, name).evaluate_tick(context)


def test_there_are_three_and_none_where_no_vendor_is_on(definitions: dg.Definitions, tmp_path: Path) -> None:
    assert sorted(each.name for each in definitions.schedules or []) == NAMES
    assert not build_definitions(load_settings({"CHARGEHOUSE_DATA": str(tmp_path)}, tmp_path / ".env")).schedules


def test_all_are_off_at_first_and_one_switch_turns_them_on_with_the_sensor(tmp_path: Path) -> None:
    for switch, schedules, sensors in (
        ("off", dg.DefaultScheduleStatus.STOPPED, dg.DefaultSensorStatus.STOPPED),
        ("on", dg.DefaultScheduleStatus.RUNNING, dg.DefaultSensorStatus.RUNNING),
    ):
        switched = build_definitions(settings(tmp_path, CHARGEHOUSE_SCHEDULES=switch)).get_repository_def()
        assert {each.default_status for each in switched.schedule_defs} == {schedules}
        assert switched.get_sensor_def("touched_months").default_status == sensors


def test_the_ticks_are_those_of_the_zone_also_when_its_clocks_change(definitions: dg.Definitions) -> None:
    assert next_ticks(definitions, "refresh", 3) == ["Sat 29 Mar 03:15", "Sun 30 Mar 03:15", "Mon 31 Mar 03:15"]
    assert next_ticks(definitions, "weekly_reconcile", 2) == ["Sun 30 Mar 04:40", "Sun 06 Apr 04:40"]
    assert next_ticks(definitions, "monthly_reconcile", 2) == ["Wed 02 Apr 05:20", "Fri 02 May 05:20"]


def test_a_refresh_may_be_hourly_or_at_any_time(tmp_path: Path) -> None:
    hourly = build_definitions(settings(tmp_path, CHARGEHOUSE_REFRESH_SCHEDULE="hourly"))
    assert next_ticks(hourly, "refresh", 2) == ["Fri 28 Mar 13:07", "Fri 28 Mar 14:07"]
    own = build_definitions(settings(tmp_path, CHARGEHOUSE_REFRESH_SCHEDULE="30 6 * * 1"))
    assert next_ticks(own, "refresh", 1) == ["Mon 31 Mar 06:30"]


@pytest.mark.parametrize(
    ("name", "reach"),
    [
        ("refresh", {"kind": "refresh"}),
        ("weekly_reconcile", {"kind": "reconcile", "months": 3}),
        ("monthly_reconcile", {"kind": "reconcile", "months": 24}),
    ],
)
def test_each_asks_for_a_load_of_its_reach(
    definitions: dg.Definitions, instance: dg.DagsterInstance, name: str, reach: dict[str, object]
) -> None:
    [request] = evaluate(definitions, name, instance).run_requests or []
    steps = request.run_config["ops"]
    assert steps["raw_log"]["config"] == reach
    assert steps["vendor_radar"]["config"] == {"fails_on_gaps": True}
    job = definitions.resolve_job_def("load")
    assert schedule(definitions, name).job_name == job.name
    assert dg.validate_run_config(job, request.run_config)


def test_a_load_is_not_asked_for_while_the_one_before_it_runs(
    definitions: dg.Definitions, instance: dg.DagsterInstance
) -> None:
    job = definitions.resolve_job_def("load")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED, tags={READING: "refresh"})
    refresh = evaluate(definitions, "refresh", instance)
    assert not refresh.run_requests
    assert refresh.skip_message == "The previous refresh has not ended."
    assert evaluate(definitions, "weekly_reconcile", instance).run_requests, "it waits in the queue"
