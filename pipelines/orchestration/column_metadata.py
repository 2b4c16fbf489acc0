"""The column metadata that Dagster shows for a table even before its first run, taken from the table's one schema."""

from collections.abc import Mapping

import dagster as dg

from pipelines.orchestration.column_lineage import PAYLOAD, read_fields
from pipelines.raw.raw_rows import RAW_COLUMNS
from pipelines.vendors.contract import Endpoint
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


def raw_metadata(endpoint: Endpoint) -> Mapping[str, dg.MetadataValue]:
    """The columns of a raw log table, and the fields of its payload that staging reads."""
    columns = [
        dg.TableColumn(field.name, str(field.type), description, dg.TableColumnConstraints(nullable=field.nullable))
        for field, description in RAW_COLUMNS
    ]
    columns += [
        dg.TableColumn(f"{PAYLOAD}{field}", "JSON", "Field of the vendor's object, inside the payload.")
        for field in read_fields(endpoint.vendor, endpoint.name)
    ]
    return {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns))}
