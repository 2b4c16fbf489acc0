"""The real daemon over a real instance: a late correction arrives, and its month is rebuilt without a human."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM

import dagster as dg
import duckdb
import pytest

from pipelines.layout import DATABASE
from pipelines.settings import PROJECT_FOLDER, load_settings
from sandbox.server import Sandbox
from tests.faults.scene import Scene
from tests.outside import outside
from tests.pipelines.orchestration.operated import Operated, operated, two_vendors
from tests.processes import wait_until
from warehouse.tables import FACT_ENERGY, FACT_SESSION

HOUR = timedelta(hours=1)
NOW = datetime.now(UTC).replace(microsecond=0)
LAST_MONTH = (NOW.replace(day=1) - timedelta(days=10)).strftime("%Y-%m")
IN_LAST_MONTH = NOW.replace(day=1, hour=9, minute=0, second=0) - timedelta(days=10)
IN_THE_MONTH_BEFORE = IN_LAST_MONTH.replace(day=1) - timedelta(days=10)
CORRECTED_KWH = 12.5


@contextmanager
def daemon(house: Operated, environment: Mapping[str, str]) -> Iterator[None]:
    """Dagster's daemon and code server, as processes of their own, until the end of the block."""
    home = house.instance.root_directory
    log = (house.settings.data / "daemon.log").open("w")
    process = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "dagster._daemon",
            "run",
            "-m",
            "tests.pipelines.orchestration.quick_location",
        ],
        # As the services do: Dagster would read a `.env` in its working folder, and let it override the environment.
        cwd=home,
        env={**outside(), **environment, "DAGSTER_HOME": home, "PYTHONPATH": str(PROJECT_FOLDER)},
        stdout=log,
        stderr=log,
        process_group=0,
    )
    try:
        yield
    except AssertionError as fault:
        fault.add_note((house.settings.data / "daemon.log").read_text()[-6000:])
        raise
    finally:
        log.close()
        # Runs and code servers are in the same process group.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def jobs_run(house: Operated) -> list[str]:
    """The jobs that succeeded, oldest first, with their months."""
    runs = house.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    return [f"{run.job_name} {run.tags.get('dagster/partition', '')}".strip() for run in reversed(runs)]


def published_kwh(house: Operated) -> list[tuple[str, float]]:
    path = house.settings.data / DATABASE
    if not path.exists():
        return []
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(
            "SELECT month, sum(energy_kwh)::DOUBLE FROM fact_session GROUP BY month ORDER BY month"
        ).fetchall()


@pytest.fixture
def scene() -> Scene:
    made = Scene(NOW - timedelta(days=200))
    made.zaptec("zaptec-before", IN_THE_MONTH_BEFORE, IN_THE_MONTH_BEFORE + HOUR)
    made.greenflux("cdr-last", IN_LAST_MONTH, IN_LAST_MONTH + HOUR)
    return made


def environment(sandbox: Sandbox, data: Path, **variables: str) -> dict[str, str]:
    return {
        **two_vendors(sandbox),
        "CHARGEHOUSE_DATA": str(data),
        "CHARGEHOUSE_FIRST_MONTH": IN_THE_MONTH_BEFORE.strftime("%Y-%m"),
        "CHARGEHOUSE_PSEUDONYM_KEY": "a key for tests",
        "CHARGEHOUSE_SCHEDULES": "on",
        # Due long after the test, unless the test is about more than the sensor.
        "CHARGEHOUSE_REFRESH_SCHEDULE": "0 0 1 1 *",
        **variables,
    }


def test_a_correction_rebuilds_and_publishes_its_month_without_a_human(scene: Scene, tmp_path: Path) -> None:
    before = NOW - HOUR
    with Sandbox(scene.world, before) as sandbox:
        variables = environment(sandbox, tmp_path / "data")
        with operated(load_settings(variables, tmp_path / ".env"), sandbox) as house:
            assert house.load(before).success
            house.settle()
            files = {table: house.versions(table) for table in (FACT_SESSION, FACT_ENERGY)}
            seen = len(jobs_run(house))
            scene.again("greenflux", "cdr-last", before + HOUR / 2, total_energy=CORRECTED_KWH)
            assert house.load(NOW).success
            assert (LAST_MONTH, 10.0) in published_kwh(house), "nobody has built or published it yet"

            with daemon(house, variables):
                wait_until(lambda: (LAST_MONTH, CORRECTED_KWH) in published_kwh(house), "the corrected month")
                wait_until(lambda: jobs_run(house)[-1] == "publish", "the end of the publication")

            assert jobs_run(house)[seen:] == ["load", f"build_months {LAST_MONTH}", "publish"]
            for table in (FACT_SESSION, FACT_ENERGY):
                after = house.versions(table)
                assert {month for month in after if after[month] != files[table].get(month)} == {LAST_MONTH}


@pytest.mark.long
def test_the_daemon_alone_reads_builds_and_publishes_and_heals_a_correction(scene: Scene, tmp_path: Path) -> None:
    with Sandbox(scene.world, datetime.now(UTC), clock_runs=True) as sandbox:
        variables = environment(sandbox, tmp_path / "data", CHARGEHOUSE_REFRESH_SCHEDULE="* * * * *")
        with (
            operated(load_settings(variables, tmp_path / ".env"), sandbox) as house,
            daemon(house, variables),
        ):
            wait_until(lambda: (LAST_MONTH, 10.0) in published_kwh(house), "the first publication")
            files = house.versions(FACT_ENERGY)
            scene.again("greenflux", "cdr-last", datetime.now(UTC), total_energy=CORRECTED_KWH)
            wait_until(lambda: (LAST_MONTH, CORRECTED_KWH) in published_kwh(house), "the corrected month")
            after = house.versions(FACT_ENERGY)
            assert {month for month in after if after[month] != files.get(month)} == {LAST_MONTH}
