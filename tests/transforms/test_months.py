from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.months import (
    last_month_of,
    month_after,
    month_at,
    month_batches,
    month_bounds,
    months_before,
    months_between,
)

ZONES = ["UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "Pacific/Auckland"]


def test_a_month_in_amsterdam_begins_an_hour_or_two_before_utc() -> None:
    assert month_bounds("2026-03", "Europe/Amsterdam") == (
        datetime(2026, 2, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 31, 22, tzinfo=UTC),
    )


@settings(max_examples=60)
@given(st.integers(1971, 2199), st.integers(1, 12), st.sampled_from(ZONES))
def test_an_instant_lies_in_a_month_exactly_within_its_bounds(year: int, number: int, time_zone: str) -> None:
    month = f"{year}-{number:02d}"
    first, end = month_bounds(month, time_zone)
    instant = timedelta(microseconds=1)
    assert month_at(first, time_zone) == month == month_at(end - instant, time_zone)
    assert month_at(first - instant, time_zone) < month < month_at(end, time_zone)


@pytest.mark.parametrize(
    ("beyond_midnight", "length", "month"),
    [
        (timedelta(), timedelta(hours=1), "2026-03"),
        (timedelta(hours=-1), timedelta(hours=1), "2026-02"),
        (timedelta(hours=-1), timedelta(hours=1, microseconds=1), "2026-03"),
        (timedelta(), timedelta(), "2026-03"),
        (timedelta(), timedelta(hours=-1), "2026-03"),
    ],
)
def test_a_stretch_that_ends_at_midnight_ends_in_the_month_before(
    beyond_midnight: timedelta, length: timedelta, month: str
) -> None:
    from_at = datetime(2026, 2, 28, 23, tzinfo=UTC) + beyond_midnight
    last = last_month_of(pl.lit(from_at), pl.lit(from_at + length), "Europe/Amsterdam")
    assert pl.select(last).item() == month


def test_a_month_whose_midnight_the_clocks_skip_begins_with_the_skip() -> None:
    # Algiers, 1981-05-01: at midnight the clocks go forward to one o'clock.
    first, _ = month_bounds("1981-05", "Africa/Algiers")
    assert first == datetime(1981, 5, 1, tzinfo=UTC)
    assert month_at(first, "Africa/Algiers") == "1981-05"


def test_a_month_whose_midnight_comes_twice_begins_with_the_first() -> None:
    # Havana, 2026-11-01: at one o'clock the clocks go back to midnight.
    first, _ = month_bounds("2026-11", "America/Havana")
    assert first == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert month_at(first, "America/Havana") == "2026-11"
    assert month_at(first - timedelta(microseconds=1), "America/Havana") == "2026-10"


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        ("2025-11", "2026-02", ["2025-11", "2025-12", "2026-01", "2026-02"]),
        ("2026-02", "2026-02", ["2026-02"]),
        ("2026-03", "2026-02", []),
    ],
)
def test_months_between_include_both_ends(first: str, last: str, months: list[str]) -> None:
    assert months_between(first, last) == months


@pytest.mark.parametrize(
    ("month", "count", "other"),
    [
        ("2026-02", 1, "2026-03"),
        ("2026-12", 1, "2027-01"),
        ("2026-02", 11, "2027-01"),
        ("2026-02", 0, "2026-02"),
        ("2026-02", -1, "2026-01"),
        ("2026-02", -2, "2025-12"),
        ("2026-02", -26, "2023-12"),
    ],
)
def test_months_are_counted_over_the_ends_of_years(month: str, count: int, other: str) -> None:
    assert month_after(month, count) == other


def test_months_before_come_in_order_and_leave_the_month_itself_out() -> None:
    assert months_before("2026-02", 3) == ["2025-11", "2025-12", "2026-01"]
    assert months_before("2026-02", 0) == []


def test_the_month_of_an_instant_is_that_of_the_zone() -> None:
    assert month_at(datetime(2025, 12, 31, 23, 30, tzinfo=UTC), "Europe/Oslo") == "2026-01"


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(1, 40))
def test_batches_keep_the_order_and_hold_no_more_than_asked(counts: list[int], rows_at_once: int) -> None:
    rows = {f"2026-{number:02d}": count for number, count in enumerate(counts, 1)}
    batches = month_batches(list(rows), rows, rows_at_once)
    assert [month for batch in batches for month in batch] == list(rows)
    for batch in batches:
        assert batch
        assert len(batch) == 1 or sum(rows[month] for month in batch) <= rows_at_once
