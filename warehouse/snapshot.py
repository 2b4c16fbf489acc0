"""One version of a table: its exact files, what the Delta log says about each, and their rows."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import DeltaTable
from deltalake.transaction import RemoveAction

from warehouse.column_types import polars_schema
from warehouse.data_files import now_milliseconds
from warehouse.errors import LakeError
from warehouse.tables.table import Table


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a version."""

    path: str
    """Absolute path."""
    month: str | None
    """The partition; None for rows without a month and in a table that is not partitioned."""
    rows: int
    size_bytes: int
    earliest: Mapping[str, datetime]
    """Lower bound of each instant column; a column without statistics is absent."""
    latest: Mapping[str, datetime]
    """Upper bound of each instant column; a column without statistics is absent."""

    def is_whole(self) -> bool:
        """Whether the file exists and has the size that the log gives."""
        path = Path(self.path)
        return path.exists() and path.stat().st_size == self.size_bytes

    def may_overlap(self, from_at: datetime, to_at: datetime) -> bool:
        """False only where the statistics prove that no [started_at, ended_at] in the file meets [from_at, to_at)."""
        started_at = self.earliest.get("started_at")
        ended_at = self.latest.get("ended_at")
        return (started_at is None or started_at < to_at) and (ended_at is None or ended_at >= from_at)


@dataclass(frozen=True)
class Snapshot:
    """What one version of a table consists of. After a newer version replaces it, its files stay until `Lake.tidy`
    removes them: 7 days by default, at once where the caller keeps all readers away.
    """

    version: int
    columns: frozenset[str]
    """The columns that the files hold; fewer than declared when an older Chargehouse wrote them."""
    files: tuple[DataFile, ...]


def take_snapshot(delta: DeltaTable, folder: Path) -> Snapshot:
    """The files of the version that `delta` has loaded, which lie under `folder`, in the order of their paths."""
    # Not DeltaTable.file_uris(): it percent-encodes the folder, so a path with a space or an umlaut cannot be opened.
    actions = pl.DataFrame(delta.get_add_actions()).to_dicts()
    files = [data_file(action, folder) for action in actions]
    return Snapshot(
        version=delta.version(),
        columns=frozenset(field.name for field in delta.schema().fields),
        files=tuple(sorted(files, key=lambda file: file.path)),
    )


def data_file(action: Mapping[str, Any], folder: Path) -> DataFile:
    """The file that an `add` entry of a table's log names; its rows are counted if the entry does not say."""
    path = str(folder / action["path"])
    rows = action["num_records"]
    return DataFile(
        path=path,
        month=(action.get("partition") or {}).get("month"),
        rows=pl.scan_parquet(path, glob=False).select(pl.len()).collect().item() if rows is None else rows,
        size_bytes=action["size_bytes"],
        earliest=instants(action.get("min")),
        latest=instants(action.get("max")),
    )


def instants(bounds: Mapping[str, object] | None) -> dict[str, datetime]:
    """The bounds of the columns that are instants, by column."""
    return {name: value for name, value in (bounds or {}).items() if isinstance(value, datetime)}


def remove_action(file: DataFile, folder: Path, partitioned_by_month: bool) -> RemoveAction:
    """The entry of a commit that removes the file from the table; the file itself stays for readers of old versions."""
    return RemoveAction(
        path=Path(file.path).relative_to(folder).as_posix(),
        data_change=True,
        deletion_timestamp=now_milliseconds(),
        size=file.size_bytes,
        partition_values={"month": file.month} if partitioned_by_month else {},
    )


def refuse_lost_files(files: Iterable[DataFile]) -> None:
    """Checks that every file exists in its full length.

    Raises:
        LakeError: a file is gone or cut short.
    """
    for file in files:
        if not file.is_whole():
            raise LakeError(f"{file.path} is missing or truncated: run `chargehouse rebuild`")


def scan_files(table: Table, files: Collection[DataFile]) -> pl.LazyFrame:
    """The rows of these files in the schema's columns, order and dtypes; a column that a file lacks is NULL.

    Raises:
        LakeError: a file is gone or cut short.
    """
    refuse_lost_files(files)
    schema = polars_schema(table)
    if not files:
        return pl.LazyFrame(schema=schema)
    return pl.scan_parquet(
        [file.path for file in files],
        glob=False,
        schema=schema,
        hive_partitioning=table.partitioned_by_month,
        hive_schema={"month": pl.String()} if table.partitioned_by_month else None,
        missing_columns="insert",
        extra_columns="ignore",
    ).select(schema.names())
