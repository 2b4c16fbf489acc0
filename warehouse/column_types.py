"""The types of declared columns in Polars, Delta Lake and DuckDB, and their units and descriptions."""

import dataframely as dy
import polars as pl
from deltalake import Schema as DeltaSchema

from warehouse.tables.table import Table


def polars_schema(table: Table) -> pl.Schema:
    """Names and dtypes of the table's columns, in the order in which they are declared."""
    return pl.Schema({name: column.dtype for name, column in table.schema.columns().items()})


def delta_schema(table: Table) -> DeltaSchema:
    """The table's schema as the Delta log stores it; every column nullable, so that one can be added later."""
    return DeltaSchema.from_arrow(pl.DataFrame(schema=polars_schema(table)).to_arrow().schema)


def duckdb_type(dtype: pl.DataType) -> str:
    """The SQL type that represents a Polars dtype in the published warehouse.

    Raises:
        TypeError: the dtype cannot be published (nested columns exist only in staging).
    """
    match dtype:
        case pl.String():
            return "VARCHAR"
        case pl.Boolean():
            return "BOOLEAN"
        case pl.Int64():
            return "BIGINT"
        case pl.Float64():
            return "DOUBLE"
        case pl.Datetime(time_zone="UTC"):
            return "TIMESTAMPTZ"
        case pl.Decimal():
            return f"DECIMAL({dtype.precision},{dtype.scale})"
        case _:
            raise TypeError(f"{dtype} cannot be published")


def unit(column: dy.Column) -> str | None:
    """The unit of a measure (kWh, s, rows ...); None for a column without a unit."""
    return None if column.metadata is None else column.metadata.get("unit")


def described(column: dy.Column) -> str:
    """The column's meaning, its unit appended in brackets where it has one."""
    suffix = unit(column)
    return f"{column.description} [{suffix}]" if suffix else str(column.description)
