"""`chargehouse status`: what is covered, what is missing, what still runs, and how the last run ended."""

from pathlib import Path

import polars as pl

from pipelines.layout import FORGETTING
from pipelines.locks import LAKE, is_held
from pipelines.raw.raw_log import RawLog
from pipelines.tables.building import unpublished_tables
from pipelines.tables.lakes import Lakes
from pipelines.tables.monthly_facts import pending_months
from pipelines.vendors import LOOK_BACKS
from warehouse.tables import COVERAGE, LATENESS, LOAD_AUDIT, OPEN_SESSION

GAPS = "Gaps: the next refresh reads what the last could not; for older months run `chargehouse backfill`"


def status_text(data: Path) -> tuple[str, bool]:
    """The state of the warehouse as text, and whether it has no gaps, no unfinished erasure and is published."""
    lakes = Lakes.below(data)
    lake = lakes.published
    audit = lake.scan(LOAD_AUDIT).collect()
    if audit.is_empty():
        return "Nothing has been read yet. Run `chargehouse refresh`.", True
    # Rows that an older version wrote have no `is_asked`; they count as asked.
    coverage = lake.scan(COVERAGE).filter(pl.col("is_asked").ne_missing(False)).collect()
    gaps = coverage.filter(pl.col("state") == "gap")
    parts = [
        _last_run(audit, str(RawLog(data).readings()["run_id"].last())),
        _coverage(coverage),
        _gaps(gaps),
        _lateness(lake.scan(LATENESS).collect()),
        _oldest_open(lake.scan(OPEN_SESSION).collect()),
    ]
    faults = _unpublished(lakes, data)
    if (data / FORGETTING).exists():
        faults.append("A `chargehouse forget` did not finish: run the same command again.")
    return "\n\n".join([*parts, *faults]), gaps.is_empty() and not faults


def _unpublished(lakes: Lakes, data: Path) -> list[str]:
    """The tables that a run built and did not publish; none while a run writes, or months still wait to be built."""
    if is_held(data, LAKE) or pending_months(lakes):
        return []
    tables = unpublished_tables(lakes, data)
    if not tables:
        return []
    return [
        f"Not published: {', '.join(sorted(tables))} changed since the publication, because a check failed or the run "
        "was cut off. Run `chargehouse refresh`; if a check fails again, `chargehouse rebuild`."
    ]


def _last_run(audit: pl.DataFrame, run_id: str) -> str:
    """The run that read last, whatever its as-of instant; until it is staged, the one with the newest as-of instant."""
    is_newest = pl.col("as_of") == pl.col("as_of").max()
    last = audit.filter((pl.col("run_id") == run_id) if run_id in audit["run_id"] else is_newest)
    failed = last.filter(pl.col("state") == "failed").height
    verdict = "everything was read" if not failed else f"{failed} of {last.height} lists could not be read"
    return (
        f"Last run as of {last['as_of'][0]:%Y-%m-%d %H:%M} UTC: {verdict}; "
        f"{last['rows_received'].sum():,} rows received, {last['rows_new'].sum():,} new, "
        f"{last['rows_changed'].sum():,} changed."
    )


def _coverage(coverage: pl.DataFrame) -> str:
    """A line for each list: its stretches of months in the same state."""
    if coverage.is_empty():
        return "Coverage: none of the lists read so far is still in use."
    lines = ["Coverage"]
    merged = (
        coverage.group_by("vendor", "endpoint", "month")
        .agg(
            pl.col("state").map_batches(_worst, return_dtype=pl.String, returns_scalar=True),
            pl.col("rows_received").sum(),
        )
        .sort("vendor", "endpoint", "month")
    )
    for (vendor, endpoint), months in merged.group_by("vendor", "endpoint", maintain_order=True):
        stretches = months.with_columns(pl.col("state").rle_id().alias("stretch"))
        texts = [
            f"{state} {_span(first, last)}"
            for _, state, first, last in stretches.group_by("stretch", maintain_order=True)
            .agg(pl.col("state").first(), pl.col("month").first().alias("first"), pl.col("month").last().alias("last"))
            .iter_rows()
        ]
        lines.append(f"  {vendor:<10} {endpoint:<20} {', '.join(texts)}   ({months['rows_received'].sum():,} rows)")
    return "\n".join(lines)


def _worst(states: pl.Series) -> str:
    present = set(states)
    return next(state for state in ("gap", "partial", "never", "complete") if state in present)


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first}..{last}"


def _gaps(gaps: pl.DataFrame) -> str:
    if gaps.is_empty():
        return "Gaps: none."
    rows = gaps.group_by("vendor", "endpoint", "scope", "message", maintain_order=True).agg(
        pl.col("month").min().alias("first"), pl.col("month").max().alias("last")
    )
    lines = [
        f"  {vendor} {endpoint} ({scope}) {_span(first, last)}: {message}"
        for vendor, endpoint, scope, message, first, last in rows.iter_rows()
    ]
    return "\n".join([GAPS, *lines])


def _lateness(lateness: pl.DataFrame) -> str:
    """How much of the look-back late rows have needed so far."""
    late = (
        lateness.filter(pl.col("previous_as_of").is_not_null())
        .group_by("vendor")
        .agg(pl.col("sessions_new", "sessions_late").sum(), pl.col("late_seconds_most").max())
        .sort("vendor")
    )
    if late.is_empty():
        return "Late rows: nothing to report yet; every session came with the first complete reading of its scope."
    lines = ["Late rows: sessions that had ended before a reading, but only a later one found them"]
    for vendor, new, count, most in late.iter_rows():
        worst = f", the latest {most / 86_400:.1f} days" if count else ""
        lines.append(f"  {vendor:<10} {count:,} of {new:,}{worst}; {LOOK_BACKS[vendor]}")
    return "\n".join(lines)


def _oldest_open(running: pl.DataFrame) -> str:
    if running.is_empty():
        return "No session is known to be running."
    oldest = running.sort("started_at").row(0, named=True)
    return (
        f"Running sessions: {running.height:,}; the oldest, {oldest['vendor']} {oldest['session_id']}, since "
        f"{oldest['started_at']:%Y-%m-%d %H:%M} UTC."
    )
