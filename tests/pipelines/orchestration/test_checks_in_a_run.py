"""A run with its checks: a broken claim keeps the last good publication, a warning keeps nothing back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from pipelines.layout import DATABASE
from pipelines.orchestration.checks import broken_claims, build_checks, check_keys
from pipelines.orchestration.table_specs import table_key
from pipelines.settings import Settings
from pipelines.tables.building import publish_warehouse
from pipelines.tables.lakes import Lakes
from tests.pipelines.orchestration.sound_house import (
    QUIET,
    RUN,
    SESSIONS,
    house_settings,
    measure_again,
    rewrite,
    spoil,
    where,
)
from warehouse.query import query
from warehouse.tables import (
    COVERAGE,
    FACT_ENERGY,
    FACT_SESSION,
    MONTH_QUALITY,
    OPEN_SESSION,
    PUBLISHED_TABLES,
    REJECTED_SESSION,
    VOCABULARY,
)

PUBLISHED_AND_NEW = tuple(dict.fromkeys([*PUBLISHED_TABLES, MONTH_QUALITY, VOCABULARY]))
UNPARTITIONED = [table for table in PUBLISHED_AND_NEW if not table.partitioned_by_month]


def _assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """The tables, which are already built; the monthly facts, in partitions; and the publication of them all."""
    months = dg.MonthlyPartitionsDefinition("2025-08", fmt="%Y-%m")
    monthly = (FACT_SESSION, FACT_ENERGY, REJECTED_SESSION)

    @dg.multi_asset(specs=[dg.AssetSpec(table_key(table)) for table in PUBLISHED_AND_NEW if table not in monthly])
    def tables() -> Any:
        for table in PUBLISHED_AND_NEW:
            if table not in monthly:
                yield dg.MaterializeResult(asset_key=table_key(table))

    @dg.multi_asset(specs=[dg.AssetSpec(table_key(table)) for table in monthly], partitions_def=months)
    def facts() -> Any:
        for table in monthly:
            yield dg.MaterializeResult(asset_key=table_key(table))

    @dg.asset(key="warehouse", deps=[table_key(table) for table in PUBLISHED_AND_NEW])
    def warehouse() -> None:
        publish_warehouse(Lakes.below(settings.data), settings.data)

    return [tables, facts, warehouse]


def ran(data: Path) -> tuple[dg.ExecuteInProcessResult, list[str]]:
    """A run of all but the facts, which are partitioned and cannot share a run with the rest; and the failed checks."""
    settings = house_settings(data)
    keys = [*map(table_key, UNPARTITIONED), dg.AssetKey("warehouse")]
    definitions = dg.Definitions(
        assets=_assets(settings),
        asset_checks=build_checks(settings, Lakes.below(settings.data)),
        jobs=[
            dg.define_asset_job(
                "refresh",
                dg.AssetSelection.assets(*keys) | dg.AssetSelection.checks(*check_keys()),
                executor_def=dg.in_process_executor,
            )
        ],
    )
    job = definitions.resolve_job_def("refresh")
    # Narrowed in the way that `chargehouse refresh --vendor` narrows a run.
    chosen = job.get_subset(asset_selection=set(keys), asset_check_selection=set(check_keys()))
    with dg.DagsterInstance.ephemeral() as instance:
        result = chosen.execute_in_process(instance=instance, raise_on_error=False, run_id=RUN, run_config=QUIET)
        return result, broken_claims(result.get_asset_check_evaluations())


def _rows_published(data: Path) -> int:
    [[count]] = query(data / DATABASE, "SELECT count(*) FROM fact_session").rows
    return int(count)


SPOILED: dict[str, Callable[[Path], None]] = {
    "fact_session one_row_per_session": lambda data: rewrite(
        data, FACT_SESSION, lambda rows: pl.concat([rows, rows.head(1)])
    ),
    "fact_energy slots_add_up_to_the_session": lambda data: rewrite(data, FACT_ENERGY, lambda rows: rows.tail(-1)),
    "ops/load_audit nothing_unaccounted": lambda data: rewrite(data, OPEN_SESSION, lambda rows: rows.head(1)),
}


@pytest.mark.parametrize("broken", SPOILED)
def test_a_broken_claim_keeps_the_last_good_publication_and_fails_the_run(data: Path, broken: str) -> None:
    result, faults = ran(data)
    assert result.success
    assert faults == []
    good = (data / DATABASE).stat()
    SPOILED[broken](data)
    measure_again(data)
    result, faults = ran(data)
    assert not result.success
    assert any(fault.startswith(f"{broken}: ") for fault in faults)
    assert dg.AssetKey("warehouse") not in {event.asset_key for event in result.get_asset_materialization_events()}
    assert (data / DATABASE).stat().st_ino == good.st_ino
    assert _rows_published(data) == SESSIONS


def test_a_warning_keeps_nothing_from_being_published(data: Path) -> None:
    is_it = (pl.col("endpoint") == "cdrs") & (pl.col("month") == "2026-01")
    spoil(data, COVERAGE, state=where(is_it, "gap", "state"))
    result, faults = ran(data)
    assert result.success
    assert faults == []
    assert "months_complete" in {each.check_name for each in result.get_asset_check_evaluations() if not each.passed}
    assert _rows_published(data) == SESSIONS
