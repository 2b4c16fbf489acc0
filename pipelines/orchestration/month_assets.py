"""The monthly facts as assets: the months that a run touched, or those that somebody selected."""

from collections.abc import Iterator, Sequence

import dagster as dg

from pipelines.locks import LAKE
from pipelines.orchestration.abandoned_runs import hold_run, lake_held_by_run
from pipelines.orchestration.month_metadata import log_months, metadata_by_month, month_totals, touched_and_why
from pipelines.orchestration.previews import table_preview
from pipelines.orchestration.raw_assets import raw_key, raw_keys, raw_metadata_of
from pipelines.orchestration.step_causes import failed_readings, incomplete
from pipelines.orchestration.table_specs import table_key, table_result, table_spec
from pipelines.raw.extraction import extract
from pipelines.raw.progress import Progress
from pipelines.raw.questions import backfill, run_instant
from pipelines.raw.raw_log import RawLog
from pipelines.settings import Settings
from pipelines.tables.building import DIMENSIONS, build_coverage, build_dimension, build_open_sessions
from pipelines.tables.lakes import MONTHLY_FACTS, Lakes, row_count
from pipelines.tables.monthly_facts import build_months, pending_months
from pipelines.tables.quality import measure_months
from pipelines.tables.staging import refuse_other_time_zone, stage
from pipelines.tables.upgrade import refuse_outdated, upgrade
from pipelines.vendors import ENDPOINTS
from transforms.touched import NO_MONTH
from warehouse.tables import MONTH_QUALITY, STAGED_CHARGE_STATION, STAGED_LOCATION, STAGED_SESSION, TOUCHED_MONTH

MONTH_READING = dg.AssetKey(["ops", "month_reading"])
"""Not a table: the rows that it stands for are in the raw log."""


def build_month_assets(
    settings: Settings, lakes: Lakes, months: dg.MonthlyPartitionsDefinition, progress: Progress
) -> list[dg.AssetsDefinition]:
    """The facts with a partition for each month, and the step that builds the months that were touched."""
    return [_monthly_facts(settings, lakes, months), _touched_months(settings, lakes, progress)]


def _monthly_facts(settings: Settings, lakes: Lakes, months: dg.MonthlyPartitionsDefinition) -> dg.AssetsDefinition:
    reading = dg.AssetSpec(
        MONTH_READING,
        deps=raw_keys([*ENDPOINTS]),
        description=(
            "A month read again. Materializing it requests the month from every vendor again, even if it was read long "
            "ago, and stages what differs. With the facts selected as well (job backfill_months), the same run also "
            "rebuilds the month."
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
                table_spec(table, deps=[table_key(STAGED_SESSION), table_key(STAGED_CHARGE_STATION)], skippable=True)
                for table in MONTHLY_FACTS
            ),
        ],
        partitions_def=months,
        backfill_policy=dg.BackfillPolicy.single_run(),
        can_subset=True,
        pool=LAKE,
    )
    def monthly_facts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        """Rebuild the selected months from the staged sessions, all three facts of each. If the month reading is
        selected, first read them from the vendors again. Pending sessions without a month are built as well."""
        hold_run(settings.data, context.run.run_id)
        failures: list[str] = []
        if MONTH_READING in context.selected_asset_keys:
            failures = _read_again(context, settings, lakes)
            yield dg.MaterializeResult(asset_key=MONTH_READING, metadata={"failures": len(failures)})
        if context.selected_asset_keys - {MONTH_READING}:
            with lake_held_by_run(settings.data, context.run.run_id):
                refuse_outdated(lakes)
                refuse_other_time_zone(lakes, settings.time_zone)
                asked = list(context.partition_keys)
                chosen = [*asked, *({NO_MONTH} & set(pending_months(lakes)))]
                before = month_totals(lakes, chosen)
                built = build_months(lakes, chosen, settings.time_zone)
                _measure(context, lakes, chosen, settings.time_zone)
            described = metadata_by_month(lakes, before, built, settings.time_zone)
            for table in MONTHLY_FACTS:
                if table_key(table) not in context.selected_asset_keys:
                    log_months(context, [each for each in built if each.table == table], described)
                    continue
                for month in asked:
                    context.add_asset_metadata(described[table, month], asset_key=table_key(table), partition_key=month)
                yield dg.MaterializeResult(asset_key=table_key(table))
        if failures:
            raise incomplete("Not everything could be read.", failures)

    return monthly_facts


def _read_again(context: dg.AssetExecutionContext, settings: Settings, lakes: Lakes) -> list[str]:
    """Read the selected months again from every configured vendor, stage what came, and build the running sessions,
    dimensions and coverage from it. Returns what could not be read."""
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
    with lake_held_by_run(settings.data, context.run.run_id):
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
            table_spec(TOUCHED_MONTH, deps=[table_key(STAGED_SESSION), table_key(STAGED_CHARGE_STATION)]),
            # Not on the facts, which it counts: their blocking checks read it, and would wait for themselves.
            table_spec(MONTH_QUALITY, deps=[table_key(table) for table in (STAGED_SESSION, STAGED_LOCATION)]),
        ],
        pool=LAKE,
    )
    def touched_month(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        """Build every month of the facts that newly staged rows touched, and no other; count what these months hold."""
        with lake_held_by_run(settings.data, context.run.run_id):
            refuse_outdated(lakes)
            refuse_other_time_zone(lakes, settings.time_zone)
            pending = pending_months(lakes)
            before = month_totals(lakes, pending)
            built = build_months(lakes, pending, settings.time_zone, builds_all=True)
            measure_months(lakes, pending, settings.time_zone)
        log_months(context, built, metadata_by_month(lakes, before, built, settings.time_zone))
        months = sorted({each.month for each in built})
        if months:
            progress.on_stage(f"built {len(months)} month(s): {months[0]} to {months[-1]}")
        yield table_result(
            TOUCHED_MONTH,
            row_count(lakes.published, TOUCHED_MONTH),
            months_built=", ".join(months) or "none",
            months_touched_and_why=touched_and_why(lakes, context.run.run_id),
        )
        yield table_result(
            MONTH_QUALITY,
            row_count(lakes.published, MONTH_QUALITY),
            preview=table_preview(lakes.published.scan(MONTH_QUALITY).sort("month", "vendor"), last=True),
        )

    return touched_month


def _measure(context: dg.AssetExecutionContext, lakes: Lakes, months: Sequence[str], time_zone: str) -> None:
    """Count what the months hold that a partitioned run built; record the counts, which are not partitioned."""
    measure_months(lakes, months, time_zone)
    rows = row_count(lakes.published, MONTH_QUALITY)
    context.log_event(dg.AssetMaterialization(table_key(MONTH_QUALITY), metadata={"dagster/row_count": rows}))
