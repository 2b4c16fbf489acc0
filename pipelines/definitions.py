"""Everything that Dagster knows about Chargehouse. Building it only looks up which months are stored."""

from collections.abc import Sequence

import dagster as dg

from pipelines.orchestration.alerts import build_alert_sensors
from pipelines.orchestration.checks import build_checks
from pipelines.orchestration.jobs import BUILD_MONTHS, PUBLISH, build_jobs
from pipelines.orchestration.month_assets import build_month_assets
from pipelines.orchestration.partitions import month_partitions
from pipelines.orchestration.radar_assets import build_radar
from pipelines.orchestration.raw_assets import build_raw_assets
from pipelines.orchestration.schedules import build_schedules
from pipelines.orchestration.sensors import build_sensors
from pipelines.orchestration.table_assets import build_table_assets
from pipelines.raw.progress import SILENT, Progress
from pipelines.settings import Settings
from pipelines.tables.lakes import Lakes


def build_definitions(
    settings: Settings, progress: Progress = SILENT, vendors: Sequence[str] | None = None
) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors over the settings.

    `progress` tells a person what a run is doing. `vendors`: those that the jobs read; by default all configured.
    """
    # Shared by all steps of a run, so that no table is opened twice.
    lakes = Lakes.below(settings.data)
    months = month_partitions(settings, lakes.published)
    read = settings.vendors if vendors is None else vendors
    jobs = build_jobs(read)
    asked_for = [job for job in jobs if job.name in (BUILD_MONTHS, PUBLISH)]
    return dg.Definitions(
        assets=[
            build_raw_assets(settings, progress),
            *build_table_assets(settings, lakes, progress),
            *build_month_assets(settings, lakes, months, progress),
            build_radar(settings, lakes),
        ],
        asset_checks=build_checks(settings, lakes),
        jobs=jobs,
        schedules=build_schedules(settings) if read else [],
        sensors=[*build_sensors(settings, months, asked_for), *build_alert_sensors(settings)],
        executor=dg.in_process_executor,
    )
