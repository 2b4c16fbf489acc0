"""Column lineage: every column of every fact and dimension leads back to a field of a vendor's object."""

import dagster as dg
import pytest

from pipelines.orchestration.column_lineage import (
    COMPUTED,
    FIELDS,
    PAYLOAD,
    column_sources,
    lineage_metadata,
    read_fields,
)
from pipelines.orchestration.column_metadata import raw_metadata, table_metadata
from pipelines.vendors import ENDPOINTS
from transforms.vendors import STAGINGS
from warehouse.tables import FACT_ENERGY, FACT_SESSION, TABLES
from warehouse.tables.table import Table

MADE_OF_SOMETHING = [table for table in TABLES if table.group != "operations"]


def columns_shown() -> dict[dg.AssetKey, set[str]]:
    """The columns of every asset upstream of a table, as Dagster shows them."""
    shown = {
        dg.AssetKey(["staging", table.name]): table_metadata(table) for table in TABLES if table.group == "staging"
    }
    for endpoints in ENDPOINTS.values():
        shown |= {dg.AssetKey(["raw", each.vendor, each.name]): raw_metadata(each) for each in endpoints}
    return {
        key: {column.name for column in metadata["dagster/column_schema"].schema.columns}  # type: ignore[attr-defined]
        for key, metadata in shown.items()
    }


@pytest.mark.parametrize("table", MADE_OF_SOMETHING, ids=lambda table: table.name)
def test_every_column_has_a_source_or_is_declared_computed(table: Table) -> None:
    without = {column for column in table.schema.column_names() if not column_sources(table).get(column)}
    assert without == COMPUTED.get(table.name, frozenset())


@pytest.mark.parametrize("table", MADE_OF_SOMETHING, ids=lambda table: table.name)
def test_every_source_is_a_column_that_is_shown(table: Table) -> None:
    shown = columns_shown()
    for column, sources in column_sources(table).items():
        for key, name in sources:
            assert name in shown[key], (column, key)


@pytest.mark.parametrize("endpoint", STAGINGS, ids="/".join)
def test_every_field_that_is_read_leads_to_a_column_and_no_other_is_named(endpoint: tuple[str, str]) -> None:
    declared = {field for fields in FIELDS[endpoint].values() for field in fields}
    assert declared == set(read_fields(*endpoint))
    assert set(FIELDS[endpoint]) <= set(STAGINGS[endpoint].table.schema.column_names())


def test_the_energy_of_a_slot_leads_back_to_the_vendors_words_for_energy() -> None:
    staged = dict.fromkeys(name for _, name in column_sources(FACT_ENERGY)["energy_kwh"])
    assert list(staged)[:2] == ["energy_kwh", "meter_series"]
    session = next(table for table in TABLES if table.name == "staged_session")
    fields = {(key.path[1], name.removeprefix(PAYLOAD)) for key, name in column_sources(session)["energy_kwh"]}
    assert fields == {
        ("zaptec", "energy"),
        ("jedlix", "energyCharged"),
        ("greenflux", "total_energy"),
        ("smappee", "energy"),
        ("smappee", "startReading"),
        ("smappee", "stopReading"),
    }


def test_dagster_is_told_the_lineage_of_a_fact() -> None:
    lineage = lineage_metadata(FACT_SESSION)["dagster/column_lineage"]
    assert set(lineage.deps_by_column) == set(FACT_SESSION.schema.column_names())
