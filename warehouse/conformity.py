"""Brings a frame into a table's schema, or says why it does not fit."""

import re

import polars as pl

from warehouse.column_types import polars_schema
from warehouse.errors import LakeError
from warehouse.tables.table import Table

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def conform(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The table's columns in its order and dtypes; other columns of the frame are left out.

    Raises:
        LakeError: a column is missing, holds NULL where the table allows none, or loses data in the table's dtype
            (a number that would be rounded, a time without zone); or the partition is not a month.
    """
    missing = [name for name in table.schema.column_names() if name not in frame.columns]
    if missing:
        raise LakeError(f"{table.name}: the frame has no column {', '.join(missing)}; build it from the table's schema")
    conforming = frame.select(
        _cast_without_loss(table, frame.get_column(name), dtype) for name, dtype in polars_schema(table).items()
    )
    for name, column in table.schema.columns().items():
        if not column.nullable and conforming.get_column(name).has_nulls():
            raise LakeError(f"{table.name}.{name}: NULL in a column that allows none; reject such rows before writing")
    if table.partitioned_by_month:
        for month in conforming.get_column("month").unique():
            check_month(table, month)
    return conforming


def check_month(table: Table, month: str | None) -> None:
    """Lets only YYYY-MM and None through, since a month names a folder.

    Raises:
        LakeError: it is neither YYYY-MM nor None.
    """
    if month is not None and not MONTH.fullmatch(month):
        raise LakeError(f"{table.name}.month: {month!r} is not a month; write YYYY-MM")


def _cast_without_loss(table: Table, column: pl.Series, dtype: pl.DataType) -> pl.Series:
    if column.dtype == dtype:
        return column
    fault = LakeError(
        f"{table.name}.{column.name}: {column.dtype} cannot be stored as {dtype} without loss; convert it first"
    )
    if isinstance(dtype, pl.Datetime) and isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone is None:
        raise fault
    try:
        converted = column.cast(dtype, strict=True)
        restored = converted.cast(column.dtype, strict=True)
    except pl.exceptions.PolarsError:
        raise fault from None
    if not restored.equals(column, null_equal=True):
        raise fault
    return converted
