"""From the staged tables to the published ones that are not kept by month (the sessions still running, the dimensions,
the coverage), and their publication.

The sessions still running and each dimension record, in the commit that replaces them, from which change (NEWS) of
their staged tables they were built: a run rebuilds them if that is not the newest. The coverage is always rebuilt."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import xor
from pathlib import Path

import polars as pl

from pipelines.layout import DATABASE
from pipelines.raw.questions import first_month
from pipelines.raw.raw_log import RawLog
from pipelines.settings import Settings
from pipelines.tables.lakes import NEWS, Lakes, row_count
from pipelines.vendors import ENDPOINTS
from pipelines.vendors.announcements import endpoints_in_use
from transforms.coverage import coverage
from transforms.history import dim_charge_station, dim_connector, dim_location, dim_user, dim_vehicle
from transforms.months import month_at
from transforms.sessions import open_session
from transforms.stations import station_links, station_locations, with_station
from warehouse.errors import PublicationError
from warehouse.publication import Publication, publish, published_files, published_versions
from warehouse.tables import (
    COVERAGE,
    DIM_CHARGE_STATION,
    DIM_CONNECTOR,
    DIM_LOCATION,
    DIM_USER,
    DIM_VEHICLE,
    OPEN_SESSION,
    PUBLISHED_TABLES,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
    STAGED_SESSION,
    STAGED_USER,
    STAGED_VEHICLE,
)
from warehouse.tables.table import Table

DIMENSIONS: Mapping[Table, tuple[Table, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    DIM_LOCATION: (STAGED_LOCATION, dim_location),
    DIM_CHARGE_STATION: (STAGED_CHARGE_STATION, dim_charge_station),
    DIM_CONNECTOR: (STAGED_CHARGE_STATION, dim_connector),
    DIM_VEHICLE: (STAGED_VEHICLE, dim_vehicle),
    DIM_USER: (STAGED_USER, dim_user),
}
"""Each dimension with the staged table whose history it holds, and the function that builds it."""


def build_open_sessions(lakes: Lakes) -> int:
    """Build the sessions still running, if the staged sessions or stations changed. Returns the number of rows."""

    def build() -> pl.DataFrame:
        stations = lakes.staging.scan(STAGED_CHARGE_STATION).collect()
        running = lakes.staging.scan(STAGED_SESSION).filter("is_open").collect()
        return open_session(with_station(running, station_links(stations), station_locations(stations)))

    return _rebuild_if_changed(lakes, OPEN_SESSION, (STAGED_SESSION, STAGED_CHARGE_STATION), build)


def build_dimension(lakes: Lakes, table: Table) -> int:
    """Build a dimension's history, if its staged table changed. Returns the number of rows."""
    source, history = DIMENSIONS[table]
    return _rebuild_if_changed(lakes, table, (source,), lambda: history(lakes.staging.scan(source).collect()))


def build_coverage(settings: Settings, lakes: Lakes, raw_log: RawLog, as_of: datetime) -> int:
    """Build the coverage from the records of every reading. Returns the number of rows."""
    snapshots = [endpoint.table for each in ENDPOINTS.values() for endpoint in each if endpoint.clock is None]
    is_snapshot = pl.concat_str("vendor", pl.lit("_"), "endpoint").is_in(snapshots)
    is_backfill = pl.col("kind") == "backfill"
    is_stretch = is_snapshot & pl.col("from_at").is_not_null()
    of_run = ("run_id", "vendor", "endpoint", "scope")
    is_incomplete = (pl.col("state") == "complete") & (pl.col("state") == "failed").any().over(*of_run)
    # A list of objects that exist or sessions that run now is complete once all its stretches are read, whatever bounds
    # were requested; but a backfill requests only the running sessions that began in its months.
    readings = (
        raw_log.readings()
        .filter(~(is_stretch & (is_backfill | is_incomplete)))
        .with_columns(pl.when(~is_snapshot).then("from_at").alias("from_at"))
    )
    # A backfill reads only its own months: what is new since the last refresh does not become missing through it.
    refreshes = readings.filter(~is_backfill)
    newest = max(refreshes["as_of"], default=as_of)
    first = first_month(settings, as_of)
    lists_in_use = {(endpoint.vendor, endpoint.name) for endpoint in endpoints_in_use(settings)}
    if not settings.vendors:
        # A rebuild needs no account: where none is configured, every list that was ever asked for counts as in use.
        asked_from = refreshes["from_at"].drop_nulls()
        first = month_at(min(asked_from), settings.time_zone) if asked_from.len() else first
        lists_in_use = set(readings.select("vendor", "endpoint").iter_rows())
    rows = coverage(readings, first, newest, settings.time_zone, lists_in_use)
    lakes.published.replace(COVERAGE, rows)
    return rows.height


def publish_warehouse(lakes: Lakes, data: Path) -> Publication:
    """Remove files that nothing names any more, and publish the current version of every table as a DuckDB file.

    Tidying may commit a new version. It comes first, so that `unpublished_tables` finds the newest versions published.
    """
    try:
        named = published_files(data / DATABASE)
    except PublicationError:
        # A publication that cannot be opened names no files, and is replaced.
        named = set()
    for table in PUBLISHED_TABLES:
        lakes.published.tidy(table, named)
    return publish(lakes.published, data / DATABASE)


def forget_damaged(lakes: Lakes) -> None:
    """Forget the published tables that are damaged, so that they are rebuilt."""
    for table in PUBLISHED_TABLES:
        if lakes.published.is_damaged(table):
            lakes.published.forget(table)


def unpublished_tables(lakes: Lakes, data: Path) -> dict[str, int]:
    """The tables that have changed since the publication, by name, with their current version."""
    try:
        published = published_versions(data / DATABASE)
    except PublicationError:
        published = {}
    current = {table: lakes.published.version(table) for table in PUBLISHED_TABLES}
    return {
        table.name: version
        for table, version in current.items()
        # A table without rows has no file that the publication could name.
        if version is not None
        and version != published.get(table.name)
        and (table.name in published or lakes.published.files(table))
    }


def _rebuild_if_changed(lakes: Lakes, table: Table, sources: Sequence[Table], build: Callable[[], pl.DataFrame]) -> int:
    """Rebuild the table, unless none of its staged sources has changed since. Returns the number of rows."""
    told = [news for source in sources if (news := lakes.staging.mark(source, NEWS)) is not None]
    # Random numbers: if one of them changes, so does their XOR.
    news = reduce(xor, told) if told else None
    if news is not None and news == lakes.published.mark(table, NEWS):
        return row_count(lakes.published, table)
    rows = build()
    lakes.published.replace(table, rows, {} if news is None else {NEWS: news})
    return rows.height
