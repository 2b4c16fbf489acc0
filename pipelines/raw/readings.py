"""The record of every reading: which stretch of which list was read, when, and with what result."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import polars as pl
import pyarrow as pa

from pipelines.raw.questions import run_instant
from pipelines.raw.raw_rows import INSTANT

READING_SCHEMA = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("as_of", INSTANT, nullable=False),
        pa.field("vendor", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("scope", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("state", pa.string(), nullable=False),
        pa.field("from_at", INSTANT),
        pa.field("to_at", INSTANT),
        pa.field("rows_received", pa.int64(), nullable=False),
        pa.field("rows_by_month", pa.string()),
        pa.field("requests", pa.int64(), nullable=False),
        pa.field("retries", pa.int64(), nullable=False),
        pa.field("bytes_received", pa.int64(), nullable=False),
        pa.field("message", pa.string()),
        pa.field("deprecated_at", INSTANT),
        pa.field("sunset_at", INSTANT),
        pa.field("retirement_url", pa.string()),
    ]
)


def place_name(vendor: str, endpoint: str, scope: str) -> str:
    """Vendor, endpoint and scope, as people read them."""
    return f"{vendor} {endpoint}" + ("" if scope == "all" else f" ({scope})")


@dataclass(frozen=True)
class Reading:
    """One window: complete with all its rows, or failed with none. Its bounds are on the endpoint's own clock.

    `rows_by_month`: the rows received, by month of that clock, as JSON; None where all count in the first month.
    `deprecated_at`, `sunset_at`, `retirement_url`: what the answers' headers said about the endpoint's retirement.
    """

    run_id: str
    as_of: datetime
    vendor: str
    endpoint: str
    scope: str
    kind: str
    state: Literal["complete", "failed"]
    from_at: datetime | None
    to_at: datetime | None
    rows_received: int = 0
    rows_by_month: str | None = None
    requests: int = 0
    retries: int = 0
    bytes_received: int = 0
    message: str | None = None
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None
    retirement_url: str | None = None

    @property
    def place(self) -> str:
        """Vendor, endpoint and scope, as people read them."""
        return place_name(self.vendor, self.endpoint, self.scope)


def readings_table(readings: list[Reading]) -> pa.Table:
    """The records as rows of the raw log."""
    return pa.Table.from_pylist([vars(reading) for reading in readings], schema=READING_SCHEMA)


def run_as_of(readings: pl.DataFrame, run_id: str) -> datetime:
    """The run's now: that of its readings; if it read nothing, the newest of any run; before any reading, the
    clock's."""
    mine = readings.filter(pl.col("run_id") == run_id)
    told = (mine if mine.height else readings)["as_of"]
    return max(told) if told.len() else run_instant("")
