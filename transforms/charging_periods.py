"""Converts the charging periods of an OCPI CDR into meter points."""

import polars as pl

from transforms.instants import instant_from_iso
from transforms.numbers import finite_number

CHARGING_PERIODS = pl.List(
    pl.Struct(
        {
            "start_date_time": pl.String,
            "dimensions": pl.List(pl.Struct({"type": pl.String, "volume": pl.String})),
        }
    )
)


def period_points(cdrs: pl.DataFrame, ended_at: pl.Expr) -> pl.Series:
    """For each CDR, the list of meter points {at, energy_kwh} from `charging_periods`; NULL if no period gives energy.

    OCPI 2.1.1 CDR object: a period lasts from its start to the next period's start, the last one to the end of the
    session. The first point has zero energy and marks the first start; each later point is at the end of a period and
    has that period's energy (the sum of its ENERGY dimensions, 0 if there are none).
    """
    is_energy = pl.element().struct.field("type").str.to_uppercase() == "ENERGY"
    volumes = pl.col("energies").list.eval(finite_number(pl.element().struct.field("volume")))
    periods = (
        cdrs.select("charging_periods", ended_at=ended_at)
        .with_row_index("cdr")
        .filter(pl.col("charging_periods").list.len() > 0)
        .explode("charging_periods")
        .select(
            "cdr",
            "ended_at",
            start_at=instant_from_iso(pl.col("charging_periods").struct.field("start_date_time")),
            energies=pl.col("charging_periods").struct.field("dimensions").list.filter(is_energy),
        )
        .sort("cdr", "start_at", nulls_last=True, maintain_order=True)
        .with_columns(
            # The last period ends at `ended_at`: a start after it is moved back, so that points stay in time order.
            start_at=pl.when(pl.col("start_at") > pl.col("ended_at")).then("ended_at").otherwise("start_at"),
            has_energy=(pl.col("energies").list.len() > 0).fill_null(False),
        )
        .filter(pl.col("has_energy").any().over("cdr"))
        .with_columns(
            order=pl.int_range(1, pl.len() + 1).over("cdr"),
            at=pl.col("start_at").shift(-1).over("cdr"),
            is_last=pl.int_range(pl.len()).over("cdr") == pl.len().over("cdr") - 1,
            energy_kwh=pl.when("has_energy")
            # One unreadable volume makes the energy of the period unknown, not smaller.
            .then(pl.when(volumes.list.eval(pl.element().is_not_null()).list.all()).then(volumes.list.sum()))
            .otherwise(0.0),
        )
        .with_columns(at=pl.when("is_last").then("ended_at").otherwise("at"))
    )
    first_starts = periods.filter(pl.col("order") == 1).select(
        "cdr", at="start_at", energy_kwh=pl.lit(0.0), order=pl.lit(0, dtype=pl.Int64)
    )
    series = (
        pl.concat([first_starts, periods.select("cdr", "at", "energy_kwh", pl.col("order").cast(pl.Int64))])
        .sort("cdr", "order")
        .group_by("cdr", maintain_order=True)
        .agg(meter_series=pl.struct("at", "energy_kwh"))
    )
    return (
        cdrs.select(pl.row_index("cdr"))
        .join(series, on="cdr", how="left", maintain_order="left")
        .get_column("meter_series")
    )
