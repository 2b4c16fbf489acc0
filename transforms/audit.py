"""The load audit: what each run received from each list, and how much of it was new or changed."""

import polars as pl

from warehouse.tables.operations import LoadAudit

_PLACE = ["run_id", "vendor", "endpoint", "scope"]
_OUTCOMES = ("new", "changed", "unchanged")
_RECEIVED_COUNTS = [*(f"rows_{outcome}" for outcome in _OUTCOMES), "rows_rejected"]

_AS_OF = pl.col("as_of").max()
_STATE = (
    pl.when((pl.col("state") == "failed").any()).then(pl.lit("failed")).otherwise(pl.lit("complete")).alias("state")
)
_MESSAGE = pl.col("message").drop_nulls().last()


def load_audit(readings: pl.DataFrame, receipts: list[pl.DataFrame]) -> pl.DataFrame:
    """One row per run, endpoint and scope that was read or attempted, matching LoadAudit.

    `readings`: the reading records, one per window. `receipts`: frames of the received rows: run_id, vendor, endpoint,
    scope, outcome (new, changed, unchanged) and is_rejected.
    """
    read = readings.group_by(_PLACE).agg(
        _AS_OF,
        _STATE,
        pl.col("rows_received", "requests", "retries").sum(),
        _MESSAGE,
    )
    received = (
        pl.concat([_empty_receipts(), *receipts])
        .group_by(_PLACE)
        .agg(
            *[(pl.col("outcome") == outcome).sum().cast(pl.Int64).alias(f"rows_{outcome}") for outcome in _OUTCOMES],
            pl.col("is_rejected").sum().cast(pl.Int64).alias("rows_rejected"),
        )
    )
    return (
        read.join(received, on=_PLACE, how="left")
        .with_columns(pl.col(_RECEIVED_COUNTS).fill_null(0))
        .select(LoadAudit.column_names())
        .sort(_PLACE)
    )


def added_up(known: pl.DataFrame, fresh: pl.DataFrame) -> pl.DataFrame:
    """Merges two audits, each matching LoadAudit: counts of the same run, endpoint and scope are added up."""
    return (
        pl.concat([known, fresh])
        .group_by(_PLACE)
        .agg(
            _AS_OF,
            _STATE,
            pl.col("rows_received", *_RECEIVED_COUNTS, "requests", "retries").sum(),
            _MESSAGE,
        )
        .select(LoadAudit.column_names())
        .sort(_PLACE)
    )


def _empty_receipts() -> pl.DataFrame:
    schema = {**dict.fromkeys(_PLACE, pl.String), "outcome": pl.String, "is_rejected": pl.Boolean}
    return pl.DataFrame(schema=schema)
