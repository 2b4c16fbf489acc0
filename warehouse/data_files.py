"""The Parquet files of the lake: how they are named, written durably, and described to Delta Lake.

Polars writes them and Delta Lake only commits them. That takes half the time of Delta Lake's own writer, or less, and
the files are on the disk before a commit names them.
"""

import json
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
from deltalake.transaction import AddAction

from warehouse.durable_files import flush, make_folder
from warehouse.tables.table import Table

NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
"""Hive's folder name for rows whose partition column is NULL."""


def now_milliseconds() -> int:
    """The clock of the Delta log, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def write_data_files(folder: Path, table: Table, frame: pl.DataFrame) -> list[AddAction]:
    """Writes a conforming frame as one file (one per month where the table is partitioned), flushed to the disk.

    Nothing refers to the files until the returned actions are committed.
    """
    return [_write_data_file(folder, part, values) for values, part in partitions(table, frame)]


def partitions(table: Table, frame: pl.DataFrame) -> Iterator[tuple[dict[str, str | None], pl.DataFrame]]:
    """Splits the frame into one part per file: the value of the partition column, and the rows without that column.

    There is a part for each month, including None; an unpartitioned table has the whole frame as its one part, without
    a value. A frame without rows has no part.
    """
    if frame.is_empty():
        return
    if not table.partitioned_by_month:
        yield {}, frame
        return
    runs = _runs(frame)
    if runs.get_column("value").is_duplicated().any():
        frame = frame.sort("month", maintain_order=True)
        runs = _runs(frame)
    rows = frame.drop("month")
    first = 0
    for length, month in runs.iter_rows():
        # A view: nothing is copied.
        yield {"month": month}, rows.slice(first, length)
        first += length


def _runs(frame: pl.DataFrame) -> pl.DataFrame:
    """The runs of consecutive rows of one month, in order: the month (`value`) and the number of rows (`len`)."""
    return frame.get_column("month").rle().struct.unnest()


def _write_data_file(folder: Path, rows: pl.DataFrame, values: dict[str, str | None]) -> AddAction:
    name = f"part-{uuid.uuid4()}.zstd.parquet"
    parents = [f"{column}={value or NULL_PARTITION}" for column, value in values.items()]
    relative = "/".join([*parents, name])
    path = folder / relative
    make_folder(path.parent)
    rows.write_parquet(path, compression="zstd")
    flush(path)
    flush(path.parent)
    return AddAction(
        path=relative,
        size=path.stat().st_size,
        partition_values=values,
        modification_time=now_milliseconds(),
        data_change=True,
        stats=json.dumps(_statistics(rows)),
    )


def _statistics(rows: pl.DataFrame) -> dict[str, object]:
    """Row count, and the minimum, maximum and NULL count of every instant column, in the Delta protocol's format."""
    instants = [column for column in rows if isinstance(column.dtype, pl.Datetime)]
    ranges = {column.name: (column.min(), column.max()) for column in instants}
    return {
        "numRecords": rows.height,
        "minValues": {name: _log_instant(low) for name, (low, _) in ranges.items() if isinstance(low, datetime)},
        # The log keeps milliseconds: an upper bound that is rounded down would hide rows from a reader that skips
        # files.
        "maxValues": {
            name: _log_instant(high + timedelta(microseconds=999))
            for name, (_, high) in ranges.items()
            if isinstance(high, datetime)
        },
        "nullCount": {column.name: column.null_count() for column in instants},
    }


def _log_instant(instant: datetime) -> str:
    return instant.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
