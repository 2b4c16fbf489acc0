"""The tables of the lake and the publication as assets, in the order in which a record travels through them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
import polars as pl

from pipelines.layout import DATABASE
from pipelines.locks import LAKE, exclusive
from pipelines.orchestration.abandoned_runs import hold_run
from pipelines.orchestration.column_lineage import lineage_metadata
from pipelines.orchestration.column_metadata import table_metadata
from pipelines.orchestration.month_metadata import MonthTotals, metadata_by_month, month_totals
from pipelines.orchestration.previews import preview, table_preview
from pipelines.orchestration.raw_assets import raw_key, raw_metadata_of
from pipelines.orchestration.step_causes import incomplete
from pipelines.raw.extraction import extract
from pipelines.raw.progress import Progress
from pipelines.raw.questions import backfill, check_months, run_instant
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
from pipelines.tables.lakes import MONTHLY_FACTS, NEWS, Lakes, row_count
from pipelines.tables.monthly_facts import BuiltMonth, build_months, pending_months
from pipelines.tables.quality import measure_months
from pipelines.tables.staging import StagingOutcome, discard_staged, stage
from pipelines.tables.upgrade import refuse_outdated, upgrade
from pipelines.vendors import ENDPOINTS
from transforms.months import months_between
from transforms.touched import NO_MONTH
from transforms.vendors import STAGINGS
from warehouse.tables import (
    COVERAGE,
    LATENESS,
    LOAD_AUDIT,
    MONTH_QUALITY,
    OPEN_SESSION,
    PUBLISHED_TABLES,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
    STAGED_SESSION,
    TABLES,
    TOUCHED_MONTH,
    VOCABULARY,
)
from warehouse.tables.table import Table

PUBLICATION = "publication"
"""The pool of the runs that publish."""

MONTH_READING = dg.AssetKey(["ops", "month_reading"])
"""Not a table: what it stands for is in the raw log."""


class Anew(dg.Config):
    """Whether to stage the whole raw log again, and for which months of the facts (empty: all)."""

    from_raw: bool = False
    from_month: str = ""
    to_month: str = ""


def table_key(table: Table) -> dg.AssetKey:
    """Published tables go by their name in DuckDB, the others below their group."""
    return dg.AssetKey([table.name] if table.database_schema == "main" else [table.database_schema, table.name])


def build_table_assets(
    settings: Settings, lakes: Lakes, months: dg.MonthlyPartitionsDefinition, progress: Progress
) -> list[dg.AssetsDefinition]:
    """Every table of the lake, and the published warehouse."""
    return [
        _staged_tables(settings, lakes, progress),
        _monthly_facts(settings, lakes, months),
        _touched_months(settings, lakes, progress),
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
            *(_spec(table, deps=_raw_keys_of(table)) for table in staged),
            _spec(LOAD_AUDIT, deps=_all_raw_keys()),
            _spec(LATENESS, deps=_raw_keys_of(STAGED_SESSION)),
            _spec(VOCABULARY, deps=_all_raw_keys()),
        ],
    )
    def staged_tables(context: dg.AssetExecutionContext, config: Anew) -> Iterator[dg.MaterializeResult[None]]:
        run_id = context.run.run_id
        hold_run(settings.data, run_id)
        progress.on_read()
        with exclusive(
            settings.data, LAKE, lambda: progress.on_stage("waiting for another run that writes the tables")
        ):
            upgrade(lakes, progress.on_stage)
            outcome = _stage_what_is_asked(RawLog(settings.data), lakes, settings, config, run_id, progress)
        newest_touched = lakes.published.scan(TOUCHED_MONTH).select(pl.col("number").max()).collect().item()
        for table in staged:
            yield _result(
                table,
                row_count(lakes.staging, table),
                # A session that was seen running once more is news, and changes nothing of what is built.
                newest_touched if table == STAGED_SESSION else lakes.staging.mark(table, NEWS),
                rows_received=outcome.rows_received.get(table.name, 0),
            )
        yield _result(
            LOAD_AUDIT,
            row_count(lakes.published, LOAD_AUDIT),
            months_touched=", ".join(outcome.touched_months) or "none",
            months_touched_and_why=touched_in_words(lakes, run_id),
            preview=table_preview(lakes.published.scan(LOAD_AUDIT).filter(pl.col("run_id") == run_id)),
        )
        for table in (LATENESS, VOCABULARY):
            yield _result(
                table,
                row_count(lakes.published, table),
                preview=table_preview(lakes.published.scan(table), last=True),
            )

    return staged_tables


def _stage_what_is_asked(
    raw_log: RawLog, lakes: Lakes, settings: Settings, config: Anew, run_id: str, progress: Progress
) -> StagingOutcome:
    """Stage what has come since the last time; the whole raw log where that is asked. The caller holds the lake's
    lock."""
    as_of = run_as_of(raw_log.readings(), run_id)
    if not config.from_raw:
        return stage(raw_log, lakes, settings.time_zone, as_of, run_id)
    months = _asked_months(config)
    if months is not None:
        # What has come since touches months of its own, which are to be built as well.
        stage(raw_log, lakes, settings.time_zone, as_of, run_id)
    progress.on_stage("staging the whole raw log again")
    discard_staged(lakes)
    forget_damaged(lakes)
    return stage(raw_log, lakes, settings.time_zone, as_of, run_id, months)


def _monthly_facts(settings: Settings, lakes: Lakes, months: dg.MonthlyPartitionsDefinition) -> dg.AssetsDefinition:
    reading = dg.AssetSpec(
        MONTH_READING,
        deps=_all_raw_keys(),
        description=(
            "A month read again. Materializing it asks every vendor for the month once more, also where the refresh "
            "has long passed it, and takes in what differs. Together with the facts (job backfill_months) the month is "
            "rebuilt from that in the same run."
        ),
        group_name="operations",
        kinds={"dlt", "parquet"},
        skippable=True,
    )

    @dg.multi_asset(
        name="monthly_facts",
        specs=[
            reading,
            *(
                _spec(table, deps=[table_key(STAGED_SESSION), table_key(STAGED_CHARGE_STATION)], skippable=True)
                for table in MONTHLY_FACTS
            ),
        ],
        partitions_def=months,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool=LAKE,
    )
    def monthly_facts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        """Build the selected months anew from the staged sessions, all three facts of each; read them again before that
        where that is selected. Sessions without a month are built along where they are pending."""
        hold_run(settings.data, context.run.run_id)
        failures: list[str] = []
        if MONTH_READING in context.selected_asset_keys:
            failures = _read_again(context, settings, lakes)
            yield dg.MaterializeResult(asset_key=MONTH_READING, metadata={"failures": len(failures)})
        if context.selected_asset_keys - {MONTH_READING}:
            with exclusive(settings.data, LAKE):
                refuse_outdated(lakes)
                asked = list(context.partition_keys)
                chosen = [*asked, *({NO_MONTH} & set(pending_months(lakes)))]
                before = month_totals(lakes, chosen)
                built = build_months(lakes, chosen, settings.time_zone)
                _measure(context, lakes, chosen, settings.time_zone)
            described = _described(lakes, before, built, settings.time_zone)
            for table in MONTHLY_FACTS:
                if table_key(table) not in context.selected_asset_keys:
                    _log_months(context, [each for each in built if each.table == table], described)
                    continue
                for month in asked:
                    context.add_asset_metadata(described[table, month], asset_key=table_key(table), partition_key=month)
                yield dg.MaterializeResult(asset_key=table_key(table))
        if failures:
            raise incomplete("Not everything could be read.", failures)

    return monthly_facts


def _read_again(context: dg.AssetExecutionContext, settings: Settings, lakes: Lakes) -> list[str]:
    """Read the selected months from every vendor that is on, and take in what came. Gives what could not be read."""
    raw_log, run_id = RawLog(settings.data), context.run.run_id
    if not settings.vendors:
        raise dg.Failure("No vendor is configured: set its variables (see .env.example).", allow_retries=False)
    as_of = run_instant("")
    months = context.partition_keys
    readings = extract(settings, settings.vendors, backfill(settings, as_of, months[0], months[-1]), run_id)
    for vendor in settings.vendors:
        for endpoint in ENDPOINTS[vendor]:
            metadata = raw_metadata_of(endpoint, readings)
            context.log_event(dg.AssetMaterialization(raw_key(endpoint), metadata=metadata))
    with exclusive(settings.data, LAKE):
        upgrade(lakes)
        stage(raw_log, lakes, settings.time_zone, as_of, run_id)
        build_open_sessions(lakes)
        for table in DIMENSIONS:
            build_dimension(lakes, table)
        build_coverage(settings, lakes, raw_log, as_of)
    return failed_readings(lakes, run_id)


def _touched_months(settings: Settings, lakes: Lakes, progress: Progress) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=TOUCHED_MONTH.name,
        specs=[
            _spec(TOUCHED_MONTH, deps=[table_key(STAGED_SESSION), table_key(STAGED_CHARGE_STATION)]),
            # Not of the facts, which it counts: a blocking check of theirs is judged by it, and would wait for itself.
            _spec(MONTH_QUALITY, deps=[table_key(table) for table in (STAGED_SESSION, STAGED_LOCATION)]),
        ],
        pool=LAKE,
    )
    def touched_month(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        """Build every month of the facts that newly staged rows touched, and no other; count what stands in them."""
        hold_run(settings.data, context.run.run_id)
        with exclusive(settings.data, LAKE):
            refuse_outdated(lakes)
            pending = pending_months(lakes)
            before = month_totals(lakes, pending)
            built = build_months(lakes, pending, settings.time_zone, builds_all=True)
            measure_months(lakes, pending, settings.time_zone)
        _log_months(context, built, _described(lakes, before, built, settings.time_zone))
        months = sorted({each.month for each in built})
        if months:
            progress.on_stage(f"built {len(months)} month(s): {months[0]} to {months[-1]}")
        yield _result(
            TOUCHED_MONTH,
            row_count(lakes.published, TOUCHED_MONTH),
            months_built=", ".join(months) or "none",
            months_touched_and_why=touched_in_words(lakes, context.run.run_id),
        )
        yield _result(
            MONTH_QUALITY,
            row_count(lakes.published, MONTH_QUALITY),
            preview=table_preview(lakes.published.scan(MONTH_QUALITY).sort("month", "vendor"), last=True),
        )

    return touched_month


def _measure(context: dg.AssetExecutionContext, lakes: Lakes, months: Sequence[str], time_zone: str) -> None:
    """Count what stands in the months that a partitioned run has built, and record that, which is no partition."""
    measure_months(lakes, months, time_zone)
    rows = row_count(lakes.published, MONTH_QUALITY)
    context.log_event(dg.AssetMaterialization(table_key(MONTH_QUALITY), metadata={"dagster/row_count": rows}))


def _open_sessions(settings: Settings, lakes: Lakes) -> dg.AssetsDefinition:
    @dg.multi_asset(name=OPEN_SESSION.name, specs=[_spec(OPEN_SESSION, deps=[table_key(STAGED_SESSION)])])
    def open_session() -> dg.MaterializeResult[None]:
        with exclusive(settings.data, LAKE):
            rows = build_open_sessions(lakes)
        return _result(OPEN_SESSION, rows, preview=table_preview(lakes.published.scan(OPEN_SESSION)))

    return open_session


def _dimension(settings: Settings, lakes: Lakes, table: Table) -> dg.AssetsDefinition:
    @dg.multi_asset(name=table.name, specs=[_spec(table, deps=[table_key(DIMENSIONS[table][0])])])
    def dimension() -> dg.MaterializeResult[None]:
        with exclusive(settings.data, LAKE):
            rows = build_dimension(lakes, table)
        return _result(table, rows, preview=table_preview(lakes.published.scan(table)))

    return dimension


def _coverage(settings: Settings, lakes: Lakes) -> dg.AssetsDefinition:
    # After the staging, which notes what the run could not read. Not of the audit: a blocking check of its would keep
    # from being known what is missing.
    @dg.multi_asset(name=COVERAGE.name, specs=[_spec(COVERAGE, deps=[*_all_raw_keys(), table_key(STAGED_SESSION)])])
    def coverage(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        raw_log = RawLog(settings.data)
        as_of = run_as_of(raw_log.readings(), context.run.run_id)
        with exclusive(settings.data, LAKE):
            rows = build_coverage(settings, lakes, raw_log, as_of)
        gaps = lakes.published.scan(COVERAGE).filter("is_asked", pl.col("state") != "complete").collect()
        yield _result(COVERAGE, rows, months_not_complete=gaps.height, preview=preview(gaps.sort("month")))

    return coverage


def _warehouse(settings: Settings, lakes: Lakes, progress: Progress) -> dg.AssetsDefinition:
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
        pool=PUBLICATION,
    )
    def warehouse(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
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
            raise incomplete("Published, but not everything could be read.", failures)

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


def _all_raw_keys() -> list[dg.AssetKey]:
    return [raw_key(endpoint) for vendor in ENDPOINTS for endpoint in ENDPOINTS[vendor]]


def _raw_keys_of(table: Table) -> list[dg.AssetKey]:
    return [
        raw_key(endpoint)
        for vendor in ENDPOINTS
        for endpoint in ENDPOINTS[vendor]
        if STAGINGS[endpoint.vendor, endpoint.name].table == table
    ]


def _spec(table: Table, deps: Sequence[dg.AssetKey], *, skippable: bool = False) -> dg.AssetSpec:
    return dg.AssetSpec(
        table_key(table),
        deps=deps,
        description=table.description,
        group_name=table.group,
        kinds={"polars", "deltalake"},
        metadata=table_metadata(table),
        skippable=skippable,
    )


def _result(table: Table, rows: int, version: int | None = None, **told: Any) -> dg.MaterializeResult[None]:
    """What a step tells of a table that it has written.

    `version`: another number after every change of the table, by which Dagster tells that what is built of it is out of
    date; without it every run counts as a change.
    """
    metadata = {"dagster/row_count": rows, **told, **lineage_metadata(table)}
    data_version = None if version is None else dg.DataVersion(str(version))
    return dg.MaterializeResult(asset_key=table_key(table), metadata=metadata, data_version=data_version)


Described = Mapping[tuple[Table, str], dict[str, Any]]
"""What is told of each month of each fact."""


def _described(lakes: Lakes, before: MonthTotals, built: Sequence[BuiltMonth], time_zone: str) -> Described:
    described = metadata_by_month(lakes, before, built, time_zone)
    for table in {each.table for each in built}:
        newest = max(each.month for each in built if each.table == table)
        described[table, newest] |= lineage_metadata(table)
    return described


def _log_months(context: dg.AssetExecutionContext, built: Sequence[BuiltMonth], described: Described) -> None:
    """Record each month of each fact as its own partition, which the step that built them is not."""
    for each in sorted(built, key=lambda one: one.month):
        context.log_event(
            dg.AssetMaterialization(
                table_key(each.table), partition=each.month, metadata=dict(described[each.table, each.month])
            )
        )


def touched_in_words(lakes: Lakes, run_id: str) -> dg.MarkdownMetadataValue:
    """The months that the run's rows touched and why, as a table."""
    touched = lakes.published.scan(TOUCHED_MONTH).filter(pl.col("run_id") == run_id)
    months = touched.group_by("month").agg(pl.col("reason").sort().str.join(", ")).sort("month").collect()
    return preview(months) if months.height else dg.MetadataValue.md("none")


def _asked_months(config: Anew) -> list[str] | None:
    """The months between the two that are asked for, both included; None for all. Raises ConfigurationError."""
    if not config.from_month and not config.to_month:
        return None
    check_months(config.from_month, config.to_month)
    return months_between(config.from_month, config.to_month)
