"""From the staged tables to the published ones: the months of the facts that were touched, the dimensions, the
coverage.

Every published table remembers, in the commit that changes it, up to which entry of the touched months, or which news
of its staged table, it was built. A run that is cut off builds again what its last commit does not vouch for."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from pipelines.layout import DATABASE
from pipelines.raw_log import RawLog
from pipelines.staging import BUILT, MONTHLY_FACTS, NEWS, Lakes
from pipelines.vendors import ENDPOINTS
from transforms.coverage import coverage
from transforms.energy import fact_energy
from transforms.history import dim_charge_station, dim_connector, dim_location, dim_user, dim_vehicle
from transforms.months import month_bounds, month_of
from transforms.sessions import fact_session, open_session, rejected_session
from transforms.stations import station_links, station_locations, with_station
from transforms.touched import NO_MONTH
from warehouse.lake import Lake
from warehouse.publication import Publication, publish, published_files
from warehouse.tables import (
    COVERAGE,
    DIM_CHARGE_STATION,
    DIM_CONNECTOR,
    DIM_LOCATION,
    DIM_USER,
    DIM_VEHICLE,
    FACT_ENERGY,
    FACT_SESSION,
    OPEN_SESSION,
    PUBLISHED_TABLES,
    REJECTED_SESSION,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
    STAGED_SESSION,
    STAGED_USER,
    STAGED_VEHICLE,
    TOUCHED_MONTH,
)
from warehouse.tables.table import Table

SESSIONS_AT_ONCE = 15_000

DIMENSIONS: Mapping[Table, tuple[Table, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    DIM_LOCATION: (STAGED_LOCATION, dim_location),
    DIM_CHARGE_STATION: (STAGED_CHARGE_STATION, dim_charge_station),
    DIM_CONNECTOR: (STAGED_CHARGE_STATION, dim_connector),
    DIM_VEHICLE: (STAGED_VEHICLE, dim_vehicle),
    DIM_USER: (STAGED_USER, dim_user),
}
"""Each dimension with the staged table it is a history of, and how."""


@dataclass(frozen=True)
class BuiltMonth:
    """One month of one fact, as it was written."""

    table: Table
    month: str
    rows: int
    energy_kwh: float | None


def pending_months(lakes: Lakes) -> list[str]:
    """The months that were touched since the facts were built, in order; `none` for sessions without a month."""
    marks = [lakes.published.mark(table, BUILT) for table in MONTHLY_FACTS]
    built = min(mark or 0 for mark in marks)
    months = lakes.published.scan(TOUCHED_MONTH).filter(pl.col("number") > built).select("month").unique()
    return sorted(months.collect()["month"])


def build_pending_months(lakes: Lakes, time_zone: str) -> list[BuiltMonth]:
    """Build the touched months of every fact, and remember that they are built."""
    last = lakes.published.scan(TOUCHED_MONTH).select(pl.col("number").max()).collect().item() or 0
    return build_months(lakes, pending_months(lakes), time_zone, {BUILT: last})


def build_months(
    lakes: Lakes, months: Sequence[str], time_zone: str, marks: Mapping[str, int] | None = None
) -> list[BuiltMonth]:
    """Build these months of every fact anew from the staged sessions. `marks` go with each fact's last commit."""
    if not months:
        return []
    stations = lakes.staging.scan(STAGED_CHARGE_STATION).collect()
    links, locations = station_links(stations), station_locations(stations)
    built: list[BuiltMonth] = []
    batches = list(_batches(months, lakes.staging))
    for batch in batches:
        vouched = marks if batch is batches[-1] else None
        keys = [None if month == NO_MONTH else month for month in batch]
        staged = with_station(lakes.staging.scan(STAGED_SESSION, keys).collect(), links, locations)
        for table, rows in ((FACT_SESSION, fact_session(staged)), (REJECTED_SESSION, rejected_session(staged))):
            lakes.published.replace_months(table, rows, keys, vouched)
            built.extend(_summaries(table, rows, batch))
        slots = pl.concat([_slots(lakes, month, links, locations, time_zone) for month in batch])
        lakes.published.replace_months(FACT_ENERGY, slots, keys, vouched)
        built.extend(_summaries(FACT_ENERGY, slots, batch))
    return built


