"""The publication: a DuckDB file of views over the exact files of one version of each table.

It is built under another name and renamed over the old one, so a reader keeps the complete state that it opened and
nobody waits for a lock. `ops.published_file` inside it lists every file of the lake that it names.
"""

import os
import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from warehouse.durable_files import flush, make_folder
from warehouse.errors import LakeError, PublicationError, reason
from warehouse.lake import Lake
from warehouse.quoting import literal
from warehouse.snapshot import DataFile, Snapshot, refuse_lost_files
from warehouse.tables import PUBLISHED_TABLES
from warehouse.tables.table import Table
from warehouse.views import comment_statements, view_statement

STORAGE_VERSION = "v1.0.0"
"""The oldest storage version that DuckDB 2.0 writes: DuckDB 1.x does not open files of a newer one."""

BUILDING = "building"

PUBLISHED_FILE_STATEMENTS = (
    "CREATE TABLE ops.published_file (table_name VARCHAR, table_version BIGINT, month VARCHAR, rows BIGINT, "
    "path VARCHAR)",
    "COMMENT ON TABLE ops.published_file IS 'One row per Parquet file of the lake that this publication reads.'",
    "COMMENT ON COLUMN ops.published_file.table_name IS 'Table of the lake.'",
    "COMMENT ON COLUMN ops.published_file.table_version IS 'Version of the Delta table that is published.'",
    "COMMENT ON COLUMN ops.published_file.month IS 'Month (YYYY-MM) of the rows; NULL if the file has none.'",
    "COMMENT ON COLUMN ops.published_file.rows IS 'Rows in the file. [rows]'",
    "COMMENT ON COLUMN ops.published_file.path IS 'Absolute path of the file.'",
)


@dataclass(frozen=True)
class Publication:
    """What was published."""

    path: Path
    rows: Mapping[str, int]
    """Rows by table name."""
    versions: Mapping[str, int | None]
    """Version of the Delta table by table name; None for a table never written."""
    files: int
    """Number of Parquet files that the views read."""


def publish(lake: Lake, path: str | Path, tables: Collection[Table] = PUBLISHED_TABLES) -> Publication:
    """Publishes the current version of each table at `path`, in place of what is published there.

    Raises:
        PublicationError: the file cannot be built; what was published before stays.
    """
    target = Path(path).absolute()
    make_folder(target.parent)
    remove_abandoned_builds(target)
    aside = target.with_name(f"{target.name}.{os.getpid()}-{uuid.uuid4().hex}.{BUILDING}")
    snapshots = {table: lake.snapshot(table) for table in tables}
    try:
        # Building the views reads no files. Without this check, an untouched month would stay published without rows.
        refuse_lost_files(file for snapshot in snapshots.values() for file in files_of(snapshot))
        build(aside, snapshots)
        flush(aside)
        aside.replace(target)
        flush(target.parent)
    except (duckdb.Error, LakeError, OSError) as error:
        raise PublicationError(
            f"{target} could not be published; fix the cause and run again ({reason(error)})"
        ) from error
    finally:
        remove_build(aside)
    return Publication(
        path=target,
        rows={table.name: sum(file.rows for file in files_of(snapshot)) for table, snapshot in snapshots.items()},
        versions={table.name: None if snapshot is None else snapshot.version for table, snapshot in snapshots.items()},
        files=sum(len(files_of(snapshot)) for snapshot in snapshots.values()),
    )


def published_files(path: str | Path) -> set[str]:
    """The absolute paths of the lake's files that the publication at `path` names; none where nothing is published.

    Raises:
        PublicationError: there is a file, and it is not a publication.
    """
    return {file for (file,) in _published(path, "path")}


def published_versions(path: str | Path) -> dict[str, int]:
    """The published version of each table that has rows, by name; none where nothing is published.

    Raises:
        PublicationError: there is a file, and it is not a publication.
    """
    return dict(_published(path, "DISTINCT table_name, table_version"))


def _published(path: str | Path, columns: str) -> list[tuple[Any, ...]]:
    target = Path(path).absolute()
    if not target.exists():
        return []
    try:
        with duckdb.connect(":memory:") as connection:
            connection.execute(f"ATTACH {literal(str(target))} AS publication (READ_ONLY)")
            return connection.execute(f"SELECT {columns} FROM publication.ops.published_file").fetchall()
    except duckdb.Error as error:
        raise PublicationError(f"{target} is not a published warehouse; move it away ({reason(error)})") from error


def build(path: Path, snapshots: Mapping[Table, Snapshot | None]) -> None:
    """Make the DuckDB file at `path`: a view of each table over the files of its snapshot, with comments, and
    `ops.published_file`. A table without a snapshot is an empty view."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"ATTACH {literal(str(path))} AS publication (STORAGE_VERSION {literal(STORAGE_VERSION)})")
        connection.execute("USE publication")
        connection.execute("BEGIN TRANSACTION")
        connection.execute("CREATE SCHEMA ops")
        for table, snapshot in snapshots.items():
            connection.execute(view_statement(table, snapshot))
            for statement in comment_statements(table):
                connection.execute(statement)
        for statement in PUBLISHED_FILE_STATEMENTS:
            connection.execute(statement)
        # In one insert: a statement for each file of a long history would take longer than everything else.
        connection.register("named_file", published_file_rows(snapshots))
        connection.execute("INSERT INTO ops.published_file SELECT * FROM named_file")
        connection.execute("COMMIT")
        connection.execute("USE memory")
        # Detaching writes what is still in the write-ahead log into the file, so the file alone is the publication.
        connection.execute("DETACH publication")


def published_file_rows(snapshots: Mapping[Table, Snapshot | None]) -> pl.DataFrame:
    """The rows of `ops.published_file`."""
    rows = [
        (table.name, snapshot.version, file.month, file.rows, file.path)
        for table, snapshot in snapshots.items()
        if snapshot is not None
        for file in snapshot.files
    ]
    columns = {"table_name": pl.String, "table_version": pl.Int64, "month": pl.String, "rows": pl.Int64}
    return pl.DataFrame(rows, schema={**columns, "path": pl.String}, orient="row")


def remove_abandoned_builds(target: Path) -> None:
    """Removes builds that killed runs left beside the publication; the build of another live process is left alone.

    A build with the id of this process is from an earlier process: in a container every run has the same process id.
    """
    name = re.compile(rf"{re.escape(target.name)}\.(\d+)-.*\.{BUILDING}")
    for path in target.parent.glob(f"*.{BUILDING}"):
        found = name.fullmatch(path.name)
        if found and (int(found[1]) == os.getpid() or not is_running(int(found[1]))):
            remove_build(path)


def remove_build(path: Path) -> None:
    """Remove an unfinished build and its write-ahead log, if they exist."""
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.wal").unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether a process with this id is alive, whoever owns it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def files_of(snapshot: Snapshot | None) -> tuple[DataFile, ...]:
    """The files of a snapshot; none for a table that was never written."""
    return () if snapshot is None else snapshot.files
