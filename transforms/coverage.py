"""How much of each month has been read, from the records of the readings."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import polars as pl

from transforms.months import month_bounds, month_of, months_between
from warehouse.tables.operations import Coverage

BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class _Place:
    """Everything that was read of one endpoint for one scope."""

    intervals: list[tuple[datetime, datetime]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    read_at: dict[str, datetime] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    whole_read_at: datetime | None = None


def coverage(readings: pl.DataFrame, first_month: str, as_of: datetime, time_zone: str) -> pl.DataFrame:
    """One row per vendor, endpoint, scope and month, matching Coverage.

    `readings`: the records of all windows, oldest first. There is a row for each month from `first_month`, or the first
    month read if that is earlier, to the month of `as_of`, the newest run's now. A list that was read whole is covered
    from the beginning of time.
    """
    places: dict[tuple[str, str, str], _Place] = defaultdict(_Place)
    for row in _with_months(readings, time_zone).iter_rows(named=True):
        _add(places[row["vendor"], row["endpoint"], row["scope"]], row)
    last_month = pl.select(month_of(pl.lit(as_of), time_zone)).item()
    rows = [
        (*key, *cells)
        for key, place in sorted(places.items())
        for cells in _months_of(place, first_month, last_month, as_of, time_zone)
    ]
    schema = {name: column.dtype for name, column in Coverage.columns().items()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _with_months(readings: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    last_moment = pl.max_horizontal("from_at", pl.col("to_at") - pl.duration(microseconds=1))
    return readings.with_columns(
        month_of(pl.col("from_at"), time_zone).alias("from_month"),
        month_of(last_moment, time_zone).alias("to_month"),
        month_of(pl.col("as_of"), time_zone).alias("as_of_month"),
    )


def _add(place: _Place, row: dict[str, Any]) -> None:
    is_whole = row["from_at"] is None
    first = row["as_of_month"] if is_whole else row["from_month"]
    last = row["as_of_month"] if is_whole else row["to_month"]
    months = months_between(first, last)
    if row["state"] == "failed":
        place.failures.update(dict.fromkeys(months, row["message"]))
        return
    place.intervals.append((BEGINNING_OF_TIME if is_whole else row["from_at"], row["to_at"]))
    place.rows[first] += row["rows_received"]
    if is_whole:
        place.whole_read_at = row["as_of"]
        place.failures.clear()
    for month in months:
        place.failures.pop(month, None)
        place.read_at[month] = row["as_of"]


def _months_of(
    place: _Place, first_month: str, last_month: str, as_of: datetime, time_zone: str
) -> Iterable[tuple[object, ...]]:
    seen = {*place.read_at, *place.failures}
    merged = _merged(place.intervals)
    for month, from_at, until in _calendar(min([first_month, *seen]), max([last_month, *seen]), as_of, time_zone):
        if month in place.failures:
            state = "gap"
        elif from_at >= until or any(start <= from_at and until <= end for start, end in merged):
            state = "complete"
        else:
            is_begun = any(start < until and from_at < end for start, end in merged)
            state = "partial" if is_begun or month in place.read_at else "never"
        read_at = place.read_at.get(month, place.whole_read_at)
        yield month, state, place.rows.get(month, 0), read_at, place.failures.get(month)


@lru_cache(maxsize=64)
def _calendar(first: str, last: str, as_of: datetime, time_zone: str) -> list[tuple[str, datetime, datetime]]:
    """The months with what can have been read of each by `as_of`: [from, until). The same for nearly every place."""
    bounds = [(month, *month_bounds(month, time_zone)) for month in months_between(first, last)]
    return [(month, from_at, min(to_at, as_of)) for month, from_at, to_at in bounds]


def _merged(intervals: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The intervals that they make up together, none of which touches another."""
    merged: list[tuple[datetime, datetime]] = []
    for from_at, to_at in sorted(intervals):
        if merged and from_at <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], to_at))
        else:
            merged.append((from_at, to_at))
    return merged
