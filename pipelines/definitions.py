"""Everything Dagster knows of Chargehouse. Building it only looks which months are stored."""

import dagster as dg

from pipelines.jobs import build_jobs
from pipelines.partitions import month_partitions
from pipelines.progress import Progress
from pipelines.raw_assets import build_raw_assets
from pipelines.settings import Settings
from pipelines.table_assets import build_table_assets


def build_definitions(settings: Settings, progress: Progress | None = None) -> dg.Definitions:
    """Assets, jobs and schedules over the settings. `progress` tells a person what a run is doing."""
    told = progress or Progress()
    assets = [build_raw_assets(settings, told), *build_table_assets(settings, month_partitions(settings), told)]
    return dg.Definitions.merge(dg.Definitions(assets=assets, executor=dg.in_process_executor), build_jobs(settings))
