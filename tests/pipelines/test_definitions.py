"""What Dagster shows: every table and every endpoint, described; the same whatever is configured."""

from pathlib import Path

import dagster as dg
import pytest
import yaml

from pipelines.definitions import build_definitions
from pipelines.orchestration.checks import check_keys
from pipelines.orchestration.month_assets import MONTH_READING
from pipelines.orchestration.table_specs import table_key
from pipelines.settings import PROJECT_FOLDER, Settings, load_settings
from pipelines.tables.lakes import MONTHLY_FACTS
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
    "ops/month_quality",
    "ops/month_reading",
    "ops/touched_month",
    "ops/vendor_radar",
    "ops/vocabulary",
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
        # The publication is one file of all tables, and the asset of each table shows its columns; reading a month
        # again makes no table.
        if key not in (dg.AssetKey("warehouse"), MONTH_READING):
            columns = spec.metadata["dagster/column_schema"].schema.columns
            assert columns, key
            assert all(column.type and column.description for column in columns), key


def test_everything_but_raw_comes_from_something(definitions: dg.Definitions) -> None:
    for key, spec in specs(definitions).items():
        assert bool(list(spec.deps)) == (key.path[0] != "raw"), key


def test_the_jobs_are_there_and_read_the_vendors_that_are_on(definitions: dg.Definitions, tmp_path: Path) -> None:
    for name in ("refresh", "reconcile", "backfill", "rebuild", "build_months", "publish"):
        job = definitions.resolve_job_def(name)
        raw = {key for key in job.asset_layer.executable_asset_keys if key.path[0] == "raw"}
        reads = bool(definitions.schedules) and name in ("refresh", "reconcile", "backfill")
        assert bool(raw) == reads, name


def test_every_check_is_evaluated_by_every_job_that_publishes(definitions: dg.Definitions) -> None:
    for name in ("refresh", "reconcile", "backfill", "rebuild", "publish"):
        job = definitions.resolve_job_def(name)
        assert set(check_keys()) <= set(job.asset_layer.asset_graph.asset_check_keys), name
        assert dg.AssetKey("warehouse") in job.asset_layer.executable_asset_keys


def test_a_load_builds_no_fact_and_judges_only_what_it_read(tmp_path: Path) -> None:
    job = build_definitions(settings(tmp_path, VARIABLES)).resolve_job_def("load")
    facts = {table_key(table) for table in MONTHLY_FACTS}
    assert not facts & set(job.asset_layer.executable_asset_keys)
    assert not set(check_keys()) & set(job.asset_layer.asset_graph.asset_check_keys)


def test_the_jobs_over_months_are_partitioned_and_take_a_range_in_one_run(tmp_path: Path) -> None:
    definitions = build_definitions(settings(tmp_path, VARIABLES))
    for name in ("build_months", "backfill_months"):
        job = definitions.resolve_job_def(name)
        assert isinstance(job.partitions_def, dg.MonthlyPartitionsDefinition)
        assert job.backfill_policy == dg.BackfillPolicy.single_run()


def test_a_run_is_tagged_with_the_accounts_it_reads_and_holds_its_pools(tmp_path: Path) -> None:
    both = build_definitions(settings(tmp_path, VARIABLES), vendors=["zaptec", "smappee"])
    accounts = {"chargehouse/account-zaptec": "read", "chargehouse/account-smappee": "read"}
    for name, tags, pools in (
        ("load", accounts, {"vendor_accounts"}),
        ("refresh", accounts, {"vendor_accounts", "lake", "publication"}),
        ("build_months", {}, {"lake"}),
        ("publish", {}, {"lake", "publication"}),
        ("backfill_months", accounts, {"lake"}),
    ):
        job = both.resolve_job_def(name)
        assert job.run_tags == tags, name
        assert {node.definition.pool for node in job.graph.nodes if node.definition.pool} == pools, name


def test_a_pool_is_held_by_one_run_at_a_time_in_both_instances() -> None:
    for path in ("dagster.yaml", "deploy/dagster.postgresql.yaml"):
        concurrency = yaml.safe_load((PROJECT_FOLDER / path).read_text())["concurrency"]
        assert concurrency["pools"] == {"granularity": "run", "default_limit": 1}, path
