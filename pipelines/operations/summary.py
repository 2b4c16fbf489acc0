"""What a run prints at its end: what came in, what the warehouse holds, and where to look next."""

from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import polars as pl

from pipelines.layout import DATABASE
from pipelines.raw.raw_log import RawLog
from pipelines.tables.lakes import Lakes
from pipelines.vendors import ENDPOINTS
from warehouse.query import query, render
from warehouse.tables import LOAD_AUDIT, TOUCHED_MONTH

_VENDOR_COLUMNS = "".join(f"sum(energy_kwh) FILTER (vendor = '{vendor}') AS {vendor}_kwh, " for vendor in ENDPOINTS)
ENERGY_BY_MONTH = f"""
    SELECT month, {_VENDOR_COLUMNS}sum(energy_kwh) AS all_kwh
    FROM fact_energy GROUP BY month ORDER BY month
"""


def received(data: Path, run_id: str, as_of: datetime, vendors: Collection[str]) -> str:
    """Rows that a run received, by vendor, and how many were new or changed. `vendors`: those that it read."""
    audit = (
        Lakes.below(data)
        .published.scan(LOAD_AUDIT)
        .filter(pl.col("run_id") == run_id)
        .group_by("vendor")
        .agg(pl.col("rows_received", "rows_new", "rows_changed", "rows_unchanged", "requests").sum())
        .sort("vendor")
        .collect()
    )
    if audit.is_empty():
        return _unstaged(RawLog(data), run_id, as_of, vendors)
    lines = [
        f"  {vendor:<10} {rows:>9,} rows received: {new:,} new, {changed:,} changed, {unchanged:,} unchanged "
        f"({requests:,} requests)"
        for vendor, rows, new, changed, unchanged, requests in audit.iter_rows()
    ]
    return "\n".join(lines)


def _unstaged(raw_log: RawLog, run_id: str, as_of: datetime, vendors: Collection[str]) -> str:
    """What a run read that ended before it staged any of it."""
    readings = raw_log.readings().filter(pl.col("run_id") == run_id)
    if not readings.is_empty():
        return f"{readings['rows_received'].sum():,} rows received and kept in the raw log; the next run stages them."
    watermarks = raw_log.positions().watermarks
    read_to = max((at for (vendor, _, _), at in watermarks.items() if vendor in vendors), default=as_of)
    if read_to <= as_of:
        return "Nothing was read."
    # Watermarks from a clock that was once wrong must not keep everything out silently.
    return f"Nothing was read: an earlier run already read up to {read_to:%Y-%m-%d %H:%M:%S} UTC, which is later."


def has_read(data: Path, run_id: str) -> bool:
    """Whether a run has asked a vendor for anything."""
    return run_id in RawLog(data).readings()["run_id"]


def healed(data: Path, run_id: str, kind: str) -> str:
    """The months in which a run found what earlier ones had missed, and why; and the lists of other objects than
    sessions in which something was new or changed. `kind` is that of the run's question: what is new to a reconcile has
    come since the last reading, but what is new to a backfill was missed."""
    published = Lakes.below(data).published
    differing = pl.col("reason").is_in(["late", "corrected", "station", *(["new"] if kind == "backfill" else [])])
    months = (
        published.scan(TOUCHED_MONTH)
        .filter(pl.col("run_id") == run_id, differing)
        .group_by("month")
        .agg(pl.col("reason").sort().str.join(", "))
        .sort("month")
        .collect()
    )
    audit = published.scan(LOAD_AUDIT).filter(pl.col("run_id") == run_id).collect()
    where = "in what could be read" if "failed" in audit["state"] else "from what was known"
    heading = f"Healed: no session differed {where}." if months.is_empty() else "Healed"
    lines = [f"  {month}    {reasons}" for month, reasons in months.iter_rows()]
    return "\n".join([heading, *lines, *_other_news(audit)])


def _other_news(audit: pl.DataFrame) -> list[str]:
    """The lists of objects that are no sessions, with how many were new or changed, where any was."""
    of_sessions = [endpoint.table for each in ENDPOINTS.values() for endpoint in each if endpoint.started_field]
    news = (
        audit.filter(~pl.concat_str("vendor", pl.lit("_"), "endpoint").is_in(of_sessions))
        .group_by("vendor", "endpoint")
        .agg(pl.col("rows_new", "rows_changed").sum())
        .filter(pl.col("rows_new") + pl.col("rows_changed") > 0)
        .sort("vendor", "endpoint")
    )
    return [
        f"  {vendor} {endpoint}: {new:,} new, {changed:,} changed" for vendor, endpoint, new, changed in news.rows()
    ]


def energy_by_month(data: Path) -> str:
    """kWh by month and vendor, as a table."""
    return render(query(data / DATABASE, ENERGY_BY_MONTH))


def counted(data: Path) -> str:
    """The number of sessions in fact_session and their total energy, in words."""
    if not (data / DATABASE).exists():
        return "nothing published"
    [(sessions, energy_kwh)] = query(data / DATABASE, "SELECT count(*), sum(energy_kwh) FROM fact_session").rows
    return f"{sessions:,} sessions, {energy_kwh or 0:,} kWh"


def where_to_look(data: Path) -> str:
    """Where the result is and how to look at it."""
    return "\n".join(
        [
            f"  the warehouse      {data / DATABASE}",
            '  query it           .venv/bin/chargehouse sql "SELECT * FROM fact_session LIMIT 5"',
            "  what is covered    .venv/bin/chargehouse status",
            "  Dagster's web UI   make ui",
            "  what columns mean  docs/data-dictionary.md",
        ]
    )
