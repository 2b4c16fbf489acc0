"""A small warehouse in which the claim of every check holds, written through the lake, and ways to damage it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipelines.raw.positions import Positions
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.readings import Reading, readings_table
from pipelines.settings import Settings, load_settings
from pipelines.tables.building import build_dimension, build_open_sessions
from pipelines.tables.lakes import CONSUMED, Lakes
from pipelines.tables.monthly_facts import build_months
from pipelines.tables.quality import measure_months
from sandbox.environment import environment
from sandbox.settings import Settings as SandboxSettings
from transforms.months import months_between
from warehouse.column_types import polars_schema
from warehouse.tables import (
    COVERAGE,
    DIM_CHARGE_STATION,
    DIM_LOCATION,
    LOAD_AUDIT,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
    STAGED_SESSION,
    VOCABULARY,
)
from warehouse.tables.table import Table

RUN = "6c7a3c1e-0000-4000-8000-000000000001"
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
AS_OF = datetime(2026, 4, 10, tzinfo=UTC)
MONTHS = months_between("2025-08", "2026-04")
DAYS_A_MONTH = 28
SESSIONS = 2 * (8 * DAYS_A_MONTH + 9 + 8)
"""Rows of fact_session: per vendor one a day, nine in the current month, and one from each month into the next."""
LISTS = (
    ("zaptec", "installations"),
    ("zaptec", "chargers"),
    ("zaptec", "sessions"),
    ("greenflux", "locations"),
    ("greenflux", "charge_stations"),
    ("greenflux", "cdrs"),
)
SESSION_LISTS = {"zaptec": "sessions", "greenflux": "cdrs"}
REPEATS = 7
"""Rows received, per vendor, of sessions that were already known."""


def house_settings(data: Path) -> Settings:
    """Zaptec and GreenFlux are on, the other two are not."""
    variables = environment("http://127.0.0.1:9000", SandboxSettings(), [])
    on = {name: value for name, value in variables.items() if name.startswith(("ZAPTEC", "GREENFLUX"))}
    return load_settings({**on, "CHARGEHOUSE_DATA": str(data), "CHARGEHOUSE_TIME_ZONE": "UTC"}, data / ".env")


def build_house(data: Path) -> None:
    """Build eight months and a bit of two vendors, one session a day each, from the staged tables on."""
    lakes = Lakes.below(data)
    staged = sessions()
    lakes.staging.replace(STAGED_LOCATION, _objects(STAGED_LOCATION, location_id="L1"))
    stations = _objects(STAGED_CHARGE_STATION, location_id="L1", station_id="S1")
    connector = pl.struct(evse_uid=pl.lit("E1"), connector_id=pl.lit("1"))
    lakes.staging.replace(
        STAGED_CHARGE_STATION,
        stations.with_columns(
            pl.concat_list(connector).cast(polars_schema(STAGED_CHARGE_STATION)["connectors"]).alias("connectors")
        ),
    )
    lakes.staging.replace_months(STAGED_SESSION, staged, set(staged["month"]))
    for table in (DIM_LOCATION, DIM_CHARGE_STATION):
        build_dimension(lakes, table)
    build_open_sessions(lakes)
    build_months(lakes, MONTHS, "UTC")
    measure_months(lakes, MONTHS, "UTC")
    lakes.published.replace(COVERAGE, _coverage())
    lakes.published.replace(VOCABULARY, vocabulary(("zaptec", "sessions", "field", "id", True, AS_OF)))
    raw_log = RawLog(data)
    received = {place: _received(staged, *place) for place in LISTS}
    readings = [
        Reading(RUN, AS_OF, vendor, endpoint, "all", "refresh", "complete", None, AS_OF, rows_received=rows)
        for (vendor, endpoint), rows in received.items()
    ]
    raw_log.append({READINGS: [readings_table(readings)]}, Positions(), ["zaptec", "greenflux"])
    newest = raw_log.newest_load()
    assert newest is not None
    lakes.published.replace(LOAD_AUDIT, _audit(received), {CONSUMED: newest})


def sessions() -> pl.DataFrame:
    """For each vendor, a session of two hours at noon of every day, one that still runs and one void."""
    rows = [row for vendor in SESSION_LISTS for row in _sessions_of(vendor)]
    return pl.DataFrame(rows, schema=polars_schema(STAGED_SESSION))


def vocabulary(*rows: tuple[str, str, str, str, bool, datetime]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=polars_schema(VOCABULARY), orient="row")


def rewrite(data: Path, table: Table, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change the rows of a table behind everybody's back."""
    lake = Lakes.below(data).published
    mark = lake.mark(table, CONSUMED)
    before = lake.scan(table).collect()
    rows = change(before)
    if table.partitioned_by_month:
        months = {*before["month"], *rows["month"]}
        is_of = {month: pl.col("month").eq_missing(pl.lit(month, pl.String)) for month in months}
        changed = {month for month in months if not before.filter(is_of[month]).equals(rows.filter(is_of[month]))}
        is_changed = pl.any_horizontal([pl.lit(False), *(is_of[month] for month in changed)])
        lake.replace_months(table, rows.filter(is_changed), changed)
    else:
        lake.replace(table, rows, {} if mark is None else {CONSUMED: mark})


