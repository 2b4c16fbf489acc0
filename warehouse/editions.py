"""A fingerprint of a table's declared schema, and whether rows stored with another schema fit it."""

from hashlib import blake2b

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from warehouse.column_types import delta_schema
from warehouse.lake import Lake
from warehouse.tables.table import Table


def fingerprint(table: Table) -> str:
    """A text that changes with the table's columns, their types, its key or its partitions."""
    columns = [
        f"{name} {column.dtype} {'NULL' if column.nullable else 'NOT NULL'}{' KEY' if column.primary_key else ''}"
        for name, column in table.schema.columns().items()
    ]
    declared = "\n".join([f"by month: {table.partitioned_by_month}", *columns])
    return blake2b(declared.encode(), digest_size=8).hexdigest()


def can_carry_over(lake: Lake, table: Table) -> bool:
    """Whether the stored rows fit the declared columns: same partitions and types; missing columns allow NULL."""
    try:
        stored = DeltaTable(str(lake.folder(table)))
        types = {field.name: str(field.type) for field in stored.schema().fields}
        partitions = stored.metadata().partition_columns
    except DeltaError:
        return False
    declared = {field.name: str(field.type) for field in delta_schema(table).fields}
    columns = table.schema.columns()
    if partitions != (["month"] if table.partitioned_by_month else []):
        return False
    return all(types[name] == kind if name in types else columns[name].nullable for name, kind in declared.items())
