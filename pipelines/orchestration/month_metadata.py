"""What Dagster shows for each month of the facts: rows, energy, what changed and why, and charts for the newest."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from pipelines.orchestration.column_lineage import lineage_metadata
from pipelines.orchestration.pictures import DAYS, HOURS, as_markdown, heat_map, stacked_bars, week_curve
from pipelines.orchestration.previews import preview, table_preview
from pipelines.orchestration.table_specs import table_key
from pipelines.tables.lakes import Lakes
from pipelines.tables.monthly_facts import BuiltMonth
from transforms.touched import NO_MONTH
from warehouse.tables import FACT_ENERGY, FACT_SESSION, MONTH_QUALITY, REJECTED_SESSION, TOUCHED_MONTH
from warehouse.tables.table import Table

MonthTotals = Mapping[tuple[Table, str], tuple[int, float]]
"""Rows and kWh, by fact and month."""

MonthMetadata = Mapping[tuple[Table, str], Mapping[str, Any]]
"""The metadata that Dagster shows, by fact and month."""

MONTHS_PICTURED = 36
"""How many of the newest months a chart shows: more bars could not be told apart."""


def month_totals(lakes: Lakes, months: Collection[str]) -> MonthTotals:
    """What these months hold now, before they are rebuilt."""
    totals: dict[tuple[Table, str], tuple[int, float]] = {}
    partitions = [month for month in months if month != NO_MONTH]
    counts = lakes.published.row_counts(REJECTED_SESSION)
    for month in partitions:
        if month in counts:
            totals[REJECTED_SESSION, month] = (counts[month], 0.0)
    for table in (FACT_SESSION, FACT_ENERGY):
        by_month = (
            lakes.published.scan(table, partitions)
            .group_by("month")
            .agg(pl.len(), pl.col("energy_kwh").sum().cast(pl.Float64).alias("kwh"))
            .collect()
        )
        for month, rows, kwh in by_month.select("month", "len", "kwh").iter_rows():
            totals[table, month] = (rows, kwh)
    return totals


def metadata_by_month(lakes: Lakes, before: MonthTotals, built: Sequence[BuiltMonth], time_zone: str) -> MonthMetadata:
    """The metadata of each built month of each fact; the newest month's carries lineage, preview and pictures."""
    if not built:
        return {}
    reasons = _reasons(lakes, {each.month for each in built})
    described = {
        (each.table, each.month): _counts(each, before.get((each.table, each.month)), reasons.get(each.month))
        for each in built
    }
    newest = max(each.month for each in built)
    # The web UI keeps this order. Pictures come first, because a preview is taller than the window.
    described[FACT_SESSION, newest]["pictures"] = session_pictures(lakes, newest, time_zone)
    described[FACT_ENERGY, newest]["pictures"] = energy_pictures(lakes, newest, time_zone)
    for table in (FACT_SESSION, FACT_ENERGY, REJECTED_SESSION):
        described[table, newest] |= {
            "preview": table_preview(lakes.published.scan(table, [newest]).drop("payload", strict=False)),
            **lineage_metadata(table),
        }
    return described


def log_months(context: dg.AssetExecutionContext, built: Sequence[BuiltMonth], described: MonthMetadata) -> None:
    """Record each month of each fact as a partition of the fact, where the step does not report it itself."""
    for each in sorted(built, key=lambda one: one.month):
        context.log_event(
            dg.AssetMaterialization(
                table_key(each.table), partition=each.month, metadata=described[each.table, each.month]
            )
        )


def touched_and_why(lakes: Lakes, run_id: str) -> dg.MarkdownMetadataValue:
    """The months that the run's rows touched and why, as a table."""
    touched = lakes.published.scan(TOUCHED_MONTH).filter(pl.col("run_id") == run_id)
    months = touched.group_by("month").agg(pl.col("reason").sort().str.join(", ")).sort("month").collect()
    return preview(months) if months.height else dg.MetadataValue.md("none")


def _reasons(lakes: Lakes, months: Collection[str]) -> dict[str, str]:
    """Why each month was last touched."""
    touched = lakes.published.scan(TOUCHED_MONTH).filter(pl.col("month").is_in(list(months)))
    newest = (
        touched.filter(pl.col("number") == pl.col("number").max().over("month"))
        .group_by("month")
        .agg(pl.col("reason").unique().sort().str.join(", "))
        .collect()
    )
    return dict(newest.select("month", "reason").iter_rows())