def spoil(data: Path, table: Table, **changes: pl.Expr) -> None:
    """Give columns of the table other values, and change nothing else."""
    rewrite(data, table, lambda rows: rows.with_columns(**changes))


def where(condition: pl.Expr, value: object, column: str) -> pl.Expr:
    """The column, with this value where the condition holds."""
    return pl.when(condition).then(pl.lit(value)).otherwise(pl.col(column))


def measure_again(data: Path) -> None:
    measure_months(Lakes.below(data), MONTHS, "UTC")


def _sessions_of(vendor: str) -> Iterator[dict[str, object]]:
    for month in MONTHS:
        first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
        for day in range(DAYS_A_MONTH if month < MONTHS[-1] else AS_OF.day - 1):
            noon = first + timedelta(days=day, hours=12)
            yield _session(vendor, f"{vendor}-{noon:%Y%m%d}", noon, noon + timedelta(hours=2))
        if month > MONTHS[0]:
            # A session from one month into the next.
            last_night = first - timedelta(hours=1)
            yield _session(vendor, f"{vendor}-{first:%Y%m}-night", last_night, first + timedelta(hours=1))
    yield {**_session(vendor, f"{vendor}-open", AS_OF - timedelta(hours=1), None), "is_open": True}
    void = _session(vendor, f"{vendor}-void", AS_OF - timedelta(days=2), AS_OF - timedelta(days=2))
    yield {**void, "reason": "void", "payload": "{}"}


def _session(vendor: str, session_id: str, started_at: datetime, ended_at: datetime | None) -> dict[str, object]:
    return {
        "vendor": vendor,
        "session_id": session_id,
        "month": f"{started_at:%Y-%m}",
        "scope": "all",
        "is_open": False,
        "started_at": started_at,
        "ended_at": ended_at,
        "energy_kwh": 10.0,
        "energy_source": "reported",
        "status": "completed",
        "station_id": "S1",
        "connector_id": "1",
        "location_id": "L1",
        "requested_at": AS_OF,
        "read_at": AS_OF,
        "first_read_at": AS_OF,
        "content_hash": 0,
    }


def _objects(table: Table, **columns: str) -> pl.DataFrame:
    row = {"version_at": AS_OF - timedelta(days=400), "is_clocked": True, "read_at": AS_OF, **columns}
    row["requested_at"] = AS_OF
    return pl.DataFrame([{**row, "vendor": vendor} for vendor in SESSION_LISTS], schema=polars_schema(table))


def _received(staged: pl.DataFrame, vendor: str, endpoint: str) -> int:
    if SESSION_LISTS[vendor] != endpoint:
        return 1
    return staged.filter(pl.col("vendor") == vendor).height + REPEATS


def _audit(received: dict[tuple[str, str], int]) -> pl.DataFrame:
    rows = [
        {
            "run_id": RUN,
            "as_of": AS_OF,
            "vendor": vendor,
            "endpoint": endpoint,
            "scope": "all",
            "state": "complete",
            "rows_received": rows,
            "rows_new": rows - repeats,
            "rows_changed": repeats // 2,
            "rows_unchanged": repeats - repeats // 2,
            "rows_rejected": int(endpoint in SESSION_LISTS.values()),
            "requests": 1,
            "retries": 0,
        }
        for (vendor, endpoint), rows in received.items()
        for repeats in [REPEATS if SESSION_LISTS[vendor] == endpoint else 0]
    ]
    return pl.DataFrame(rows, schema=polars_schema(LOAD_AUDIT))


def _coverage() -> pl.DataFrame:
    rows = [
        {
            "vendor": vendor,
            "endpoint": endpoint,
            "scope": "all",
            "month": month,
            "state": "complete",
            "rows_received": 1,
            "read_at": AS_OF,
            "is_asked": True,
        }
        for vendor, endpoint in LISTS
        for month in MONTHS
    ]
    return pl.DataFrame(rows, schema=polars_schema(COVERAGE))
