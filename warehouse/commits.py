"""One atomic change of a table: files removed, files added and marks set, in a single entry of the Delta log."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from warehouse.column_types import delta_schema
from warehouse.data_files import write_data_files
from warehouse.durable_files import flush, make_folder
from warehouse.errors import LakeError, reason
from warehouse.snapshot import DataFile, remove_action, scan_files, take_snapshot
from warehouse.tables.table import Table

MOST_ATTEMPTS = 20
"""How many attempts a commit makes when other writers of the table keep committing first."""


def commit(
    table: Table,
    folder: Path,
    delta: DeltaTable | None,
    rows: pl.DataFrame,
    replaces: Callable[[DataFile], bool],
    marks: Mapping[str, int] | None,
) -> None:
    """Replaces the files for which `replaces` is true with the conforming rows; creates the table where there is none.

    Commits that other writers make meanwhile are kept, as long as they change neither the files nor the marks that
    this commit replaces.

    Raises:
        LakeError: the disk cannot be written, another writer was in conflict, or a stored column has another type than
            the declared one.
    """
    schema = delta_schema(table)
    partition_by = ["month"] if table.partitioned_by_month else []
    # Delta Lake's own retries would overlook a new file that this commit ought to replace, and would refuse a writer of
    # another month: `rebased` decides instead.
    properties = CommitProperties(
        max_commit_retries=0,
        app_transactions=[Transaction(name, value) for name, value in (marks or {}).items()],
    )
    try:
        delta = delta or create(table, folder, schema, partition_by)
        added = write_data_files(folder, table, rows)
        for attempt in range(1, MOST_ATTEMPTS + 1):
            files = take_snapshot(delta, folder).files
            removed = [file for file in files if replaces(file)]
            actions: list[AddAction | RemoveAction] = [*added]
            mode = "append"
            if is_outdated(table, delta.schema(), schema):
                # Only an overwrite may change the schema, and it removes every file: the files to keep are rewritten.
                mode = "overwrite"
                for file in files:
                    if file not in removed:
                        actions += write_data_files(folder, table, scan_files(table, [file]).collect())
            else:
                actions += [remove_action(file, folder, table.partitioned_by_month) for file in removed]
            # `delta` is not updated by its own commit. Without retries, that commit is the next version or fails.
            version = delta.version() + 1
            try:
                delta.create_write_transaction(actions, mode, schema, partition_by, commit_properties=properties)
                break
            except CommitFailedError:
                if attempt == MOST_ATTEMPTS:
                    raise
                delta = rebased(delta, folder, removed, replaces, marks or {})
        flush_log(folder, version)
    except (DeltaError, OSError) as error:
        raise LakeError(
            f"{table.name}: not written, the stored version is unchanged; run again ({reason(error)})"
        ) from error


def rebased(
    delta: DeltaTable,
    folder: Path,
    removed: Collection[DataFile],
    replaces: Callable[[DataFile], bool],
    marks: Collection[str],
) -> DeltaTable:
    """The version that another writer committed. Raises CommitFailedError if it changed what this commit replaces."""
    current = DeltaTable(str(folder))
    before = {file.path for file in removed}, [delta.transaction_version(name) for name in marks]
    now = (
        {file.path for file in take_snapshot(current, folder).files if replaces(file)},
        [current.transaction_version(name) for name in marks],
    )
    if now != before:
        raise CommitFailedError("another writer changed the same rows or marks")
    return current


def create(table: Table, folder: Path, schema: Schema, partition_by: list[str]) -> DeltaTable:
    """An empty table, or the one that another writer created at the same time."""
    make_folder(folder)
    try:
        create_table_with_add_actions(str(folder), schema, [], partition_by=partition_by, name=table.name)
    except DeltaError:
        if not DeltaTable.is_deltatable(str(folder)):
            raise
    flush_log(folder, 0)
    flush(folder)
    return DeltaTable(str(folder))


def is_outdated(table: Table, stored: Schema, declared: Schema) -> bool:
    """Whether another version of Chargehouse wrote the table with columns other than those declared today.

    Raises:
        LakeError: a column has another type, so its values cannot be carried over.
    """
    stored_types = {field.name: str(field.type) for field in stored.fields}
    declared_types = {field.name: str(field.type) for field in declared.fields}
    changed = [name for name, kind in declared_types.items() if stored_types.get(name, kind) != kind]
    if changed:
        raise LakeError(
            f"{table.name}: stored with another type than declared: {', '.join(changed)}; remove the table's folder "
            "and run `chargehouse rebuild`"
        )
    return stored_types.keys() != declared_types.keys()


def flush_log(folder: Path, version: int) -> None:
    """Forces the version's log entry to the disk, and the checkpoint that Delta Lake made of it, if any."""
    log = folder / "_delta_log"
    flush(log / f"{version:020d}.json")
    checkpoint = log / f"{version:020d}.checkpoint.parquet"
    if checkpoint.exists():
        flush(checkpoint)
        flush(log / "_last_checkpoint")
    flush(log)
