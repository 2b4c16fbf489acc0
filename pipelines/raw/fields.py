"""The fields seen in each vendor's objects, recorded as the objects are cleaned: the raw log's own vocabulary."""

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa

from pipelines.raw.raw_rows import INSTANT

FIELDS_SCHEMA = pa.schema(
    [
        pa.field("run_id", pa.string(), nullable=False),
        pa.field("as_of", INSTANT, nullable=False),
        pa.field("vendor", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("field", pa.string(), nullable=False),
    ]
)
"""One row per field of an endpoint, from the run that met it first; `field` is a dotted path."""


def fields_table(vendor: str, fields: Iterable[tuple[str, str]], as_of: datetime, run_id: str) -> pa.Table:
    """Rows of the raw log for fields given as (endpoint, path)."""
    rows = [
        {"run_id": run_id, "as_of": as_of, "vendor": vendor, "endpoint": endpoint, "field": field}
        for endpoint, field in fields
    ]
    return pa.Table.from_pylist(rows, schema=FIELDS_SCHEMA)
