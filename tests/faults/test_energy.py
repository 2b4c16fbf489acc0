"""Energies that are impossible or do not add up: F49 to F55."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandbox.server import Sandbox
from tests.faults.scene import Scene, iso
from tests.faults.verdict import Walk

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
STARTED_AT = datetime(2026, 3, 3, 8, tzinfo=UTC)
NOW = datetime(2026, 3, 12, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)


def details(*points: tuple[float, float]) -> list[dict[str, Any]]:
    """Meter points from pairs of hours after the start and kWh."""
    return [{"timestamp": iso(STARTED_AT + hours * HOUR), "energy": kwh} for hours, kwh in points]


@pytest.fixture(scope="module")
def metered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    made = Scene(BEGINS_AT)
    ended_at = STARTED_AT + 2 * HOUR
    made.smappee(1, STARTED_AT, ended_at, None, startReading=500.0, stopReading=499.5)
    made.smappee(2, STARTED_AT, ended_at, None, startReading=999_990.0, stopReading=4.0)
    made.smappee(3, STARTED_AT, ended_at, None, startReading=100.1, stopReading=112.6)
    made.zaptec("negative", STARTED_AT, ended_at, -0.5)
    made.zaptec("register", STARTED_AT, STARTED_AT + 24 * HOUR, 18_432.7)
    made.greenflux("register", STARTED_AT, STARTED_AT + 24 * HOUR, 5_000.1)
    made.zaptec("power", STARTED_AT, STARTED_AT + HOUR / 6, 300.0)
    made.zaptec("power-for-a-moment", STARTED_AT, STARTED_AT + timedelta(seconds=30), 30.0)
    made.zaptec("misses", STARTED_AT, ended_at, 10.0, energyDetails=details((0, 0), (1, 2.0), (2, 3.0)))
    made.zaptec("nearly", STARTED_AT, ended_at, 10.0, energyDetails=details((0, 0), (1, 2.0), (2, 7.95)))
    made.zaptec("falls", STARTED_AT, ended_at, 10.0, energyDetails=details((0, 0), (1, 11.0), (2, 10.0)))
    made.zaptec("nothing", STARTED_AT, ended_at, 0)
    made.zaptec("short", STARTED_AT, STARTED_AT + timedelta(seconds=2), 0.001)
    late = details((0, 0), (1, 4.0), (2.5, 6.0))
    made.zaptec("after-the-end", STARTED_AT, ended_at, 10.0, energyDetails=late)
    made.greenflux("after-the-end", STARTED_AT, ended_at, 10.0, total_time=3.0, total_parking_time=0.5)
    with Sandbox(made.world, NOW) as sandbox:
        walk = Walk(tmp_path_factory.mktemp("data"), sandbox, "2026-03")
        walk.refresh(NOW)
        yield walk


def reason(walk: Walk, vendor: str, session: str) -> str | None:
    where = f"vendor = '{vendor}' AND session_id = '{session}'"
    rows = walk.house.query(f"SELECT reason FROM rejected_session WHERE {where}")
    counted = walk.house.query(f"SELECT count(*) FROM fact_session WHERE {where}")
    assert (not rows) == bool(counted[0][0]), "a session is in exactly one of the two tables"
    return rows[0][0] if rows else None


def method(walk: Walk, session: str) -> str:
    ((name, kwh),) = walk.house.query(
        "SELECT method, sum(energy_kwh) FROM fact_energy "
        f"WHERE session_id = '{session}' AND vendor = 'zaptec' GROUP BY method"
    )
    assert float(kwh) == 10.0
    return str(name)


def test_the_metered_world_equals_the_truth(metered: Walk) -> None:
    assert metered.differences() == {}


def test_f49_a_reading_that_ends_below_its_start_is_rejected_and_sums_stay_positive(metered: Walk) -> None:
    assert reason(metered, "smappee", "1") == "negative_energy"
    assert reason(metered, "smappee", "2") == "negative_energy", "a meter that rolled over or was reset"
    assert reason(metered, "zaptec", "negative") == "negative_energy"
    assert reason(metered, "smappee", "3") is None
    assert metered.house.query("SELECT count(*) FROM fact_energy WHERE energy_kwh < 0") == [(0,)]
    assert metered.house.query("SELECT CAST(energy_kwh AS VARCHAR) FROM fact_session WHERE session_id = '3'") == [
        ("12.500000",)
    ]


def test_f50_a_lifetime_register_in_place_of_an_energy_is_implausible(metered: Walk) -> None:
    assert reason(metered, "zaptec", "register") == "implausible_energy"
    assert reason(metered, "greenflux", "register") == "implausible_energy"


def test_f51_a_series_that_misses_the_energy_is_not_used_and_a_small_miss_is_scaled(metered: Walk) -> None:
    assert method(metered, "misses") == "even"
    assert method(metered, "falls") == "even"
    assert method(metered, "nearly") == "metered"


def test_f52_sessions_without_energy_or_of_seconds_are_kept(metered: Walk) -> None:
    assert reason(metered, "zaptec", "nothing") is None
    assert reason(metered, "zaptec", "short") is None


def test_f53_a_power_that_no_charger_has_is_implausible_unless_the_session_is_too_short_to_tell(metered: Walk) -> None:
    assert reason(metered, "zaptec", "power") == "implausible_energy"
    assert reason(metered, "zaptec", "power-for-a-moment") is None


def test_f54_energy_metered_after_the_end_is_clipped_to_the_session(metered: Walk) -> None:
    assert method(metered, "after-the-end") == "metered"
    ((last,),) = metered.house.query(
        "SELECT max(slot_start_at) FROM fact_energy WHERE session_id = 'after-the-end' AND vendor = 'zaptec'"
    )
    assert last < STARTED_AT + 2 * HOUR
    idle = metered.house.query(
        "SELECT charging_seconds, idle_seconds FROM fact_session "
        "WHERE session_id = 'after-the-end' AND vendor = 'greenflux'"
    )
    assert idle == [(9000.0, 0.0)], "charging for longer than connected leaves nothing idle, and nothing negative"
