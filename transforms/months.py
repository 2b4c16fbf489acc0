"""Months: text such as `2026-03`, beginning at midnight in one configured time zone."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import polars as pl

Month = TypeVar("Month", str, str | None)
"""A month, or the value that stands for rows without one (None or `none`)."""


def month_of(instant: pl.Expr, time_zone: str) -> pl.Expr:
    """Month (YYYY-MM) of a UTC instant in the zone. NULL for NULL."""
    return instant.dt.convert_time_zone(time_zone).dt.strftime("%Y-%m")


def last_month_of(from_at: pl.Expr, to_at: pl.Expr, time_zone: str) -> pl.Expr:
    """Month (YYYY-MM) of the last moment of [from_at, to_at); that of `from_at` where the stretch has no length."""
    return month_of(pl.max_horizontal(from_at, to_at - pl.duration(microseconds=1)), time_zone)


def month_at(instant: datetime, time_zone: str) -> str:
    """The month in which one instant lies, by `month_of`."""
    month: str = pl.select(month_of(pl.lit(instant), time_zone)).item()
    return month


@lru_cache(maxsize=4_096)
def month_bounds(month: str, time_zone: str) -> tuple[datetime, datetime]:
    """UTC instants of the month's first moment and of the next month's: [from, to)."""
    return _beginning(month, time_zone), _beginning(month_after(month), time_zone)


def month_after(month: str, count: int = 1) -> str:
    """The month `count` months after this one; before it, where `count` is negative."""
    year, number = map(int, month.split("-"))
    years, index = divmod(number - 1 + count, 12)
    return f"{year + years:04d}-{index + 1:02d}"


def months_before(month: str, count: int) -> list[str]:
    """The `count` months before this one, in order."""
    return [month_after(month, -each) for each in range(count, 0, -1)]


def months_between(first: str, last: str) -> list[str]:
    """All months from the first to the last, both included; none when the last is before the first."""
    months = []
    while first <= last:
        months.append(first)
        first = month_after(first)
    return months


def month_batches(months: Sequence[Month], rows: Mapping[Month, int], rows_at_once: int) -> list[list[Month]]:
    """The months in their order, in groups of at most `rows_at_once` rows; a month with more has a group of its own."""
    batches: list[list[Month]] = []
    taken = 0
    for month in months:
        if not batches or taken + rows.get(month, 0) > rows_at_once:
            batches.append([])
            taken = 0
        batches[-1].append(month)
        taken += rows.get(month, 0)
    return batches


def _beginning(month: str, time_zone: str) -> datetime:
    year, number = map(int, month.split("-"))
    midnight = pl.datetime(year, number, 1)
    # Uses the zone database of month_of: Python's continues daylight saving time after 2099, Polars' does not.
    instant: datetime | None = pl.select(
        midnight.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    ).item()
    # Where the clocks skip midnight, the month begins with the skip.
    return (instant or datetime(year, number, 1, tzinfo=ZoneInfo(time_zone))).astimezone(UTC)
