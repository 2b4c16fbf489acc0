"""A table of the lake as an asset: its key, its dependencies, and what a step reports after writing it."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from pipelines.orchestration.column_lineage import lineage_metadata
from pipelines.orchestration.column_metadata import table_metadata
from pipelines.orchestration.raw_assets import raw_key
from pipelines.vendors import ENDPOINTS
from transforms.vendors import STAGINGS
from warehouse.tables.table import Table


def table_key(table: Table) -> dg.AssetKey:
    """The table's name, below its schema (`ops`, `staging`) unless that is `main`."""
    return dg.AssetKey([table.name] if table.database_schema == "main" else [table.database_schema, table.name])


def raw_keys_of(table: Table) -> list[dg.AssetKey]:
    """The raw assets that a staged table is made from."""
    return [
        raw_key(endpoint)
        for vendor in ENDPOINTS
        for endpoint in ENDPOINTS[vendor]
        if STAGINGS[endpoint.vendor, endpoint.name].table == table
    ]


def table_spec(table: Table, deps: Sequence[dg.AssetKey], *, skippable: bool = False) -> dg.AssetSpec:
    """What Dagster knows about a table before any run: what it holds, its columns, and what it is built from (`deps`).

    `skippable`: a run of its step may leave the table unchanged.
    """
    return dg.AssetSpec(
        table_key(table),
        deps=deps,
        description=table.description,
        group_name=table.group,
        kinds={"polars", "deltalake"},
        metadata=table_metadata(table),
        skippable=skippable,
    )


def table_result(table: Table, rows: int, version: int | None = None, **told: Any) -> dg.MaterializeResult[None]:
    """What a step reports about a table that it has written.

    `version`: a number that changes whenever the table does, from which Dagster sees that what is built from it is out
    of date; without it every run counts as a change.
    """
    metadata = {"dagster/row_count": rows, **told, **lineage_metadata(table)}
    data_version = None if version is None else dg.DataVersion(str(version))
    return dg.MaterializeResult(asset_key=table_key(table), metadata=metadata, data_version=data_version)
