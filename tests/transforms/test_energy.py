from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms.energy import fact_energy
from transforms.months import month_bounds, months_between
from warehouse.tables.facts import FactEnergy

RowsBuilder = Callable[..., pl.DataFrame]

QUARTER = timedelta(minutes=15)
MICROSECOND = timedelta(microseconds=1)
AMSTERDAM = "Europe/Amsterdam"


def at(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def slots(energy: pl.DataFrame) -> list[tuple[datetime, Decimal | None]]:
    return energy.select("slot_start_at", "energy_kwh").rows()


def test_energy_is_spread_evenly_from_start_to_end(staged_sessions: RowsBuilder) -> None:
    session = staged_sessions(
        {
            "started_at": at(2, 10, 5),
            "ended_at": at(2, 10, 45),
            "energy_kwh": 1.0,
            "station_id": "s",
            "location_id": "l",
        }
    )
    energy = fact_energy(session, "UTC")
    FactEnergy.validate(energy)
    assert slots(energy) == [
        (at(2, 10, 0), Decimal("0.250000")),
        (at(2, 10, 15), Decimal("0.375000")),
        (at(2, 10, 30), Decimal("0.375000")),
    ]
    assert energy.select("vendor", "session_id", "month", "station_id", "location_id", "method").unique().rows() == [
        ("zaptec", "s", "2026-03", "s", "l", "even")
    ]


def test_thirds_are_rounded_at_the_boundaries_and_still_add_up(staged_sessions: RowsBuilder) -> None:
    session = staged_sessions({"started_at": at(2, 10), "ended_at": at(2, 10, 45), "energy_kwh": 0.000002})
    assert [energy for _, energy in slots(fact_energy(session, "UTC"))] == [
        Decimal("0.000001"),
        Decimal("0.000000"),
        Decimal("0.000001"),
    ]


@pytest.mark.parametrize("minute", [0, 7])
def test_a_session_of_no_length_has_the_one_slot_that_holds_it(staged_sessions: RowsBuilder, minute: int) -> None:
    instant = at(2, 10, minute)
    energy = fact_energy(staged_sessions({"started_at": instant, "ended_at": instant}), "UTC")
    assert slots(energy) == [(at(2, 10), Decimal("10.000000"))]


def test_a_session_that_ends_on_a_boundary_has_no_slot_after_it(staged_sessions: RowsBuilder) -> None:
    session = staged_sessions({"started_at": at(2, 10, 15), "ended_at": at(2, 10, 30)})
    assert slots(fact_energy(session, "UTC")) == [(at(2, 10, 15), Decimal("10.000000"))]


@pytest.mark.parametrize(("day", "month", "count"), [(29, 3, 92), (25, 10, 100), (2, 3, 96)])
def test_a_local_day_has_as_many_slots_as_quarter_hours(
    staged_sessions: RowsBuilder, day: int, month: int, count: int
) -> None:
    started_at = at(day, 0, month=month) - timedelta(hours=2 if month == 10 else 1)
    session = staged_sessions({"started_at": started_at, "ended_at": started_at + count * QUARTER, "energy_kwh": 24.0})
    energy = fact_energy(session, AMSTERDAM)
    assert energy.height == count == energy["slot_start_at"].n_unique()
    assert energy["energy_kwh"].sum() == 24


def test_the_month_of_a_slot_is_its_own_and_not_the_sessions(staged_sessions: RowsBuilder) -> None:
    session = staged_sessions({"started_at": at(31, 21, 30), "ended_at": at(31, 22, 30)})
    assert fact_energy(session, AMSTERDAM)["month"].to_list() == ["2026-03", "2026-03", "2026-04", "2026-04"]
    assert fact_energy(session, AMSTERDAM, "2026-04").select("slot_start_at", "energy_kwh").rows() == [
        (at(31, 22, 0), Decimal("2.500000")),
        (at(31, 22, 15), Decimal("2.500000")),
    ]


def test_a_month_that_no_session_touches_is_empty(staged_sessions: RowsBuilder) -> None:
    empty = fact_energy(staged_sessions({}), "UTC", "2025-01")
    assert empty.height == 0
    assert empty.schema == fact_energy(staged_sessions(), "UTC").schema == FactEnergy.create_empty().schema


def test_the_largest_session_over_years_keeps_its_energy(staged_sessions: RowsBuilder) -> None:
    session = staged_sessions({"started_at": datetime(2020, 1, 1, tzinfo=UTC), "energy_kwh": 5000.0})
    assert fact_energy(session, "UTC")["energy_kwh"].sum() == 5000


@pytest.mark.parametrize("hours", [1, 24 * 12])
@pytest.mark.parametrize("is_metered", [False, True])
def test_a_session_beyond_64_bits_is_exact_and_leaves_the_others_alone(
    staged_sessions: RowsBuilder, hours: int, is_metered: bool
) -> None:
    started_at = datetime(2026, 1, 1, tzinfo=UTC)
    series = [{"at": started_at + timedelta(hours=hours), "energy_kwh": 4999.999999}]
    huge = {
        "session_id": "huge",
        "started_at": started_at,
        "ended_at": started_at + timedelta(hours=hours),
        "energy_kwh": 4999.999999,
        "meter_series": series if is_metered else None,
    }
    ordinary = {"session_id": "ordinary", "started_at": at(2, 10, 5), "ended_at": at(2, 10, 45), "energy_kwh": 0.7}
    together = fact_energy(staged_sessions(huge, ordinary), "UTC")
    assert_frame_equal(together.filter(session_id="ordinary"), fact_energy(staged_sessions(ordinary), "UTC"))
    energy = together.filter(session_id="huge")
    assert energy["method"].unique().to_list() == ["metered" if is_metered else "even"]
    whole, count = 4_999_999_999, 4 * hours
    assert energy["energy_kwh"].sum() == Decimal(whole).scaleb(-6)
    reached = [(2 * whole * number + count) // (2 * count) for number in range(count + 1)]
    expected = [later - earlier for earlier, later in pairwise(reached)]
    assert (energy["energy_kwh"] * 1_000_000).cast(pl.Int64).to_list() == expected


def test_lazy_and_eager_sessions_give_the_same(staged_sessions: RowsBuilder) -> None:
    sessions = staged_sessions({})
    assert_frame_equal(fact_energy(sessions.lazy(), "UTC"), fact_energy(sessions, "UTC"))


# Around both clock changes in Amsterdam, and around the ends of months.
_STARTS = st.sampled_from([at(28, 22), at(29, 0, 50), at(31, 21, 44), at(24, 22, month=10), at(31, 22, month=10)])
_MILLISECONDS = st.integers(0, 3 * 3_600_000).map(lambda number: timedelta(milliseconds=number))
_DURATIONS = st.one_of(
    st.just(timedelta(0)),
    _MILLISECONDS,
    st.integers(0, 12).map(lambda number: number * QUARTER),
    st.sampled_from([timedelta(days=1), timedelta(days=40), timedelta(days=33, milliseconds=1)]),
)
_ENERGIES_KWH = st.one_of(
    st.none(), st.just(0.0), st.floats(0, 80), st.integers(0, 12).map(lambda number: number / 1e6)
)


@st.composite
def _sessions(draw: st.DrawFn) -> dict[str, Any]:
    started_at = draw(_STARTS) + draw(st.one_of(st.just(timedelta(0)), _MILLISECONDS))
    duration = draw(_DURATIONS)
    energy_kwh = draw(_ENERGIES_KWH)
    session: dict[str, Any] = {
        "started_at": started_at,
        "ended_at": started_at + duration,
        "energy_kwh": energy_kwh,
    }
    if energy_kwh is not None and draw(st.booleans()):
        weights = draw(st.lists(st.integers(0, 5), min_size=1, max_size=8))
        total = max(sum(weights), 1) * draw(st.sampled_from([1.0, 1.0, 1.005, 1.5]))
        values = [weight / total * energy_kwh for weight in weights]
        is_cumulative = draw(st.booleans())
        session["meter_series"] = [
            {
                "at": started_at + duration * draw(st.floats(-0.2, 1.2)) if draw(st.booleans()) else started_at,
                "energy_kwh": sum(values[: position + 1]) if is_cumulative else value,
            }
            for position, value in enumerate(values)
        ]
        session["meter_series_kind"] = draw(st.sampled_from(["undecided", "interval"]))
    return session


def rounded(energy_kwh: float) -> Decimal:
    return Decimal((Fraction(energy_kwh * 1_000_000) + Fraction(1, 2)).__floor__()).scaleb(-6)


def numbered(sessions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**session, "session_id": f"s{number}"} for number, session in enumerate(sessions)]


@settings(max_examples=150)
@given(st.lists(_sessions(), min_size=1, max_size=4))
def test_slots_cover_every_session_exactly_and_add_up_to_its_energy_exactly(
    staged_sessions: RowsBuilder, sessions: list[dict[str, Any]]
) -> None:
    energy = fact_energy(staged_sessions(*numbered(sessions)), AMSTERDAM)
    FactEnergy.validate(energy)
    for session in numbered(sessions):
        own = energy.filter(session_id=session["session_id"])
        started_at, ended_at = session["started_at"], session["ended_at"]
        first = started_at - (started_at - datetime(2026, 1, 1, tzinfo=UTC)) % QUARTER
        covered = [first]
        while covered[-1] + QUARTER < ended_at:
            covered.append(covered[-1] + QUARTER)
        assert own["slot_start_at"].to_list() == covered
        if session["energy_kwh"] is None:
            assert own["energy_kwh"].null_count() == own.height
        else:
            assert own["energy_kwh"].null_count() == 0
            assert own["energy_kwh"].sum() == rounded(session["energy_kwh"])


@settings(max_examples=60)
@given(st.lists(_sessions(), min_size=1, max_size=4), st.sampled_from(["UTC", AMSTERDAM, "Asia/Kathmandu"]))
def test_the_months_together_are_the_whole(
    staged_sessions: RowsBuilder, sessions: list[dict[str, Any]], time_zone: str
) -> None:
    staged = staged_sessions(*numbered(sessions))
    whole = fact_energy(staged, time_zone)
    months = months_between("2026-02", "2026-12")
    by_month = [fact_energy(staged, time_zone, month) for month in months]
    for month, energy in zip(months, by_month, strict=True):
        first, end = month_bounds(month, time_zone)
        assert energy.filter(~pl.col("slot_start_at").is_between(first, end, closed="left")).height == 0
    assert_frame_equal(pl.concat(by_month).sort("vendor", "session_id", "slot_start_at"), whole)


@settings(max_examples=60)
@given(st.lists(_sessions(), min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_slots_never_depend_on_the_order_of_sessions(
    staged_sessions: RowsBuilder, sessions: list[dict[str, Any]], random: Any
) -> None:
    rows = numbered(sessions)
    shuffled = random.sample(rows, len(rows))
    assert_frame_equal(
        fact_energy(staged_sessions(*rows), AMSTERDAM), fact_energy(staged_sessions(*shuffled), AMSTERDAM)
    )


@settings(max_examples=60)
@given(st.lists(_sessions(), min_size=1, max_size=5), st.integers(1, 4))
def test_slots_never_depend_on_how_many_sessions_are_taken_at_once(
    staged_sessions: RowsBuilder, sessions: list[dict[str, Any]], sessions_at_once: int
) -> None:
    staged = staged_sessions(*numbered(sessions))
    with patch("transforms.energy._SESSIONS_AT_ONCE", sessions_at_once):
        in_parts = fact_energy(staged, AMSTERDAM)
    assert_frame_equal(in_parts, fact_energy(staged, AMSTERDAM))


@settings(max_examples=60)
@given(_STARTS, _MILLISECONDS, _DURATIONS.filter(bool), st.floats(0, 80))
def test_an_even_session_is_the_rounded_line_at_every_boundary(
    staged_sessions: RowsBuilder, start: datetime, shift: timedelta, duration: timedelta, energy_kwh: float
) -> None:
    started_at, ended_at = start + shift, start + shift + duration
    energy = fact_energy(
        staged_sessions({"started_at": started_at, "ended_at": ended_at, "energy_kwh": energy_kwh}), "UTC"
    )
    total = rounded(energy_kwh)
    reached = Decimal(0)
    for slot_start_at, slot_kwh in slots(energy):
        elapsed = min(slot_start_at + QUARTER, ended_at) - started_at
        share = Fraction(elapsed // MICROSECOND, duration // MICROSECOND)
        assert slot_kwh is not None
        reached += slot_kwh
        exact = Fraction(total) * share * 1_000_000
        assert reached == Decimal((exact + Fraction(1, 2)).__floor__()).scaleb(-6)
