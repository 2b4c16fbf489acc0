"""How much of each month has been read, from the records of the readings."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import polars as pl

from transforms.months import last_month_of, month_at, month_bounds, month_of, months_between
from warehouse.tables.operations import Coverage

BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Earlier than anything that a vendor can have recorded."""

SHORTEST_STRETCH = timedelta(microseconds=1)
"""Minimum length of a failed stretch: one of zero length would fall into no month."""


@dataclass(frozen=True)
class _Failure:
    """A stretch of an endpoint's clock that could not be read, [from_at, to_at), and why."""

    from_at: datetime
    to_at: datetime
    message: str


@dataclass
class _Place:
    """Everything that was read of one endpoint for one scope. `failures`: those that no later reading has closed."""

    intervals: list[tuple[datetime, datetime]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    read_at: dict[str, datetime] = field(default_factory=dict)
    failures: list[_Failure] = field(default_factory=list)
    months: set[str] = field(default_factory=set)
    whole_read_at: datetime | None = None


def coverage(
    readings: pl.DataFrame,
    first_month: str,
    as_of: datetime,
    time_zone: str,
    lists_in_use: Collection[tuple[str, str]],
) -> pl.DataFrame:
    """One row per vendor, endpoint, scope and month, matching Coverage.

    `readings`: the reading records of all windows, oldest first. `lists_in_use`: vendor and endpoint of every list that
    a run may read. `as_of`: the now of the newest refresh. There is a row for each month from `first_month`, or the
    first month read if that is earlier, to the month of `as_of`; for a scope that is no longer asked for, to the last
    month that was asked for. A list that was read whole is covered from the beginning of time. A list that was never
    asked for, of a vendor that was, has the scope `all`.
    """
    places: dict[tuple[str, str, str], _Place] = defaultdict(_Place)
    for row in _with_months(readings, time_zone).iter_rows(named=True):
        _add(places[row["vendor"], row["endpoint"], row["scope"]], row)
    read = {(vendor, endpoint) for vendor, endpoint, _ in places}
    unread = [(*place, "all") for place in lists_in_use if place not in read and place[0] in {name for name, _ in read}]
    asked = {*_asked(readings, lists_in_use), *unread}
    last_month = month_at(as_of, time_zone)
    rows: list[tuple[object, ...]] = []
    for key in sorted({*places, *unread}):
        place, is_asked = places[key], key in asked
        months = {first_month, *place.months, *([last_month] if is_asked else [])}
        calendar = _calendar(min(months), max(months), as_of, time_zone)
        rows.extend((*key, *cells, is_asked) for cells in _months_of(place, calendar))
    schema = {name: column.dtype for name, column in Coverage.columns().items()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _asked(readings: pl.DataFrame, lists_in_use: Collection[tuple[str, str]]) -> Iterable[tuple[str, str, str]]:
    """vendor, endpoint, scope that the newest refresh of the list asked for; before any refresh, all that were read.

    A refresh that could not read a whole list of its vendor may not know every scope: then those asked for since the
    last one that could are meant as well.
    """
    is_refresh = pl.col("kind") != "backfill"
    newest = pl.col("as_of").filter(is_refresh).max().over("vendor", "endpoint")
    misses_list = (pl.col("state") == "failed") & pl.col("from_at").is_null()
    judged = readings.with_columns(knows_scopes=~misses_list.any().over("vendor", "as_of"))
    newest_that_knows = pl.col("as_of").filter(is_refresh & pl.col("knows_scopes")).max().over("vendor", "endpoint")
    since = pl.min_horizontal(newest, newest_that_knows.fill_null(pl.col("as_of").min()))
    of_newest = judged.filter(newest.is_null() | (is_refresh & (pl.col("as_of") >= since)))
    for vendor, endpoint, scope in of_newest.select("vendor", "endpoint", "scope").unique().iter_rows():
        if (vendor, endpoint) in lists_in_use:
            yield vendor, endpoint, scope


def _with_months(readings: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    return readings.with_columns(
        month_of(pl.col("from_at"), time_zone).alias("from_month"),
        last_month_of(pl.col("from_at"), pl.col("to_at"), time_zone).alias("to_month"),
        month_of(pl.col("as_of"), time_zone).alias("as_of_month"),
    )


def _add(place: _Place, row: dict[str, Any]) -> None:
    is_whole = row["from_at"] is None
    first = row["as_of_month"] if is_whole else row["from_month"]
    last = row["as_of_month"] if is_whole else row["to_month"]
    months = months_between(first, last)
    place.months.update(months)
    if row["state"] == "failed":
        from_at = row["as_of"] if is_whole else row["from_at"]
        place.failures.append(_Failure(from_at, max(row["to_at"], from_at + SHORTEST_STRETCH), row["message"]))
        return
    from_at = BEGINNING_OF_TIME if is_whole else row["from_at"]
    place.intervals.append((from_at, row["to_at"]))
    for month, rows in json.loads(row["rows_by_month"] or "{}").items() or [(first, row["rows_received"])]:
        # It was counted in the time zone of its reading, in which the window may have begun or ended in another month.
        place.rows[min(max(month, first), last)] += rows
    if is_whole:
        place.whole_read_at = row["as_of"]
        place.failures.clear()
    place.failures = [left for failure in place.failures for left in _without(failure, from_at, row["to_at"])]
    for month in months:
        place.read_at[month] = row["as_of"]


def _without(failure: _Failure, from_at: datetime, to_at: datetime) -> Iterable[_Failure]:
    """The parts of a failure that remain after a stretch was read."""
    if to_at <= failure.from_at or failure.to_at <= from_at:
        yield failure
        return
    if failure.from_at < from_at:
        yield replace(failure, to_at=from_at)
    if to_at < failure.to_at:
        yield replace(failure, from_at=to_at)


def _months_of(place: _Place, calendar: list[tuple[str, datetime, datetime, datetime]]) -> Iterable[tuple[object, ...]]:
    """month, state, rows_received, read_at and message of every month of the calendar."""
    merged = _merged(place.intervals)
    for month, from_at, until, ends_at in calendar:
        messages = [each.message for each in place.failures if each.from_at < ends_at and from_at < each.to_at]
        if messages:
            state = "gap"
        elif from_at >= until or any(start <= from_at and until <= end for start, end in merged):
            state = "complete"
        else:
            is_begun = any(start < until and from_at < end for start, end in merged)
            state = "partial" if is_begun or month in place.read_at else "never"
        read_at = max(filter(None, [place.read_at.get(month), place.whole_read_at]), default=None)
        yield month, state, place.rows.get(month, 0), read_at, messages[-1] if messages else None


@lru_cache(maxsize=64)
def _calendar(first: str, last: str, as_of: datetime, time_zone: str) -> list[tuple[str, datetime, datetime, datetime]]:
    """Each month with its beginning, the instant up to which it can have been read by `as_of`, and its end.

    Cached, since nearly all places have the same calendar.
    """
    bounds = [(month, *month_bounds(month, time_zone)) for month in months_between(first, last)]
    return [(month, from_at, min(to_at, as_of), to_at) for month, from_at, to_at in bounds]


def _merged(intervals: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    """The same time in as few intervals as possible: those that overlap or touch are merged."""
    merged: list[tuple[datetime, datetime]] = []
    for from_at, to_at in sorted(intervals):
        if merged and from_at <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], to_at))
        else:
            merged.append((from_at, to_at))
    return merged
