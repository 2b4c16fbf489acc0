"""The jobs and their schedule: one selection of assets, asked in different ways. Each run stays in one process."""

from collections.abc import Mapping

import dagster as dg

from pipelines.raw_assets import raw_keys
from pipelines.settings import Settings
from pipelines.staging import MONTHLY_FACTS
from pipelines.table_assets import table_key
from warehouse.tables import TABLES

DAILY = "15 3 * * *"
"""At a quarter past three in the configured zone, when charging days are over and vendors are least busy."""

BUILT_KEYS = (*(table_key(table) for table in TABLES if table not in MONTHLY_FACTS), dg.AssetKey("warehouse"))
"""What every job builds. The monthly facts are partitioned and cannot stand in one run with the rest: the step of the
touched months builds them, and records each month as a partition."""


def build_jobs(settings: Settings) -> dg.Definitions:
    """refresh, reconcile, backfill and rebuild over the vendors that are on; and a refresh a day, off at first."""
    read = raw_keys(settings.vendors)
    schedule = dg.ScheduleDefinition(
        name="daily_refresh",
        job_name="refresh",
        cron_schedule=DAILY,
        execution_timezone=settings.time_zone,
        description="Pulls everything new once a day.",
    )
    return dg.Definitions(
        jobs=[
            dg.define_asset_job(
                name,
                selection=dg.AssetSelection.assets(*keys),
                description=description,
                executor_def=dg.in_process_executor,
                config=configuration,
            )
            for name, description, keys, configuration in (
                ("refresh", "Pull everything new, rebuild the months it touches, publish.", [*read, *BUILT_KEYS], None),
                (
                    "reconcile",
                    "Read the last months again and heal what differs: late uploads, silent corrections.",
                    [*read, *BUILT_KEYS],
                    _configured("raw_log", {"kind": "reconcile", "months": 3}) if read else None,
                ),
                (
                    "backfill",
                    "Read the months from_month to to_month again, and rebuild what they touch.",
                    [*read, *BUILT_KEYS],
                    None,
                ),
                (
                    "rebuild",
                    "Rebuild everything from the raw log alone, without asking a vendor.",
                    BUILT_KEYS,
                    _configured("staged_tables", {"from_raw": True}),
                ),
            )
        ],
        schedules=[schedule] if read else [],
    )


def _configured(step: str, values: Mapping[str, object]) -> dict[str, object]:
    return {"ops": {step: {"config": dict(values)}}}
