"""The tables of the lake and the publication as assets, in the order in which a record travels through them."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import dagster as dg
import polars as pl

from pipelines.building import (
    DIMENSIONS,
    build_coverage,
    build_dimension,
    build_open_sessions,
    publish_warehouse,
)
from pipelines.column_metadata import table_metadata
from pipelines.layout import DATABASE
from pipelines.locks import exclusive
from pipelines.monthly_facts import BuiltMonth, build_months, build_pending_months
from pipelines.progress import Progress
from pipelines.questions import run_instant
from pipelines.raw_assets import raw_key
from pipelines.raw_log import RawLog
from pipelines.settings import Settings
from pipelines.staging import MONTHLY_FACTS, Lakes, discard_staged, forget_damaged, stage
from pipelines.vendors import ENDPOINTS
from transforms.months import months_between
from transforms.vendors import STAGINGS
from warehouse.tables import (
    COVERAGE,
    LATENESS,
    LOAD_AUDIT,
    OPEN_SESSION,
    PUBLISHED_TABLES,
    STAGED_CHARGE_STATION,
    STAGED_SESSION,
    TABLES,
    TOUCHED_MONTH,
)
from warehouse.tables.table import Table

LAKE = "lake"
"""The lock of whoever writes tables: one at a time, so that no two build the same month."""


class Anew(dg.Config):
    """Whether to stage the whole raw log again, and for which months of the facts (empty: all)."""

    from_raw: bool = False
    from_month: str = ""
    to_month: str = ""


def table_key(table: Table) -> dg.AssetKey:
    """Published tables go by their name in DuckDB, the others below their group."""
    return dg.AssetKey([table.name] if table.database_schema == "main" else [table.database_schema, table.name])


def build_table_assets(
    settings: Settings, months: dg.MonthlyPartitionsDefinition, progress: Progress
) -> list[dg.AssetsDefinition]:
    """Every table of the lake, and the published warehouse."""
    return [
        _staged_tables(settings, progress),
        _monthly_facts(settings, months),
        _touched_months(settings, progress),
        _open_sessions(settings),
        *(_dimension(settings, table) for table in DIMENSIONS),
        _coverage(settings),
        _warehouse(settings, progress),
    ]


def _staged_tables(settings: Settings, progress: Progress) -> dg.AssetsDefinition:
    staged = [table for table in TABLES if table.group == "staging"]

    @dg.multi_asset(
        name="staged_tables",
        specs=[
            *(_spec(table, deps=_raw_keys_of(table)) for table in staged),
            _spec(LOAD_AUDIT, deps=[raw_key(endpoint) for vendor in ENDPOINTS for endpoint in ENDPOINTS[vendor]]),
            _spec(LATENESS, deps=_raw_keys_of(STAGED_SESSION)),
        ],
    )
    def staged_tables(context: dg.AssetExecutionContext, config: Anew) -> Iterator[dg.MaterializeResult[None]]:
        lakes, raw_log = Lakes.below(settings.data), RawLog(settings.data)
        progress.on_read()
        with exclusive(
            settings.data, LAKE, lambda: progress.on_stage("waiting for another run that writes the tables")
        ):
            run_id, rebuilt = context.run.run_id, None
            as_of = _as_of(raw_log, run_id)
            if config.from_raw:
                rebuilt = _asked_months(config)
                if rebuilt is not None:
                    # What has come since touches months of its own, which are to be built as well.
                    stage(raw_log, lakes, settings.time_zone, as_of, run_id)
                progress.on_stage("staging the whole raw log again")
                discard_staged(lakes)
                forget_damaged(lakes)
            outcome = stage(raw_log, lakes, settings.time_zone, as_of, run_id, rebuilt)
        for table in staged:
            yield _result(
                table,
                sum(lakes.staging.row_counts(table).values()),
                rows_received=outcome.rows_received.get(table.name, 0),
            )
        yield _result(
            LOAD_AUDIT,
            sum(lakes.published.row_counts(LOAD_AUDIT).values()),
            months_touched=", ".join(outcome.touched_months) or "none",
        )
        yield _result(LATENESS, sum(lakes.published.row_counts(LATENESS).values()))

    return staged_tables


def _monthly_facts(settings: Settings, months: dg.MonthlyPartitionsDefinition) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name="monthly_facts",
        specs=[
            _spec(table, deps=[table_key(STAGED_SESSION), table_key(STAGED_CHARGE_STATION)]) for table in MONTHLY_FACTS
        ],
        partitions_def=months,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def monthly_facts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        """Build the selected months anew from the staged sessions."""
        with exclusive(settings.data, LAKE):
            built = build_months(Lakes.below(settings.data), context.partition_keys, settings.time_zone)
        if len(context.partition_keys) > 1:
            _log_months(context, built)
        for table in MONTHLY_FACTS:
            yield _result(table, sum(each.rows for each in built if each.table == table))

    return monthly_facts


def _touched_months(settings: Settings, progress: Progress) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=TOUCHED_MONTH.name,
        specs=[_spec(TOUCHED_MONTH, deps=[table_key(STAGED_SESSION), table_key(STAGED_CHARGE_STATION)])],
    )
    def touched_month(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """Build every month of the facts that newly staged rows touched, and no other."""
        lakes = Lakes.below(settings.data)
        with exclusive(settings.data, LAKE):
            built = build_pending_months(lakes, settings.time_zone)
        _log_months(context, built)
        months = sorted({each.month for each in built})
        if months:
            progress.on_stage(f"built {len(months)} month(s): {months[0]} to {months[-1]}")
        return _result(
            TOUCHED_MONTH,
            sum(lakes.published.row_counts(TOUCHED_MONTH).values()),
            months_built=", ".join(months) or "none",
        )

    return touched_month


def _open_sessions(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(name=OPEN_SESSION.name, specs=[_spec(OPEN_SESSION, deps=[table_key(STAGED_SESSION)])])
    def open_session() -> dg.MaterializeResult[None]:
        with exclusive(settings.data, LAKE):
            return _result(OPEN_SESSION, build_open_sessions(Lakes.below(settings.data)))

    return open_session


def _dimension(settings: Settings, table: Table) -> dg.AssetsDefinition:
    @dg.multi_asset(name=table.name, specs=[_spec(table, deps=[table_key(DIMENSIONS[table][0])])])
    def dimension() -> dg.MaterializeResult[None]:
        with exclusive(settings.data, LAKE):
            return _result(table, build_dimension(Lakes.below(settings.data), table))

    return dimension


def _coverage(settings: Settings) -> dg.AssetsDefinition:
    @dg.multi_asset(name=COVERAGE.name, specs=[_spec(COVERAGE, deps=[table_key(LOAD_AUDIT)])])
    def coverage(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        raw_log = RawLog(settings.data)
        as_of = _as_of(raw_log, context.run.run_id)
        with exclusive(settings.data, LAKE):
            rows = build_coverage(
                Lakes.below(settings.data), raw_log, settings.first_month_at(as_of), as_of, settings.time_zone
            )
        return _result(COVERAGE, rows)

    return coverage


def _warehouse(settings: Settings, progress: Progress) -> dg.AssetsDefinition:
    @dg.asset(
        key="warehouse",
        deps=[table_key(table) for table in PUBLISHED_TABLES],
        description=(
            f"`{DATABASE}`: views over the exact files of one version of every table, with comments. Built aside and "
            "renamed over the old one, so a reader keeps the complete state that it opened. Fails, after publishing "
            "what there is, when something could not be read."
        ),
        group_name="publication",
        kinds={"duckdb"},
    )
    def warehouse(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        lakes = Lakes.below(settings.data)
        with exclusive(settings.data, LAKE):
            publication = publish_warehouse(lakes, settings.data)
        progress.on_stage(f"published {publication.path}")
        yield dg.MaterializeResult(
            metadata={
                "path": dg.MetadataValue.path(str(publication.path)),
                "files": publication.files,
                **{f"rows_{name}": rows for name, rows in publication.rows.items()},
            }
        )
        failures = failed_readings(lakes, context.run.run_id)
        if failures:
            raise dg.Failure(f"Published, but not everything could be read. {' '.join(failures)}", allow_retries=False)

    return warehouse


def failed_readings(lakes: Lakes, run_id: str) -> list[str]:
    """What a run could not read, one sentence each, naming vendor, endpoint, scope and cause."""
    failed = (
        lakes.published.scan(LOAD_AUDIT)
        .filter(pl.col("run_id") == run_id, pl.col("state") == "failed")
        .select("vendor", "endpoint", "scope", "message")
        .collect()
    )
    return [
        f"{vendor} {endpoint}{'' if scope == 'all' else f' ({scope})'}: {message}"
        for vendor, endpoint, scope, message in failed.sort("vendor", "endpoint", "scope").iter_rows()
    ]


def _raw_keys_of(table: Table) -> list[dg.AssetKey]:
    return [
        raw_key(endpoint)
        for vendor in ENDPOINTS
        for endpoint in ENDPOINTS[vendor]
        if STAGINGS[endpoint.vendor, endpoint.name].table == table
    ]


def _spec(table: Table, deps: Sequence[dg.AssetKey]) -> dg.AssetSpec:
    return dg.AssetSpec(
        table_key(table),
        deps=deps,
        description=table.description,
        group_name=table.group,
        kinds={"polars", "deltalake"},
        metadata=table_metadata(table),
    )


def _result(table: Table, rows: int, **counts: int | str) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(asset_key=table_key(table), metadata={"dagster/row_count": rows, **counts})


def _log_months(context: dg.AssetExecutionContext, built: Sequence[BuiltMonth]) -> None:
    """Record each month of each fact as its own partition, which the step that built them is not."""
    for each in built:
        energy = {} if each.energy_kwh is None else {"energy_kwh": each.energy_kwh}
        context.log_event(
            dg.AssetMaterialization(
                table_key(each.table),
                partition=each.month,
                metadata={"dagster/partition_row_count": each.rows, **energy},
            )
        )


def _asked_months(config: Anew) -> list[str] | None:
    if not config.from_month:
        return None
    return months_between(config.from_month, config.to_month or config.from_month)


def _as_of(raw_log: RawLog, run_id: str) -> datetime:
    """The run's now: that of its readings; where it read nothing, of the last that did; before any, the clock's."""
    readings = raw_log.readings()
    mine = readings.filter(pl.col("run_id") == run_id)
    told = (mine if mine.height else readings)["as_of"]
    return max(told) if told.len() else run_instant("")