def _counts(each: BuiltMonth, before: tuple[int, float] | None, reason: str | None) -> dict[str, Any]:
    rows, kwh = before or (0, 0.0)
    counts: dict[str, Any] = {
        "dagster/partition_row_count": each.rows,
        "rows_change": each.rows - rows,
        "touched_last_because": reason or "requested",
    }
    if each.table != REJECTED_SESSION:
        energy = each.energy_kwh or 0.0
        counts |= {"energy_kwh": energy, "energy_kwh_change": round(energy - kwh, 6)}
    return counts


def session_pictures(lakes: Lakes, month: str, time_zone: str) -> dg.MarkdownMetadataValue:
    """Charts of the sessions by month and vendor, and of when in the week those of one month begin."""
    sessions = lakes.published.scan(FACT_SESSION, [month]).select("started_at").collect()
    begins = by_hour_of_week(sessions.select(at="started_at", amount=pl.lit(1.0)), time_zone)
    return _pictures(
        {
            "Sessions by month": _bars(lakes, "Sessions by month", "sessions", "sessions"),
            "Plug-ins by hour": heat_map(f"Plug-ins by hour and weekday, {month}, {time_zone}", begins, "sessions"),
        }
    )


def energy_pictures(lakes: Lakes, month: str, time_zone: str) -> dg.MarkdownMetadataValue:
    """Charts of the energy by month and vendor, and of one month's energy over the week."""
    slots = (
        lakes.published.scan(FACT_ENERGY, [month])
        .group_by("slot_start_at")
        .agg(pl.col("energy_kwh").sum().cast(pl.Float64))
        .collect()
    )
    energy = by_hour_of_week(slots.select(at="slot_start_at", amount="energy_kwh"), time_zone)
    return _pictures(
        {
            "Energy by month": _bars(lakes, "Energy by month of the session's start", "energy_kwh", "kWh"),
            "Load curve": week_curve(f"Energy by hour of the week, {month}, {time_zone}", energy, "kWh"),
            "Energy by hour": heat_map(f"Energy by hour and weekday, {month}, {time_zone}", energy, "kWh"),
        }
    )


def by_hour_of_week(amounts: pl.DataFrame, time_zone: str) -> list[float]:
    """The sum of `amount` by the hour of the week of `at` in the zone: 168 numbers, from Monday at midnight."""
    local = pl.col("at").dt.convert_time_zone(time_zone)
    hour = (local.dt.weekday().cast(pl.Int64) - 1) * HOURS + local.dt.hour().cast(pl.Int64)
    sums = dict(amounts.group_by(hour=hour).agg(pl.col("amount").sum()).select("hour", "amount").iter_rows())
    return [float(sums.get(each) or 0.0) for each in range(len(DAYS) * HOURS)]


def by_month_and_vendor(quality: pl.DataFrame, column: str) -> tuple[list[str], dict[str, list[float]]]:
    """A column of MonthQuality rows: the newest months in order, and for each vendor its value in each of them."""
    dated = quality.filter(pl.col("month") != NO_MONTH)
    months = sorted(dated["month"].unique())[-MONTHS_PICTURED:]
    values = {
        (vendor, month): value
        for vendor, month, value in dated.select("vendor", "month", pl.col(column).cast(pl.Float64)).iter_rows()
    }
    vendors = sorted({vendor for vendor, _ in values})
    return months, {vendor: [values.get((vendor, month)) or 0.0 for month in months] for vendor in vendors}


def _bars(lakes: Lakes, title: str, column: str, unit: str) -> str:
    months, values = by_month_and_vendor(lakes.published.scan(MONTH_QUALITY).collect(), column)
    return stacked_bars(title, months, values, unit)


def _pictures(pictures: Mapping[str, str]) -> dg.MarkdownMetadataValue:
    """All of them as one entry: the web UI shows anything longer than a few lines only on a click."""
    return dg.MetadataValue.md("\n\n".join(as_markdown(svg, title) for title, svg in pictures.items()))
