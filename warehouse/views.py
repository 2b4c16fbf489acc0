"""The SQL of the published views. Plain enough for DuckDB 1.2."""

from collections.abc import Iterator

from warehouse.column_types import described, duckdb_type, polars_schema
from warehouse.data_files import NULL_PARTITION
from warehouse.quoting import identifier, literal, literals
from warehouse.snapshot import Snapshot
from warehouse.tables.table import Table


def _view_name(table: Table) -> str:
    return f"{identifier(table.database_schema)}.{identifier(table.name)}"


def view_statement(table: Table, snapshot: Snapshot | None) -> str:
    """The view over the exact files of the snapshot, each column cast to the type it is published in.

    Without files it is a typed view without rows: DuckDB refuses an empty list of files.
    """
    files = () if snapshot is None else snapshot.files
    stored = frozenset[str]() if snapshot is None else snapshot.columns
    columns = ", ".join(
        f"CAST({_source(table, name, name in stored and bool(files))} AS {duckdb_type(dtype)}) AS {identifier(name)}"
        for name, dtype in polars_schema(table).items()
    )
    if not files:
        return f"CREATE VIEW {_view_name(table)} AS SELECT {columns} WHERE false"
    # The month of a Delta partition is only in the folder's name, and `2025-03` must not be taken for a date.
    options = (
        "hive_partitioning=true, hive_types={'month': VARCHAR}"
        if table.partitioned_by_month
        else "hive_partitioning=false"
    )
    paths = literals(file.path for file in files)
    return f"CREATE VIEW {_view_name(table)} AS SELECT {columns} FROM read_parquet({paths}, {options})"


def _source(table: Table, column: str, is_stored: bool) -> str:
    """The expression that a view's column is cast from: the files' column; NULL where the files are older than it."""
    if not is_stored:
        return "NULL"
    if column == "month" and table.partitioned_by_month and table.schema.columns()["month"].nullable:
        # DuckDB 1.x shows the name of the folder of rows without a month; 2.0 shows NULL.
        return f"NULLIF({identifier(column)}, {literal(NULL_PARTITION)})"
    return identifier(column)


def comment_statements(table: Table) -> Iterator[str]:
    """The statements that describe the table and each column as the schema does, with units in brackets."""
    yield f"COMMENT ON VIEW {_view_name(table)} IS {literal(table.description)}"
    for name, column in table.schema.columns().items():
        yield f"COMMENT ON COLUMN {_view_name(table)}.{identifier(name)} IS {literal(described(column))}"
