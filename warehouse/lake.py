"""The lake: every table as a Delta Lake table, and the only place that knows where tables lie.

Each write is one commit of the Delta log, so a reader sees a table before or after it and never in between. A writer
killed at any instant leaves the previous version; the files that it had already written belong to no version, and
`tidy` removes them. Each `Lake` stands for one root: the published tables have one, the staged tables another.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from warehouse.commits import commit
from warehouse.conformity import check_month, conform
from warehouse.durable_files import discard
from warehouse.errors import LakeError, reason
from warehouse.open_table import OpenTable
from warehouse.paths import path_fault
from warehouse.snapshot import DataFile, Snapshot, scan_files
from warehouse.tables.table import Table

RETENTION_HOURS = 7 * 24

MOST_FILES_IN_A_PARTITION = 32
"""Above this many files `tidy` rewrites a partition as one file: every append leaves a small file."""


class Lake:
    """The tables under one root: each lies in `{root}/{table.name}`, a folder per month where it is partitioned.

    Writers of different months of a table do not conflict. If two replace the same rows, or set the same mark, at the
    same time, the later one fails with LakeError.

    Raises:
        LakeError: the root is not a local folder, or its path has a character that engines do not take literally
            (* ? [ = %).
    """

    def __init__(self, root: str | Path) -> None:
        fault = path_fault(str(root)) or path_fault(str(Path(root).resolve()))
        if fault is not None:
            raise LakeError(f"{root}: {fault}")
        self.root = Path(root).resolve()
        self._opened: dict[Table, OpenTable] = {}

    def folder(self, table: Table) -> Path:
        """Where the table lies, whether it exists or not."""
        return self.root / table.name

    def exists(self, table: Table) -> bool:
        """Whether the table was ever written, even if it is empty."""
        with self._readable(table):
            return DeltaTable.is_deltatable(str(self.folder(table)))

    def version(self, table: Table) -> int | None:
        """The current version, 1 after the first write; None for a table never written."""
        delta = self._open(table)
        return None if delta is None else delta.version()

    def mark(self, table: Table, name: str) -> int | None:
        """The value that the latest commit with this mark set; None where no commit had it."""
        delta = self._open(table)
        return None if delta is None else delta.transaction_version(name)

    def marks(self, table: Table, names: Collection[str]) -> dict[str, int]:
        """Those of the named marks that are set."""
        delta = self._open(table)
        if delta is None:
            return {}
        return {name: value for name in names if (value := delta.transaction_version(name)) is not None}

    def snapshot(self, table: Table) -> Snapshot | None:
        """The current version with its files and their statistics; None for a table never written."""
        return None if self._open(table) is None else self._opened[table].snapshot

    def files(self, table: Table) -> list[DataFile]:
        """The exact files of the current version, by month."""
        return list(self._files(table, self._open(table)))

    def months(self, table: Table) -> list[str]:
        """The months that have rows, in order; the partition of rows without a month is not among them."""
        return sorted({file.month for file in self.files(table) if file.month is not None})

    def row_counts(self, table: Table) -> dict[str | None, int]:
        """Rows per partition, from the log alone; a table that is not partitioned has one partition, None."""
        counts: dict[str | None, int] = {}
        for file in self.files(table):
            counts[file.month] = counts.get(file.month, 0) + file.rows
        return counts

    def scan(self, table: Table, months: Collection[str | None] | None = None) -> pl.LazyFrame:
        """The rows of the current version, in exactly the schema's columns, order and dtypes.

        The frame keeps the version it was made from. A table never written gives an empty frame.

        Args:
            months: the partitions to read, where None stands for the rows without a month; all when not given.

        Raises:
            LakeError: months are given for a table that is not partitioned, or a file is gone or cut short.
        """
        if months is None:
            return scan_files(table, self.files(table))
        check_partitioned(table)
        return scan_files(table, [file for file in self.files(table) if file.month in months])

    def scan_overlapping(self, table: Table, from_at: datetime, to_at: datetime) -> pl.LazyFrame:
        """The rows that started before `to_at` and ended at or after `from_at`.

        Files whose statistics rule that out are not read. A row without started_at or ended_at spans no time and is
        left out.

        Raises:
            LakeError: a file is gone or cut short.
        """
        return scan_files(table, self.files_overlapping(table, from_at, to_at)).filter(
            pl.col("started_at") < to_at, pl.col("ended_at") >= from_at
        )

    def files_overlapping(self, table: Table, from_at: datetime, to_at: datetime) -> list[DataFile]:
        """The files that `scan_overlapping` reads: those whose statistics do not rule an overlap out."""
        return [file for file in self.files(table) if file.may_overlap(from_at, to_at)]

    def scan_since(self, table: Table, column: str, from_at: datetime) -> pl.LazyFrame:
        """The rows whose instant `column` is at or after `from_at`. Files whose statistics rule that out are not read.

        Raises:
            LakeError: a file is gone or cut short.
        """
        files = [file for file in self.files(table) if (latest := file.latest.get(column)) is None or latest >= from_at]
        return scan_files(table, files).filter(pl.col(column) >= from_at)

    def append(self, table: Table, frame: pl.DataFrame, marks: Mapping[str, int] | None = None) -> None:
        """Adds the rows; an empty frame only sets the marks.

        Args:
            marks: named numbers written in the same commit; `mark` reads them.

        Raises:
            LakeError: the frame does not fit the schema.
        """
        commit(table, self.folder(table), self._open(table), conform(table, frame), lambda _: False, marks)

    def replace(self, table: Table, frame: pl.DataFrame, marks: Mapping[str, int] | None = None) -> None:
        """Replaces the whole table in one commit.

        Raises:
            LakeError: the frame does not fit the schema, or another writer changed the table meanwhile.
        """
        commit(table, self.folder(table), self._open(table), conform(table, frame), lambda _: True, marks)

    def replace_months(
        self,
        table: Table,
        frame: pl.DataFrame,
        months: Collection[str | None],
        marks: Mapping[str, int] | None = None,
    ) -> None:
        """Replaces these partitions in one commit; a month for which the frame has no rows becomes empty.

        Args:
            months: the partitions to replace, where None stands for the rows without a month.

        Raises:
            LakeError: the frame does not fit the schema or has rows outside `months`, the table is not partitioned,
                or another writer changed one of the months meanwhile.
        """
        check_partitioned(table)
        for month in months:
            check_month(table, month)
        rows = conform(table, frame)
        outside = sorted({str(month) for month in rows.get_column("month").unique() if month not in months})
        if outside:
            raise LakeError(f"{table.name}: the frame has rows outside the months to replace: {', '.join(outside)}")
        commit(table, self.folder(table), self._open(table), rows, lambda file: file.month in months, marks)

    def replace_rows(
        self,
        table: Table,
        frame: pl.DataFrame,
        column: str,
        values: Collection[str] | Collection[datetime],
        marks: Mapping[str, int] | None = None,
    ) -> None:
        """Replaces the rows whose `column` holds one of `values` by the frame, in one commit.

        Only the files that hold such rows are rewritten, together with the frame.

        Raises:
            LakeError: the frame does not fit the schema, a file is gone or cut short, or another writer changed one of
                the files, or added such rows, meanwhile.
        """
        rows = conform(table, frame)
        is_replaced = pl.col(column).is_in(list(values)).fill_null(False)
        answers: dict[str, bool] = {}

        def holds_some(file: DataFile) -> bool:
            if file.path not in answers:
                answers[file.path] = scan_files(table, [file]).select(is_replaced.any()).collect().item()
            return answers[file.path]

        delta = self._open(table)
        removed = [file for file in self._files(table, delta) if holds_some(file)]
        kept = scan_files(table, removed).filter(~is_replaced).collect()
        commit(table, self.folder(table), delta, pl.concat([kept, rows]), holds_some, marks)

    def tidy(self, table: Table, keep: Collection[str] = (), retention_hours: int = RETENTION_HOURS) -> list[str]:
        """Removes the files that no recent version and no publication names; returns their paths.

        A partition of many small files is first rewritten as one, in the order of the key. The log needs no upkeep:
        Delta Lake writes a checkpoint every 100 commits, and then drops what precedes a checkpoint 30 days old.

        Args:
            keep: the files that publications name (`published_files`).
            retention_hours: how long a replaced version stays readable. With 0 the caller must keep all other writers
                away, since no version names their files yet.

        Raises:
            LakeError: a file is gone or cut short, or another writer changed a partition while it was rewritten.
        """
        self._merge_small_files(table)
        delta = self._open(table)
        if delta is None:
            return []
        unnamed = delta.vacuum(retention_hours, dry_run=True, enforce_retention_duration=False, full=True)
        # Compared by name, which is unique: the publication may have been built with another spelling of the path.
        kept = {Path(path).name for path in keep}
        paths = [self.folder(table) / name for name in unnamed]
        # The log still lists files that an earlier call removed.
        removed = [path for path in paths if path.name not in kept and path.exists()]
        for path in removed:
            path.unlink()
        return [str(path) for path in removed]

    def is_damaged(self, table: Table) -> bool:
        """Whether the table's log cannot be read, or a file of its current version is gone or cut short."""
        try:
            return not all(file.is_whole() for file in self.files(table))
        except LakeError:
            return True

    def forget(self, table: Table) -> None:
        """Turns the table into one that was never written. Its files stay for current readers until `tidy`."""
        # Half of a log would look like a damaged table, or like an older version of it.
        discard(self.folder(table) / "_delta_log")

    def _merge_small_files(self, table: Table) -> None:
        counts = Counter(file.month for file in self.files(table))
        for month in (month for month, count in counts.items() if count > MOST_FILES_IN_A_PARTITION):
            self._merge_files_of(table, month)

    def _merge_files_of(self, table: Table, month: str | None) -> None:
        delta = self._open(table)
        small = {file.path: file for file in self._files(table, delta) if file.month == month}
        rows = scan_files(table, small.values()).sort(table.schema.primary_key()).collect()
        commit(table, self.folder(table), delta, rows, lambda file: file.path in small, None)

    def _open(self, table: Table) -> DeltaTable | None:
        """The table in its current version. One that is already open only loads the commits since."""
        with self._readable(table):
            opened = self._opened.pop(table, None)
            if opened is not None and opened.is_still_there():
                opened.catch_up()
            elif self.exists(table):
                opened = OpenTable(self.folder(table))
            else:
                return None
        self._opened[table] = opened
        return opened.delta

    @contextmanager
    def _readable(self, table: Table) -> Iterator[None]:
        """Raises LakeError where the log is damaged or cannot be read from the disk."""
        try:
            yield
        except DeltaError as error:
            raise LakeError(f"{self.folder(table)} is damaged: run `chargehouse rebuild` ({reason(error)})") from error
        except OSError as error:
            raise LakeError(
                f"{self.folder(table)} cannot be read: fix the cause and run again ({reason(error)})"
            ) from error

    def _files(self, table: Table, delta: DeltaTable | None) -> Sequence[DataFile]:
        return () if delta is None else self._opened[table].snapshot.files


def check_partitioned(table: Table) -> None:
    """Raises LakeError for a table that is not stored by month."""
    if not table.partitioned_by_month:
        raise LakeError(f"{table.name} is not partitioned by month; replace the whole table")