def build_open_sessions(lakes: Lakes) -> int:
    """Build the sessions still running, where the staged sessions changed. Gives the rows."""

    def build() -> pl.DataFrame:
        stations = lakes.staging.scan(STAGED_CHARGE_STATION).collect()
        running = lakes.staging.scan(STAGED_SESSION).filter("is_open").collect()
        return open_session(with_station(running, station_links(stations), station_locations(stations)))

    return _rebuild_if_changed(lakes, OPEN_SESSION, STAGED_SESSION, build)


def build_dimension(lakes: Lakes, table: Table) -> int:
    """Build a dimension's history, where its staged table changed. Gives the rows."""
    source, history = DIMENSIONS[table]
    return _rebuild_if_changed(lakes, table, source, lambda: history(lakes.staging.scan(source).collect()))


def build_coverage(lakes: Lakes, raw_log: RawLog, first_month_at: datetime, as_of: datetime, time_zone: str) -> int:
    """Build the coverage from the records of every reading. Gives the rows."""
    snapshots = [endpoint.table for each in ENDPOINTS.values() for endpoint in each if not endpoint.is_windowed]
    is_snapshot = pl.concat_str("vendor", pl.lit("_"), "endpoint").is_in(snapshots)
    # A list of what stands or runs now is whole once read, whatever bounds it was asked with.
    readings = raw_log.readings().with_columns(pl.when(~is_snapshot).then("from_at").alias("from_at"))
    newest = max([as_of, *readings["as_of"]]) if readings.height else as_of
    first_month = pl.select(month_of(pl.lit(first_month_at), time_zone)).item()
    rows = coverage(readings, first_month, newest, time_zone)
    lakes.published.replace(COVERAGE, rows)
    return rows.height


def publish_warehouse(lakes: Lakes, data: Path) -> Publication:
    """Publish the current version of every table as a DuckDB file, and remove files that nothing names any more."""
    publication = publish(lakes.published, data / DATABASE)
    named = published_files(publication.path)
    for table in PUBLISHED_TABLES:
        lakes.published.tidy(table, named)
    return publication


def _batches(months: Sequence[str], staging: Lake) -> Iterator[list[str]]:
    """Months in groups whose slots fit in memory together."""
    counts = staging.row_counts(STAGED_SESSION)
    batch: list[str] = []
    sessions = 0
    for month in months:
        rows = counts.get(None if month == NO_MONTH else month, 0)
        if batch and sessions + rows > SESSIONS_AT_ONCE:
            yield batch
            batch, sessions = [], 0
        batch.append(month)
        sessions += rows
    yield batch


def _slots(lakes: Lakes, month: str, links: pl.DataFrame, locations: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """The slots of one month, of every session that overlaps it."""
    if month == NO_MONTH:
        return FACT_ENERGY.schema.create_empty()
    sessions = (
        lakes.staging.scan_overlapping(STAGED_SESSION, *month_bounds(month, time_zone))
        .filter(pl.col("reason").is_null() & ~pl.col("is_open"))
        .collect()
    )
    return fact_energy(with_station(sessions, links, locations), time_zone, month)


def _summaries(table: Table, rows: pl.DataFrame, months: Collection[str]) -> list[BuiltMonth]:
    energy = pl.col("energy_kwh").sum().cast(pl.Float64) if table != REJECTED_SESSION else pl.lit(None, pl.Float64)
    by_month = {
        month: (count, kwh)
        for month, count, kwh in rows.group_by("month").agg(pl.len().alias("rows"), energy.alias("kwh")).iter_rows()
    }
    return [BuiltMonth(table, month, *by_month.get(month, (0, None))) for month in months if month != NO_MONTH]


def _rebuild_if_changed(lakes: Lakes, table: Table, source: Table, build: Callable[[], pl.DataFrame]) -> int:
    news = lakes.staging.mark(source, NEWS)
    if news is not None and news == lakes.published.mark(table, NEWS):
        return sum(lakes.published.row_counts(table).values())
    rows = build()
    lakes.published.replace(table, rows, {} if news is None else {NEWS: news})
    return rows.height
