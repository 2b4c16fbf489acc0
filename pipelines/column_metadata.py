"""What Dagster shows of a table's columns before its first run, taken from the table's one schema."""

from collections.abc import Mapping

import dagster as dg

from pipelines.raw_rows import RAW_COLUMNS
from warehouse.column_types import described, duckdb_type
from warehouse.tables.table import Table


def table_metadata(table: Table) -> Mapping[str, dg.MetadataValue]:
    """The columns of a table of the lake, with descriptions and units."""
    columns = [
        dg.TableColumn(
            name,
            duckdb_type(column.dtype) if table.is_published else str(column.dtype),
            described(column),
            dg.TableColumnConstraints(nullable=column.nullable),
        )
        for name, column in table.schema.columns().items()
    ]
    return {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns))}


def raw_metadata() -> Mapping[str, dg.MetadataValue]:
    """The columns of every table of the raw log."""
    columns = [
        dg.TableColumn(field.name, str(field.type), description, dg.TableColumnConstraints(nullable=field.nullable))
        for field, description in RAW_COLUMNS
    ]
    return {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns))}
