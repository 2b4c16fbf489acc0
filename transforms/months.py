"""Months: text such as `2026-03`, beginning at midnight in one configured time zone."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar
from zoneinfo import ZoneInfo

import polars as pl

Month = TypeVar("Month", str, str | None)
"""A month, or what stands for rows without one."""


def month_of(instant: pl.Expr, time_zone: str) -> pl.Expr:
    """Month (YYYY-MM) of a UTC instant in the zone. NULL for NULL."""
    return instant.dt.convert_time_zone(time_zone).dt.strftime("%Y-%m")


@lru_cache(maxsize=4_096)
def month_bounds(month: str, time_zone: str) -> tuple[datetime, datetime]:
    """UTC instants of the month's first moment and of the next month's: [from, to)."""
    return _beginning(month, time_zone), _beginning(_month_after(month), time_zone)


def months_between(first: str, last: str) -> list[str]:
    """All months from the first to the last, both included; none when the last is before the first."""
    months = []
    while first <= last:
        months.append(first)
        first = _month_after(first)
    return months


def month_batches(months: Sequence[Month], rows: Mapping[Month, int], rows_at_once: int) -> list[list[Month]]:
    """The months in their order, in groups of no more than `rows_at_once` rows; a month with more is one of its own."""
    batches: list[list[Month]] = []
    taken = 0
    for month in months:
        if not batches or taken + rows.get(month, 0) > rows_at_once:
            batches.append([])
            taken = 0
        batches[-1].append(month)
        taken += rows.get(month, 0)
    return batches


def _month_after(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year + number // 12:04d}-{number % 12 + 1:02d}"


def _beginning(month: str, time_zone: str) -> datetime:
    year, number = map(int, month.split("-"))
    midnight = pl.datetime(year, number, 1)
    # From the database that month_of reads: Python's goes on with daylight saving time after 2099, Polars' does not.
    instant: datetime | None = pl.select(
        midnight.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")
    ).item()
    # Where the clocks skip midnight, the month begins with the skip.
    return (instant or datetime(year, number, 1, tzinfo=ZoneInfo(time_zone))).astimezone(UTC)
