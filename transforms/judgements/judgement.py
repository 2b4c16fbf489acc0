"""A verdict in words and numbers, and the months that verdicts are about."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from transforms.months import month_of

MOST_LISTED = 20
"""So many rows are shown of what was found: enough to see what it is, few enough to read."""

USUAL_MONTHS = 6
"""What is usual is taken from so many months: the season is still the same."""


@dataclass(frozen=True)
class Judgement:
    """Whether a claim holds, a sentence that says so, the numbers behind it, and the rows to look at first."""

    passed: bool
    said: str
    numbers: Mapping[str, int | float | str] = field(default_factory=dict)
    listed: pl.DataFrame = field(default_factory=pl.DataFrame)


def current_month(as_of: datetime, time_zone: str) -> str:
    """The month in which `as_of` lies."""
    month: str = pl.select(month_of(pl.lit(as_of), time_zone)).item()
    return month


def months_before(month: str, count: int) -> list[str]:
    """The `count` months before this one, in order."""
    year, number = map(int, month.split("-"))
    return [
        f"{each // 12:04d}-{each % 12 + 1:02d}"
        for each in range(year * 12 + number - 1 - count, year * 12 + number - 1)
    ]


def total(frame: pl.DataFrame, column: str) -> int:
    """The sum of a column of whole numbers."""
    return int(frame.get_column(column).sum())
