"""The assets of the tables without month partitions, and of the publication, in the order in which a record travels."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from pipelines.layout import DATABASE
from pipelines.orchestration.abandoned_runs import lake_held_by_run
from pipelines.orchestration.month_metadata import touched_and_why
from pipelines.orchestration.previews import preview, table_preview
from pipelines.orchestration.raw_assets import raw_keys
from pipelines.orchestration.step_causes import failed_readings, incomplete
from pipelines.orchestration.table_specs import raw_keys_of, table_key, table_result, table_spec
from pipelines.raw.progress import Progress
from pipelines.raw.questions import check_months
from pipelines.raw.raw_log import RawLog
from pipelines.raw.readings import run_as_of
from pipelines.settings import Settings
from pipelines.tables.building import (
    DIMENSIONS,
    build_coverage,
    build_dimension,
    build_open_sessions,
    forget_damaged,
    publish_warehouse,
)
from pipelines.tables.lakes import NEWS, Lakes, row_count
from pipelines.tables.staging import StagingOutcome, discard_staged, stage
from pipelines.tables.upgrade import upgrade
from pipelines.vendors import ENDPOINTS
from transforms.months import months_between
from warehouse.tables import (
    COVERAGE,
    LATENESS,
    LOAD_AUDIT,
    OPEN_SESSION,
    PUBLISHED_TABLES,
    STAGED_SESSION,
    TABLES,
    TOUCHED_MONTH,
    VOCABULARY,
)
from warehouse.tables.table import Table

PUBLICATION = "publication"
"""The pool of the runs that publish."""


class Anew(dg.Config):
    """Whether to stage the whole raw log again, and for which months of the facts (empty: all)."""

    from_raw: bool = False
    from_month: str = ""
    to_month: str = ""


def build_table_assets(settings: Settings, lakes: Lakes, progress: Progress) -> list[dg.AssetsDefinition]:
    """What staging writes, the running sessions, the dimensions, the coverage, and the published warehouse."""
    return [
        _staged_tables(settings, lakes, progress),
        _open_sessions(settings, lakes),
        *(_dimension(settings, lakes, table) for table in DIMENSIONS),
        _coverage(settings, lakes),
        _warehouse(settings, lakes, progress),
    ]


def _staged_tables(settings: Settings, lakes: Lakes, progress: Progress) -> dg.AssetsDefinition:
    staged = [table for table in TABLES if table.group == "staging"]

    @dg.multi_asset(
        name="staged_tables",
        specs=[
            *(table_spec(table, deps=raw_keys_of(table)) for table in staged),
            table_spec(LOAD_AUDIT, deps=raw_keys([*ENDPOINTS])),
            table_spec(LATENESS, deps=raw_keys_of(STAGED_SESSION)),
            table_spec(VOCABULARY, deps=raw_keys([*ENDPOINTS])),
        ],
    )
    def staged_tables(context: dg.AssetExecutionContext, config: Anew) -> Iterator[dg.MaterializeResult[None]]:
        run_id = context.run.run_id
        progress.on_read()
        with lake_held_by_run(
            settings.data, run_id, lambda: progress.on_stage("waiting for another run that writes the tables")
        ):
            upgrade(lakes, progress.on_stage)
            outcome = _stage_what_is_asked(RawLog(settings.data), lakes, settings, config, run_id, progress)
        newest_touched = lakes.published.scan(TOUCHED_MONTH).select(pl.col("number").max()).collect().item()
        for table in staged:
            yield table_result(
                table,
                row_count(lakes.staging, table),
                # Not NEWS, which changes when a session is seen running once more: that touches no month of the facts.
                newest_touched if table == STAGED_SESSION else lakes.staging.mark(table, NEWS),
                rows_received=outcome.rows_received.get(table.name, 0),
            )
        yield table_result(
            LOAD_AUDIT,
            row_count(lakes.published, LOAD_AUDIT),
            months_touched=", ".join(outcome.touched_months) or "none",
            months_touched_and_why=touched_and_why(lakes, run_id),
            preview=table_preview(lakes.published.scan(LOAD_AUDIT).filter(pl.col("run_id") == run_id)),
        )
        for table in (LATENESS, VOCABULARY):
            yield table_result(
                table,
                row_count(lakes.published, table),
                preview=table_preview(lakes.published.scan(table), last=True),
            )

    return staged_tables


def _stage_what_is_asked(
    raw_log: RawLog, lakes: Lakes, settings: Settings, config: Anew, run_id: str, progress: Progress
) -> StagingOutcome:
    """Stage what has come since the last time, or the whole raw log if the config says so. The caller holds the lake's
    lock."""
    as_of = run_as_of(raw_log.readings(), run_id)
    if not config.from_raw:
        return stage(raw_log, lakes, settings.time_zone, as_of, run_id, on_stage=progress.on_stage)
    months = _asked_months(config)
    if months is not None:
        # The loads since the last staging touch months of their own, which must be built as well.
        stage(raw_log, lakes, settings.time_zone, as_of, run_id)
    progress.on_stage("staging the whole raw log again")
    discard_staged(lakes)
    forget_damaged(lakes)
    return stage(raw_log, lakes, settings.time_zone, as_of, run_id, months)


def _open_sessions(settings: Settings, lakes: Lakes) -> dg.AssetsDefinition:
    @dg.multi_asset(name=OPEN_SESSION.name, specs=[table_spec(OPEN_SESSION, deps=[table_key(STAGED_SESSION)])])
    def open_session(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with lake_held_by_run(settings.data, context.run.run_id):
            rows = build_open_sessions(lakes)
        return table_result(OPEN_SESSION, rows, preview=table_preview(lakes.published.scan(OPEN_SESSION)))

    return open_session


def _dimension(settings: Settings, lakes: Lakes, table: Table) -> dg.AssetsDefinition:
    @dg.multi_asset(name=table.name, specs=[table_spec(table, deps=[table_key(DIMENSIONS[table][0])])])
    def dimension(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        with lake_held_by_run(settings.data, context.run.run_id):
            rows = build_dimension(lakes, table)
        return table_result(table, rows, preview=table_preview(lakes.published.scan(table)))

    return dimension


def _coverage(settings: Settings, lakes: Lakes) -> dg.AssetsDefinition:
    # Depends on staging, which notes what the run could not read. Not on the audit: if its blocking check failed, the
    # coverage could not show what is missing.
    @dg.multi_asset(
        name=COVERAGE.name, specs=[table_spec(COVERAGE, deps=[*raw_keys([*ENDPOINTS]), table_key(STAGED_SESSION)])]
    )
    def coverage(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        raw_log = RawLog(settings.data)
        as_of = run_as_of(raw_log.readings(), context.run.run_id)
        with lake_held_by_run(settings.data, context.run.run_id):
            rows = build_coverage(settings, lakes, raw_log, as_of)
        gaps = lakes.published.scan(COVERAGE).filter("is_asked", pl.col("state") != "complete").collect()
        yield table_result(COVERAGE, rows, months_not_complete=gaps.height, preview=preview(gaps.sort("month")))

    return coverage


def _warehouse(settings: Settings, lakes: Lakes, progress: Progress) -> dg.AssetsDefinition:
    @dg.asset(
        key="warehouse",
        deps=[table_key(table) for table in PUBLISHED_TABLES],
        description=(
            f"`{DATABASE}`: views over the exact files of one version of every table, with comments. Built beside the "
            "old file and renamed over it, so a reader keeps the complete state that it opened. If something could not "
            "be read, this step publishes what there is, and then fails."
        ),
        group_name="publication",
        kinds={"duckdb"},
        pool=PUBLICATION,
    )
    def warehouse(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        with lake_held_by_run(settings.data, context.run.run_id):
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
            raise incomplete("Published, but not everything could be read.", failures)

    return warehouse


def _asked_months(config: Anew) -> list[str] | None:
    """The months from `from_month` to `to_month`, both included; None for all. Raises ConfigurationError."""
    if not config.from_month and not config.to_month:
        return None
    check_months(config.from_month, config.to_month)
    return months_between(config.from_month, config.to_month)
