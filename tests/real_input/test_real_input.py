"""Real sessions and locations through the whole system: nothing lost, nothing twice, every kWh in its month."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import astuple
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from benchmarks.served import Served
from pipelines import command
from tests.end_to_end.published import Chargehouse
from tests.real_input import sources
from tests.real_input.even_spread import micro_kwh, micro_kwh_by_month, month_of
from tests.real_input.sources import RealSession
from tests.real_input.vendor_objects import PARKS, expected_locations

pytestmark = pytest.mark.skipif(not sources.are_there(), reason="the real data do not lie beside this repository")

FIRST_MONTH = "2014-11"
AS_OF = datetime(2026, 6, 15, 6, tzinfo=UTC)
"""A week after the last datum."""

UTC_ZONE = ZoneInfo("UTC")
HALF = Fraction(1, 2)
"""Of a millionth of a kWh: the most that rounding at one quarter-hour boundary can move."""


@pytest.fixture(scope="module")
def real_sessions() -> list[RealSession]:
    return sources.sessions()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chargehouse]:
    """A warehouse after one refresh from all of the real data."""
    with Served("real", AS_OF) as sandbox:
        refreshed = Chargehouse(tmp_path_factory.mktemp("data"), sandbox, CHARGEHOUSE_FIRST_MONTH=FIRST_MONTH)
        assert refreshed.run("refresh", "--as-of", AS_OF.isoformat()) == command.DONE
        yield refreshed


def _with_end(sessions: list[RealSession]) -> list[RealSession]:
    return [session for session in sessions if session.ended_at is not None]


def test_every_session_is_in_exactly_one_of_the_three_tables(
    house: Chargehouse, real_sessions: list[RealSession]
) -> None:
    published = house.query(
        "SELECT vendor, session_id, 'counted' FROM fact_session UNION ALL "
        "SELECT vendor, session_id, reason FROM rejected_session UNION ALL "
        "SELECT vendor, session_id, 'running' FROM open_session"
    )
    expected = {
        (session.vendor, session.session_id): "counted"
        if session.ended_at is not None
        else "running"
        if session.is_running
        else "unreadable"
        for session in real_sessions
    }
    assert Counter(published) == Counter((*key, place) for key, place in expected.items())


def test_every_session_keeps_its_times_and_its_energy(house: Chargehouse, real_sessions: list[RealSession]) -> None:
    published = house.query("SELECT vendor, session_id, started_at, ended_at, energy_kwh FROM fact_session")
    expected = [
        (
            session.vendor,
            session.session_id,
            session.started_at,
            session.ended_at,
            Decimal(micro_kwh(session.energy_kwh)) / 10**6,
        )
        for session in _with_end(real_sessions)
    ]
    assert sorted(published) == sorted(expected)


def test_every_session_keeps_its_station_its_place_and_its_cost(
    house: Chargehouse, real_sessions: list[RealSession]
) -> None:
    published = house.query(
        "SELECT vendor, session_id, station_id, location_id, cost_amount, currency FROM fact_session"
    )
    assert sorted(published, key=str) == sorted((_place(session) for session in _with_end(real_sessions)), key=str)


def _place(session: RealSession) -> tuple[str, str, str | None, str, Decimal | None, str | None]:
    match session.vendor:
        case "zaptec":
            return "zaptec", session.session_id, f"{session.site}/{session.station}", session.site, None, None
        case "jedlix":
            # Jedlix knows vehicles and places, but no stations.
            return "jedlix", session.session_id, None, session.site, None, None
        case "smappee":
            return "smappee", session.session_id, session.station, PARKS[session.site], None, None
        case _:
            cost = Decimal(session.cost or "0").quantize(Decimal("0.0001"))
            return "greenflux", session.session_id, session.station, session.site, cost, "USD"


def test_energy_by_vendor_and_start_month_is_that_of_the_files(
    house: Chargehouse, real_sessions: list[RealSession]
) -> None:
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for session in _with_end(real_sessions):
        expected[session.vendor, month_of(session.started_at, UTC_ZONE)] += micro_kwh(session.energy_kwh)
    published = house.query("SELECT vendor, month, sum(energy_kwh) FROM fact_session GROUP BY vendor, month")
    assert {(vendor, month): int(energy * 10**6) for vendor, month, energy in published} == expected


def test_energy_by_month_is_what_spreading_the_files_evenly_gives(
    house: Chargehouse, real_sessions: list[RealSession]
) -> None:
    expected: dict[str, Fraction] = defaultdict(Fraction)
    crossings: Counter[str] = Counter()
    for session in _with_end(real_sessions):
        by_month = micro_kwh_by_month(session, UTC_ZONE)
        for month, energy in by_month.items():
            expected[month] += energy
        crossings.update(dict.fromkeys(by_month, 2) if len(by_month) > 1 else {})
    published = {
        month: int(energy * 10**6)
        for month, energy in house.query("SELECT month, sum(energy_kwh) FROM fact_energy GROUP BY month")
    }
    assert published.keys() == expected.keys()
    assert sum(published.values()) == sum(expected.values())
    assert {month for month in expected if abs(published[month] - expected[month]) > HALF * crossings[month]} == set()


def test_every_sessions_energy_falls_into_its_months(house: Chargehouse, real_sessions: list[RealSession]) -> None:
    published: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for vendor, session_id, month, energy in house.query(
        "SELECT vendor, session_id, month, sum(energy_kwh) FROM fact_energy GROUP BY vendor, session_id, month"
    ):
        published[vendor, session_id][month] = int(energy * 10**6)
    assert len(published) == len(_with_end(real_sessions))
    wrong: list[str] = []
    for session in _with_end(real_sessions):
        expected, found = micro_kwh_by_month(session, UTC_ZONE), published[session.vendor, session.session_id]
        # Inside one month nothing is rounded; where months meet, each boundary is rounded once.
        allowed = 0 if len(expected) == 1 else 2 * HALF
        if found.keys() != expected.keys() or any(abs(found[month] - expected[month]) > allowed for month in expected):
            wrong.append(f"{session.vendor} {session.session_id}: {found} instead of {expected}")
    assert wrong == []


def test_every_location_is_there_once_with_its_name_and_place(
    house: Chargehouse, real_sessions: list[RealSession]
) -> None:
    published = house.query(
        "SELECT vendor, location_id, name, city, country, latitude, longitude FROM dim_location WHERE is_current"
    )
    expected = [astuple(location) for location in expected_locations(real_sessions)]
    assert len(expected) > 69_186
    assert Counter(published) == Counter(expected)
    assert house.query("SELECT count(*) FROM dim_location WHERE NOT is_current") == [(0,)]


def test_a_second_refresh_at_the_same_instant_changes_no_row(house: Chargehouse) -> None:
    def fingerprints() -> list[tuple[object, ...]]:
        return [
            (table, *house.query(f"SELECT count(*), sum(hash({table})::HUGEINT) FROM {table}")[0])
            for table in ("fact_session", "fact_energy", "rejected_session", "open_session", "dim_location")
        ]

    before = fingerprints()
    assert house.run("refresh", "--as-of", AS_OF.isoformat()) == command.DONE
    assert fingerprints() == before
