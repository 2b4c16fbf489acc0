"""Which series are used, as the method and the slots of fact_energy show."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from transforms.energy import fact_energy

RowsBuilder = Callable[..., pl.DataFrame]

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def after(minutes: float | None) -> datetime | None:
    return None if minutes is None else START + timedelta(minutes=minutes)


def slots(
    staged_sessions: RowsBuilder,
    *points: tuple[float | None, float | None],
    energy_kwh: float | None = 4.0,
    kind: str = "undecided",
) -> tuple[str, list[float | None]]:
    """Method and kWh per slot of a session from 10:00 to 11:00 with points (minutes after 10:00, kWh)."""
    series: list[dict[str, Any]] = [
        {"at": after(minutes), "energy_kwh": None if value is None else float(value)} for minutes, value in points
    ]
    session = staged_sessions({"energy_kwh": energy_kwh, "meter_series": series, "meter_series_kind": kind})
    energy = fact_energy(session, "UTC")
    (method,) = energy["method"].unique().to_list()
    return method, energy["energy_kwh"].cast(pl.Float64).to_list()


EVEN = ("even", [1.0, 1.0, 1.0, 1.0])


def test_an_interval_ends_at_its_point_and_is_spread_inside_itself(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (0, 0), (30, 1), (45, 3)) == ("metered", [0.5, 0.5, 3.0, 0.0])


def test_the_first_points_energy_lies_between_the_start_and_it(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (30, 1), (60, 3)) == ("metered", [0.5, 0.5, 1.5, 1.5])


def test_values_whose_last_is_the_energy_are_cumulative(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (0, 0), (15, 1), (30, 1), (60, 4)) == ("metered", [1.0, 0.0, 1.5, 1.5])


def test_charging_periods_are_intervals_whatever_their_sum(staged_sessions: RowsBuilder) -> None:
    points = ((0, 0.0), (15, 2.0), (60, 4.0))
    assert slots(staged_sessions, *points, kind="undecided")[0] == "metered"
    assert slots(staged_sessions, *points, kind="interval") == EVEN


def test_points_are_taken_in_the_order_of_time(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (45, 3), (0, 0), (30, 1)) == ("metered", [0.5, 0.5, 3.0, 0.0])


def test_a_single_point_is_all_the_energy_up_to_it(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (30, 4)) == ("metered", [2.0, 2.0, 0.0, 0.0])


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        # 1 % and 0.01 kWh must both be exceeded.
        (((30, 2.0), (60, 2.04)), "metered"),
        (((30, 2.0), (60, 2.05)), "even"),
        (((30, 1.96), (60, 2.0)), "metered"),
        (((30, 1.94), (60, 2.0)), "even"),
    ],
)
def test_a_series_that_misses_the_energy_by_over_one_per_cent_is_not_used(
    staged_sessions: RowsBuilder, points: tuple[tuple[float, float], ...], expected: str
) -> None:
    assert slots(staged_sessions, *points)[0] == expected


def test_a_miss_of_ten_watt_hours_is_scaled_away_however_small_the_session(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (30, 0.01), (60, 0.03), energy_kwh=0.05)[0] == "metered"
    assert slots(staged_sessions, (30, 0.01), (60, 0.03), energy_kwh=0.0501)[0] == "even"


def test_a_smaller_miss_is_scaled_away(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (30, 1.01), (60, 3.03)) == ("metered", [0.5, 0.5, 1.5, 1.5])


def test_points_outside_the_session_are_clamped_and_keep_their_energy(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (-30, 1), (50, 0), (90, 3)) == ("metered", [1.0, 0.0, 0.0, 3.0])


def test_a_jump_of_no_length_lies_in_the_slot_that_holds_it(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (15, 0), (15, 1), (20, 0), (20, 3)) == ("metered", [0.0, 4.0, 0.0, 0.0])


def test_a_jump_at_the_end_lies_in_the_last_slot(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (60, 0), (60, 1), (61, 3)) == ("metered", [0.0, 0.0, 0.0, 4.0])


def test_a_cumulative_series_may_fall_by_a_watt_hour_and_is_flattened(staged_sessions: RowsBuilder) -> None:
    points = ((15, 1.0), (30, 0.999), (60, 4.0))
    assert slots(staged_sessions, *points) == ("metered", [1.0, 0.0, 1.5, 1.5])


def test_a_cumulative_series_that_begins_a_little_below_zero_gives_no_negative_slot(
    staged_sessions: RowsBuilder,
) -> None:
    method, energies = slots(staged_sessions, (15, -0.0005), (60, 4.0))
    assert method == "metered"
    assert energies[0] == 0.0
    assert sum(energy or 0.0 for energy in energies) == 4.0


@pytest.mark.parametrize("points", [((15, 1.0), (30, 0.9989), (60, 4.0)), ((15, -0.5), (60, 4.0))])
def test_a_series_that_falls_further_is_not_used(
    staged_sessions: RowsBuilder, points: tuple[tuple[float, float], ...]
) -> None:
    assert slots(staged_sessions, *points) == EVEN


@pytest.mark.parametrize("kind", ["undecided", "interval"])
def test_falls_of_less_than_a_watt_hour_that_add_up_to_more_are_no_less_of_a_fall(
    staged_sessions: RowsBuilder, kind: str
) -> None:
    cumulative = ((15, 1.0), (20, 0.9994), (25, 0.9988), (60, 4.0))
    intervals = ((15, 1.0), (20, -0.0006), (25, -0.0006), (60, 3.0012))
    assert slots(staged_sessions, *(intervals if kind == "interval" else cumulative), kind=kind) == EVEN


@pytest.mark.parametrize("count", [93, 9_224])
def test_points_beyond_all_measure_spoil_the_series_however_many_there_are(
    staged_sessions: RowsBuilder, count: int
) -> None:
    """So many billions of kWh that their micro-kWh, or a hundred times as many, would overflow 64 bits."""
    points = [(number / 200, 1e9) for number in range(count)]
    assert slots(staged_sessions, *points, kind="interval") == EVEN


@pytest.mark.parametrize("point", [(None, 1.0), (20, None), (None, None), (20, 1e300)])
def test_one_unreadable_point_spoils_the_series(
    staged_sessions: RowsBuilder, point: tuple[float | None, float | None]
) -> None:
    assert slots(staged_sessions, (30, 4), point) == EVEN


@pytest.mark.parametrize("points", [(), ((0, 0), (60, 0))])
def test_a_series_without_energy_says_nothing(
    staged_sessions: RowsBuilder, points: tuple[tuple[float, float], ...]
) -> None:
    assert slots(staged_sessions, *points) == EVEN
    assert slots(staged_sessions, *points, energy_kwh=0.008) == ("even", [0.002] * 4)


def test_a_session_without_energy_has_slots_without_energy(staged_sessions: RowsBuilder) -> None:
    assert slots(staged_sessions, (30, 4), energy_kwh=None) == ("even", [None] * 4)


def test_the_series_of_one_session_leaves_the_others_alone(staged_sessions: RowsBuilder) -> None:
    series = [{"at": after(15), "energy_kwh": 10.0}]
    sessions = staged_sessions(
        {"session_id": "a"},
        {"session_id": "b", "meter_series": series, "meter_series_kind": "undecided"},
        {"session_id": "c", "meter_series": [], "meter_series_kind": None},
    )
    methods = fact_energy(sessions, "UTC").group_by("session_id", maintain_order=True).agg(pl.col("method").unique())
    assert methods.rows() == [("a", ["even"]), ("b", ["metered"]), ("c", ["even"])]
