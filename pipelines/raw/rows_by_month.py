"""How many rows of a window belong to each month, by the clock that its list is filtered by."""

from datetime import timedelta

import orjson
import polars as pl
import pyarrow as pa

from pipelines.vendors.contract import Endpoint, Window
from transforms.instants import instant_from_epoch_milliseconds, instant_from_iso
from transforms.months import month_at, month_of


def rows_by_month(rows: pa.Table, endpoint: Endpoint, window: Window, time_zone: str) -> str | None:
    """The number of rows (in RAW_SCHEMA) by month, as a JSON object; None where the window lies in one month, or has no
    lower bound.

    Every row counts inside its window: one whose clock lies outside in the nearest month, one whose clock is unreadable
    in the first.
    """
    if endpoint.clock is None or window.from_at is None:
        return None
    last_at = max(window.from_at, window.to_at - timedelta(microseconds=1))
    if month_at(window.from_at, time_zone) == month_at(last_at, time_zone):
        return None
    written = pl.Series("clock", rows.column(f"vendor_{endpoint.clock}"), dtype=pl.String).to_frame()
    clock = pl.coalesce(instant_from_iso(pl.col("clock")), instant_from_epoch_milliseconds(pl.col("clock")))
    inside = clock.fill_null(window.from_at).clip(window.from_at, last_at)
    months = written.select(month_of(inside, time_zone).alias("month")).to_series()
    return orjson.dumps(dict(sorted(months.value_counts().iter_rows()))).decode()
