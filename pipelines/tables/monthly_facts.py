"""The months of the facts: which are to be built, and building them from the staged sessions.

Each fact records, in the commit that changes a month, up to which entry of the touched months that month was built. A
run that is cut off rebuilds what its last commit does not cover."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from pipelines.tables.lakes import BUILT, MONTHLY_FACTS, NEWEST, Lakes, partitions_of
from transforms.energy import fact_energy
from transforms.months import month_batches, month_bounds
from transforms.sessions import IS_COUNTED, fact_session, rejected_session
from transforms.stations import station_links, station_locations, with_station
from transforms.touched import NO_MONTH
from warehouse.tables import (
    FACT_ENERGY,
    FACT_SESSION,
    REJECTED_SESSION,
    STAGED_CHARGE_STATION,
    STAGED_SESSION,
    TOUCHED_MONTH,
)
from warehouse.tables.table import Table

SESSIONS_AT_ONCE = 15_000
"""Most sessions in a batch of months, whose quarter-hours are in memory together: dozens per session."""


@dataclass(frozen=True)
class BuiltMonth:
    """One month of one fact, as it was written."""

    table: Table
    month: str
    rows: int
    energy_kwh: float | None


def pending_months(lakes: Lakes) -> list[str]:
    """The months that were touched since the facts were built, in order; `none` for sessions without a month."""
    return sorted(pending_news(lakes))


def pending_news(lakes: Lakes) -> dict[str, int]:
    """The pending months, each with the number of the newest entry of the touched months that names it."""
    touched = lakes.published.scan(TOUCHED_MONTH).group_by("month").agg(pl.col("number").max()).collect()
    numbers = dict(touched.select("month", "number").iter_rows())
    pending: dict[str, int] = {}
    for table in MONTHLY_FACTS:
        all_built = lakes.published.mark(table, BUILT) or 0
        above = {month: number for month, number in numbers.items() if number > all_built}
        built = lakes.published.marks(table, [f"{BUILT} {month}" for month in above])
        pending |= {month: number for month, number in above.items() if number > built.get(f"{BUILT} {month}", 0)}
    return pending


def build_months(lakes: Lakes, months: Sequence[str], time_zone: str, *, builds_all: bool = False) -> list[BuiltMonth]:
    """Rebuild these months of every fact from the staged sessions. `builds_all`: no other month is pending."""
    if not months:
        return []
    newest = lakes.published.scan(TOUCHED_MONTH).select(pl.col("number").max()).collect().item() or 0
    stations = lakes.staging.scan(STAGED_CHARGE_STATION).collect()
    links, locations = station_links(stations), station_locations(stations)
    counts = lakes.staging.row_counts(STAGED_SESSION)
    sessions = {month: counts.get(place, 0) for month, place in zip(months, partitions_of(months), strict=True)}
    # The slots of a batch have to fit in memory together.
    batches = month_batches(months, sessions, SESSIONS_AT_ONCE)

    built: list[BuiltMonth] = []
    for batch in batches:
        partitions = partitions_of(batch)
        marks = {NEWEST: newest} | {f"{BUILT} {month}": newest for month in batch}
        if builds_all and batch is batches[-1]:
            marks[BUILT] = newest
        staged = with_station(lakes.staging.scan(STAGED_SESSION, partitions).collect(), links, locations)
        for table, rows in ((FACT_SESSION, fact_session(staged)), (REJECTED_SESSION, rejected_session(staged))):
            lakes.published.replace_months(table, rows, partitions, marks)
            built.extend(_summaries(table, rows, batch))
        slots = pl.concat([_slots(lakes, month, links, locations, time_zone) for month in batch])
        lakes.published.replace_months(FACT_ENERGY, slots, partitions, marks)
        built.extend(_summaries(FACT_ENERGY, slots, batch))
    return built


def _slots(lakes: Lakes, month: str, links: pl.DataFrame, locations: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """The slots of one month, of every session that overlaps it."""
    if month == NO_MONTH:
        return FACT_ENERGY.schema.create_empty()
    sessions = (
        lakes.staging.scan_overlapping(STAGED_SESSION, *month_bounds(month, time_zone)).filter(IS_COUNTED).collect()
    )
    return fact_energy(with_station(sessions, links, locations), time_zone, month)


def _summaries(table: Table, rows: pl.DataFrame, months: Collection[str]) -> list[BuiltMonth]:
    energy = pl.col("energy_kwh").sum().cast(pl.Float64) if table != REJECTED_SESSION else pl.lit(None, pl.Float64)
    by_month = {
        month: (count, kwh)
        for month, count, kwh in rows.group_by("month").agg(pl.len().alias("rows"), energy.alias("kwh")).iter_rows()
    }
    return [BuiltMonth(table, month, *by_month.get(month, (0, None))) for month in months if month != NO_MONTH]
