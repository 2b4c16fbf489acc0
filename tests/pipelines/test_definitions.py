"""What Dagster shows: every table and every endpoint, described; the same whatever is configured."""

from pathlib import Path

import dagster as dg
import pytest

from pipelines.definitions import build_definitions
from pipelines.settings import Settings, load_settings
from pipelines.table_assets import table_key
from pipelines.vendors import ENDPOINTS
from sandbox.environment import environment
from sandbox.settings import Settings as SandboxSettings
from warehouse.tables import TABLES

ASSETS = [
    "dim_charge_station",
    "dim_connector",
    "dim_location",
    "dim_user",
    "dim_vehicle",
    "fact_energy",
    "fact_session",
    "open_session",
    "ops/coverage",
    "ops/lateness",
    "ops/load_audit",
    "ops/touched_month",
    "raw/greenflux/cdrs",
    "raw/greenflux/charge_stations",
    "raw/greenflux/locations",
    "raw/jedlix/charging_locations",
    "raw/jedlix/open_sessions",
    "raw/jedlix/sessions",
    "raw/jedlix/users",
    "raw/jedlix/vehicles",
    "raw/smappee/open_sessions",
    "raw/smappee/sessions",
    "raw/zaptec/chargers",
    "raw/zaptec/installations",
    "raw/zaptec/sessions",
    "rejected_session",
    "staging/staged_charge_station",
    "staging/staged_location",
    "staging/staged_session",
    "staging/staged_user",
    "staging/staged_vehicle",
    "warehouse",
]
VARIABLES = environment("http://127.0.0.1:9000", SandboxSettings(), ["1201"])


def settings(tmp_path: Path, variables: dict[str, str]) -> Settings:
    return load_settings({**variables, "CHARGEHOUSE_DATA": str(tmp_path / "data")}, tmp_path / ".env")


@pytest.fixture(params=[VARIABLES, {}], ids=["all vendors", "no vendor"])
def definitions(request: pytest.FixtureRequest, tmp_path: Path) -> dg.Definitions:
    return build_definitions(settings(tmp_path, request.param))


def specs(definitions: dg.Definitions) -> dict[dg.AssetKey, dg.AssetSpec]:
    return {spec.key: spec for spec in definitions.resolve_all_asset_specs()}


def test_the_definitions_load_and_nothing_is_written(tmp_path: Path) -> None:
    for variables in (VARIABLES, {}):
        dg.Definitions.validate_loadable(build_definitions(settings(tmp_path, variables)))
    assert list(tmp_path.iterdir()) == []


def test_the_assets_are_these(definitions: dg.Definitions) -> None:
    assert sorted(key.to_user_string() for key in specs(definitions)) == ASSETS


def test_every_table_and_every_endpoint_is_an_asset(definitions: dg.Definitions) -> None:
    keys = set(specs(definitions))
    assert {table_key(table) for table in TABLES} <= keys
    endpoints = {(each.vendor, each.name) for vendor in ENDPOINTS.values() for each in vendor}
    assert {tuple(key.path[1:]) for key in keys if key.path[0] == "raw"} == endpoints


def test_every_asset_has_a_group_kinds_a_description_and_its_columns(definitions: dg.Definitions) -> None:
    for key, spec in specs(definitions).items():
        assert spec.group_name not in (None, "default"), key
        assert spec.kinds, key
        assert spec.description, key
        # The publication is a file of all tables, each of which has its columns at its own asset.
        if key != dg.AssetKey("warehouse"):
            columns = spec.metadata["dagster/column_schema"].schema.columns
            assert columns, key
            assert all(column.type and column.description for column in columns), key


def test_everything_but_raw_comes_from_something(definitions: dg.Definitions) -> None:
    for key, spec in specs(definitions).items():
        assert bool(list(spec.deps)) == (key.path[0] != "raw"), key


def test_the_jobs_are_there_and_read_the_vendors_that_are_on(definitions: dg.Definitions, tmp_path: Path) -> None:
    for name in ("refresh", "reconcile", "backfill", "rebuild"):
        job = definitions.resolve_job_def(name)
        raw = {key for key in job.asset_layer.executable_asset_keys if key.path[0] == "raw"}
        reads = bool(definitions.schedules) and name != "rebuild"
        assert bool(raw) == reads, name


def test_a_schedule_is_offered_where_a_vendor_is_on_and_is_off_at_first(tmp_path: Path) -> None:
    on = build_definitions(settings(tmp_path, {**VARIABLES, "CHARGEHOUSE_TIME_ZONE": "Europe/Oslo"}))
    assert [schedule.name for schedule in on.schedules or []] == ["daily_refresh"]
    schedule = next(iter(on.schedules or []))
    assert isinstance(schedule, dg.ScheduleDefinition)
    assert schedule.execution_timezone == "Europe/Oslo"
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert not build_definitions(settings(tmp_path, {})).schedules
