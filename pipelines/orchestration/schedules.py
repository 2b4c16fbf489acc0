"""When runs start by themselves. Every schedule requests the job `load`; the sensor then has the months built."""

from collections.abc import Mapping

import dagster as dg

from pipelines.orchestration.jobs import LOAD, configured
from pipelines.orchestration.sensors import UNFINISHED
from pipelines.raw.questions import RECONCILED_MONTHS
from pipelines.settings import Settings
from warehouse.tables import VENDOR_RADAR

WEEKLY = "40 4 * * 0"
"""On Sundays, after the nightly refresh."""

MONTHLY = "20 5 2 * *"
"""On the second day of a month, when the last day of the month before has been read."""

DEEPLY_RECONCILED_MONTHS = 24
"""As far as the vendors' archives reach."""

READING = "chargehouse/reading"
"""The tag that names what a scheduled run reads."""


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """A refresh, a weekly and a monthly reconcile; none if no vendor is configured."""
    if not settings.vendors:
        return []
    return [
        _schedule(settings, "refresh", settings.refresh_times, "Pulls everything new.", {"kind": "refresh"}),
        _schedule(
            settings,
            "weekly_reconcile",
            WEEKLY,
            f"Reads the last {RECONCILED_MONTHS} months again: late uploads, silent corrections.",
            {"kind": "reconcile", "months": RECONCILED_MONTHS},
        ),
        _schedule(
            settings,
            "monthly_reconcile",
            MONTHLY,
            f"Reads the last {DEEPLY_RECONCILED_MONTHS} months again, as far as the vendors' archives reach.",
            {"kind": "reconcile", "months": DEEPLY_RECONCILED_MONTHS},
        ),
    ]


def _schedule(
    settings: Settings, name: str, times: str, description: str, reach: Mapping[str, object]
) -> dg.ScheduleDefinition:
    default = dg.DefaultScheduleStatus
    steps = (configured("raw_log", reach), configured(VENDOR_RADAR.name, {"fails_on_gaps": True}))
    run_config = {"ops": {name: config for step in steps for name, config in step["ops"].items()}}

    @dg.schedule(
        name=name,
        job_name=LOAD,
        cron_schedule=times,
        execution_timezone=settings.time_zone,
        description=description,
        default_status=default.RUNNING if settings.are_schedules_on else default.STOPPED,
    )
    def load(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # A first reading may take hours: a second one queued behind it would find nothing new.
        same = dg.RunsFilter(job_name=LOAD, tags={READING: name}, statuses=list(UNFINISHED))
        if context.instance.get_runs(same, limit=1):
            return dg.SkipReason(f"The previous {name.replace('_', ' ')} has not ended.")
        return dg.RunRequest(run_config=run_config, tags={READING: name})

    return load
