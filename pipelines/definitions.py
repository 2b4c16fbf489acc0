"""Everything Dagster knows of Chargehouse. Building it only looks which months are stored."""

from collections.abc import Sequence

import dagster as dg

from pipelines.alerts import build_alert_sensors
from pipelines.checks import build_checks
from pipelines.jobs import BUILD_MONTHS, PUBLISH, build_jobs
from pipelines.lakes import Lakes
from pipelines.partitions import month_partitions
from pipelines.progress import SILENT, Progress
from pipelines.radar_assets import build_radar
from pipelines.raw_assets import build_raw_assets
from pipelines.schedules import build_schedules
from pipelines.sensors import build_sensors
from pipelines.settings import Settings
from pipelines.table_assets import build_table_assets


def build_definitions(
    settings: Settings, progress: Progress = SILENT, vendors: Sequence[str] | None = None
) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors over the settings.

    `progress` tells a person what a run is doing. `vendors`: those that the jobs read; all that are on by default.
    """
    # One for all steps of a run, so that no table is opened twice.
    lakes = Lakes.below(settings.data)
    months = month_partitions(settings, lakes.published)
    read = settings.vendors if vendors is None else vendors
    jobs = build_jobs(read)
    asked_for = [job for job in jobs if job.name in (BUILD_MONTHS, PUBLISH)]
    return dg.Definitions(
        assets=[
            build_raw_assets(settings, progress),
            *build_table_assets(settings, lakes, months, progress),
            build_radar(settings, lakes),
        ],
        asset_checks=build_checks(settings, lakes),
        jobs=jobs,
        schedules=build_schedules(settings) if read else [],
        sensors=[*build_sensors(settings, months, asked_for), *build_alert_sensors(settings)],
        executor=dg.in_process_executor,
    )
