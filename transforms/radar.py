"""What the vendors are about to change or remove, and how much of it has not been read."""

from datetime import datetime, timedelta

import polars as pl

from transforms.months import month_bounds
from warehouse.tables.operations import VendorRadar

HORIZON = timedelta(days=90)
"""How far ahead the radar looks: long enough to notice the warning and to read two years again from any vendor."""

_ENDPOINT = ["vendor", "endpoint"]
_SCOPE = [*_ENDPOINT, "scope"]


def vendor_radar(
    endpoints: pl.DataFrame,
    readings: pl.DataFrame,
    coverage: pl.DataFrame,
    held: pl.DataFrame,
    as_of: datetime,
    time_zone: str,
) -> pl.DataFrame:
    """One row per endpoint in use, matching VendorRadar.

    `endpoints`: vendor, endpoint, api_version, announced, announced_source_url, kept_months (NULL: no limit is known).
    `readings`: the reading records of all windows. `coverage`: Coverage rows. `held`: vendor, ended_at of every session
    in the lake. `as_of`: the run's now, from which the limits and the 90 days are counted.
    """
    known = (
        endpoints.with_columns(pl.lit(as_of).alias("as_of"))
        .with_columns(
            pl.when(pl.col("kept_months").is_not_null())
            .then(pl.col("as_of").dt.offset_by(pl.format("-{}mo", pl.col("kept_months").fill_null(0))))
            .dt.cast_time_unit("us")
            .alias("oldest_available_at")
        )
        .join(_newest_headers(readings), on=_ENDPOINT, how="left")
    )
    removed = _removed_months(known, coverage, as_of, time_zone)
    return VendorRadar.cast(
        known.join(removed, on=_ENDPOINT, how="left")
        .join(_held_counts(known, held), on=_ENDPOINT, how="left")
        .with_columns(
            pl.col("months_at_risk", "months_lost").fill_null(0),
            # An endpoint without a month at risk has exactly 0 rows at risk, not an unknown number.
            rows_at_risk=pl.when(pl.col("months_at_risk").fill_null(0) == 0).then(0).otherwise("rows_at_risk"),
        )
        .select(VendorRadar.column_names())
        .sort(_ENDPOINT)
    )


def _newest_headers(readings: pl.DataFrame) -> pl.DataFrame:
    """The headers seen in the newest run that asked each endpoint, even if the reading failed."""
    return (
        readings.filter(pl.col("as_of") == pl.col("as_of").max().over(_ENDPOINT))
        .group_by(_ENDPOINT)
        .agg(
            pl.col("as_of").max().alias("seen_at"),
            pl.col("deprecated_at", "sunset_at").min(),
            pl.col("retirement_url").drop_nulls().first(),
        )
    )


def _removed_months(known: pl.DataFrame, coverage: pl.DataFrame, as_of: datetime, time_zone: str) -> pl.DataFrame:
    """By endpoint: months_at_risk, months_lost, rows_at_risk."""
    bounds = pl.DataFrame(
        [(month, *month_bounds(month, time_zone)) for month in coverage["month"].unique()],
        schema={"month": pl.String, "begins_at": pl.Datetime("us", "UTC"), "ends_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    # An endpoint that is shut down takes every month with it. A month that is gone already is lost, not at risk.
    goes_whole = (pl.col("sunset_at") < as_of + HORIZON).fill_null(False)
    is_leaving = (pl.col("begins_at") < pl.col("oldest_available_at") + HORIZON).fill_null(False)
    is_gone = (pl.col("ends_at") <= pl.col("oldest_available_at")).fill_null(False)
    complete_rows = pl.col("rows_received").filter(pl.col("state") == "complete")
    months = (
        coverage.filter("is_asked")
        .join(known.select(*_ENDPOINT, "oldest_available_at", "sunset_at"), on=_ENDPOINT)
        .join(bounds, on="month")
        .with_columns(
            complete_rows.mean().over(_SCOPE).alias("rows_of_a_month"), (pl.col("state") != "complete").alias("is_open")
        )
        .with_columns(
            at_risk=pl.col("is_open") & ~is_gone & (goes_whole | is_leaving),
            lost=pl.col("is_open") & is_gone,
            expected=(pl.col("rows_of_a_month") - pl.col("rows_received")).clip(lower_bound=0),
        )
    )
    at_risk = pl.col("expected").filter(pl.col("at_risk"))
    return months.group_by(_ENDPOINT).agg(
        pl.col("at_risk").sum().cast(pl.Int64).alias("months_at_risk"),
        pl.col("lost").sum().cast(pl.Int64).alias("months_lost"),
        pl.when(~at_risk.is_null().any()).then(at_risk.sum().ceil().cast(pl.Int64)).alias("rows_at_risk"),
    )


def _held_counts(known: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """By endpoint with a known limit: sessions_leaving, sessions_only_here."""
    limited = known.filter(pl.col("oldest_available_at").is_not_null()).select(*_ENDPOINT, "oldest_available_at")
    is_beyond = pl.col("ended_at") < pl.col("oldest_available_at")
    is_leaving = ~is_beyond & (pl.col("ended_at") < pl.col("oldest_available_at") + HORIZON)
    return (
        limited.join(held, on="vendor", how="left")
        .group_by(_ENDPOINT)
        .agg(
            is_leaving.fill_null(False).sum().cast(pl.Int64).alias("sessions_leaving"),
            is_beyond.fill_null(False).sum().cast(pl.Int64).alias("sessions_only_here"),
        )
    )
