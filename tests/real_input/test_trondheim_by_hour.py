"""Real sessions against tables that others computed from them: kWh by hour, over both changes of the clock.

The Norwegian authors let every car charge at 7.2 kW from the plug-in until its energy is delivered, and published the
sum of each hour. If a session ends when its energy is delivered, spreading it evenly gives exactly that.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.end_to_end.published import Chargehouse
from tests.real_input import sources
from tests.real_input.even_spread import micro_kwh_by_month
from tests.real_input.real_world import real_world
from tests.real_input.sources import RealSession

pytestmark = pytest.mark.skipif(not sources.are_there(), reason="the real data do not lie beside this repository")

AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
POWER_KW = Decimal("7.2")

WITHIN_KWH = Decimal("0.02")
"""The tables are rounded to a hundredth for each of the few sessions in an hour."""

LOST_HOUR = datetime(2019, 10, 27, tzinfo=UTC)
"""The first of the two hours called 02:00: the published tables have lost what was charged in it."""


def _charging_only(session: RealSession) -> RealSession:
    seconds = session.energy_kwh / POWER_KW * 3600
    milliseconds = int(seconds * 1000)
    return replace(
        session, vendor="zaptec", ended_at=session.started_at + timedelta(milliseconds=milliseconds), is_running=False
    )


@pytest.fixture(scope="module")
def charging() -> list[RealSession]:
    """Every Norwegian session from its plug-in until its energy is delivered."""
    return [_charging_only(session) for session in sources.trondheim_sessions()]


@pytest.fixture(scope="module")
def house(charging: list[RealSession], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chargehouse]:
    """A warehouse whose months begin when they do in Oslo."""
    world = real_world(charging, tmp_path_factory.mktemp("objects"), with_dutch_locations=False)
    with Sandbox(world, now=AS_OF) as sandbox:
        refreshed = Chargehouse(
            tmp_path_factory.mktemp("data"),
            sandbox,
            CHARGEHOUSE_FIRST_MONTH="2018-12",
            CHARGEHOUSE_TIME_ZONE="Europe/Oslo",
        )
        assert refreshed.run("refresh", "--as-of", AS_OF.isoformat(), "--vendor", "zaptec") == command.DONE
        yield refreshed


@pytest.mark.parametrize(
    ("table", "is_shared"), [("dataset3a_hourly_private", False), ("dataset3b_hourly_shared", True)]
)
def test_energy_by_hour_is_that_of_the_authors_table(
    house: Chargehouse, charging: list[RealSession], table: str, is_shared: bool
) -> None:
    chosen = {session.session_id for session in charging if session.is_shared == is_shared}
    published: dict[datetime, Decimal] = defaultdict(Decimal)
    for session_id, hour, energy in house.query(
        "SELECT session_id, date_trunc('hour', slot_start_at), sum(energy_kwh) FROM fact_energy GROUP BY ALL"
    ):
        if session_id in chosen:
            published[hour] += energy
    expected = sources.trondheim_energy_by_hour(table, "Synthetic_7_2kW")
    assert len(expected) > 9_000
    assert {hour for hour in expected if abs(published[hour] - expected[hour]) > WITHIN_KWH} <= {LOST_HOUR}


def test_energy_by_month_of_oslo_is_what_spreading_the_files_evenly_gives(
    house: Chargehouse, charging: list[RealSession]
) -> None:
    expected: dict[str, Fraction] = defaultdict(Fraction)
    crossing = 0
    for session in charging:
        by_month = micro_kwh_by_month(session, OSLO)
        crossing += len(by_month) > 1
        for month, energy in by_month.items():
            expected[month] += energy
    published = {
        month: int(energy * 10**6)
        for month, energy in house.query("SELECT month, sum(energy_kwh) FROM fact_energy GROUP BY month")
    }
    assert crossing > 0
    assert published.keys() == expected.keys()
    assert sum(published.values()) == sum(expected.values())
    assert max(abs(published[month] - expected[month]) for month in expected) <= crossing
