"""Read-only SQL over the published warehouse, and its answer as plain text."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from warehouse.background import Result, awaited, begin
from warehouse.errors import QueryError, StatementError, reason
from warehouse.quoting import literal, literals
from warehouse.scratch import scratch_folder

ROWS_AT_ONCE = 10_000
"""Rows fetched in one call: a call cannot be interrupted, so rows are fetched in pieces."""

BETWEEN_INTERRUPTS_SECONDS = 0.1
"""An interrupt may fall between two statements and be lost, so it is repeated until the query has ended."""


@dataclass(frozen=True)
class Answer:
    """The rows that answer a query. Instants are UTC, decimals exact."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    """The SQL type of each column."""
    rows: list[tuple[Any, ...]]
    is_cut: bool
    """Whether there were more rows than were asked for."""


def query(path: str | Path, sql: str, most_rows: int | None = None) -> Answer:
    """Answers one SELECT (also DESCRIBE, SHOW and SUMMARIZE) over the publication at `path`.

    The query can read the published tables and nothing else, and it can write nothing.

    Args:
        most_rows: how many rows to fetch at most; all when not given.

    Raises:
        QueryError: nothing is published yet, the publication was moved away from its lake, or the SQL is wrong.
        StatementError: the SQL is not a single read-only statement.
        KeyboardInterrupt: the process is told to stop; the query has ended by then.
    """
    target = Path(path).absolute()
    if not target.exists():
        raise QueryError(f"nothing is published at {target} yet: run `chargehouse refresh` first")
    with scratch_folder() as scratch, duckdb.connect(":memory:") as connection:
        files = _open_publication(connection, target, str(scratch))
        elsewhere = next((file for file in files if not _is_beside(target, file)), None)
        if elsewhere is not None:
            raise QueryError(
                f"{target} was moved or copied and still reads {elsewhere}: run `chargehouse refresh` to publish it "
                "again"
            )
        stopped = threading.Event()

        def fetch() -> list[tuple[Any, ...]]:
            _check_reads_only(connection, sql)
            connection.execute(sql)
            return _fetched(connection, most_rows, stopped)

        try:
            rows = _interruptible(connection, fetch, stopped)
            description = connection.description or []
        except duckdb.Error as error:
            gone = next((file for file in files if not Path(file).exists()), None)
            if gone is not None:
                raise QueryError(f"{gone} is published but missing: run `chargehouse rebuild`") from error
            raise _sql_fault(error) from error
    return Answer(
        columns=tuple(column[0] for column in description),
        types=tuple(str(column[1]) for column in description),
        rows=rows if most_rows is None else rows[:most_rows],
        is_cut=most_rows is not None and len(rows) > most_rows,
    )


def _interruptible(
    connection: duckdb.DuckDBPyConnection, work: Callable[[], Result], stopped: threading.Event
) -> Result:
    """Does the work in a separate thread, and ends it where a signal raises KeyboardInterrupt here.

    DuckDB does not return to Python while it works, and signals are noticed only in Python.
    """
    thread, done = begin(work, "query")
    try:
        return awaited(done)
    except KeyboardInterrupt:
        stopped.set()
        while thread.is_alive():
            connection.interrupt()
            thread.join(BETWEEN_INTERRUPTS_SECONDS)
        raise


def _fetched(
    connection: duckdb.DuckDBPyConnection, most_rows: int | None, stopped: threading.Event
) -> list[tuple[Any, ...]]:
    """The rows of the executed statement; one more than `most_rows` where there are more."""
    rows: list[tuple[Any, ...]] = []
    while not stopped.is_set() and (most_rows is None or len(rows) <= most_rows):
        wanted = ROWS_AT_ONCE if most_rows is None else min(ROWS_AT_ONCE, most_rows + 1 - len(rows))
        piece = connection.fetchmany(wanted)
        rows += piece
        if len(piece) < wanted:
            break
    return rows


def _open_publication(connection: duckdb.DuckDBPyConnection, path: Path, scratch: str) -> list[str]:
    """Attaches the publication as the default database, denies access to all but the files it names, and returns these.

    It is attached to a database in memory, because DuckDB keeps one open file per path and process: a connection to
    the path itself would show an old publication while another connection of the process has it open.
    """
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET temp_directory = {literal(scratch)}")
        connection.execute(f"ATTACH {literal(str(path))} AS warehouse (READ_ONLY)")
        connection.execute("USE warehouse")
        files = [path for (path,) in connection.execute("SELECT path FROM ops.published_file").fetchall()]
        connection.execute(f"SET allowed_paths = {literals(files)}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        fault = f"{path} is not a published warehouse: run `chargehouse rebuild` ({reason(error)})"
        raise QueryError(fault) from error
    return files


def _is_beside(publication: Path, file: str) -> bool:
    """Whether the lake's file lies in the folder of the publication, where every refresh leaves both."""
    return Path(file).is_relative_to(publication.resolve().parent)


def _check_reads_only(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises duckdb.Error unless the SQL is a single statement that only reads.

    A file that may be read may also be written: DuckDB 2.0 knows no other permission, and it counts
    `WITH x AS (COPY ... TO ...) SELECT ...` among the SELECT statements. The table function `query` takes a single
    SELECT and refuses one that writes anywhere inside; EXPLAIN binds it without running it.
    """
    connection.execute(f"EXPLAIN SELECT * FROM query({literal(sql)})")


def _sql_fault(error: duckdb.Error) -> QueryError:
    text, _, _ = str(error).partition("\n\nLINE ")
    if "Expected a single SELECT statement" in text or "must be at the top level" in text:
        return StatementError("only a single read-only statement is allowed: SELECT, DESCRIBE, SHOW or SUMMARIZE")
    told = " ".join(text.split())
    return StatementError(told) if isinstance(error, duckdb.ParserException) else QueryError(told)


def render(answer: Answer) -> str:
    """The answer as a plain text table: numbers right-aligned, NULL as NULL, decimals and instants as they are."""
    texts = [[_cell(value) for value in row] for row in answer.rows]
    widths = [max(len(text) for text in column) for column in zip(answer.columns, *texts, strict=True)]
    is_number = [_is_numeric(kind) for kind in answer.types]

    def line(row: Sequence[str]) -> str:
        aligned = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, is_number, strict=True)
        ]
        return "  ".join(aligned).rstrip()

    count = f"{len(texts)} row{'' if len(texts) == 1 else 's'}"
    footer = f"(first {count}; there are more)" if answer.is_cut else f"({count})"
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(answer.columns), rule, *(line(row) for row in texts), footer])


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat(sep=" ")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ") + "Z"
    # A name may hold line breaks or terminal commands; they are shown, not obeyed.
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in str(value))


def _duration(value: timedelta) -> str:
    """Days, hours, minutes and seconds as DuckDB writes them; Python would write -10 minutes as -1 day, 23:50:00."""
    days, rest = divmod(abs(value), timedelta(days=1))
    time = str(rest) if rest >= timedelta(hours=10) else f"0{rest}"
    sign = "-" if value < timedelta() else ""
    return f"{sign}{days} day{'' if days == 1 else 's'} {sign}{time}" if days else f"{sign}{time}"


def _is_numeric(sql_type: str) -> bool:
    return sql_type.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or sql_type.endswith("INT") or sql_type == "INTEGER"
