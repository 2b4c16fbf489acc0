"""The sensor that brings the facts up to date: whatever a load touched is built, and then published, without a human.

The sensor keeps no state: each tick looks at the tables. It requests what is pending, unless a run is unfinished, and
requests it again later if the requested run failed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from pipelines.layout import DATABASE
from pipelines.locks import LAKE, is_held
from pipelines.orchestration.abandoned_runs import end_abandoned_runs
from pipelines.orchestration.jobs import BUILD_MONTHS, PUBLISH
from pipelines.settings import Settings
from pipelines.tables.building import unpublished_tables
from pipelines.tables.lakes import Lakes
from pipelines.tables.monthly_facts import pending_news
from pipelines.tables.upgrade import outdated_tables
from transforms.months import month_after

INTERVAL_SECONDS = 30
"""Between two ticks, each of which takes a fraction of a second."""

NEWS = "chargehouse/news"
"""The tag that names the changes (news) that a requested run is to process, by which earlier attempts are found."""

UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 1440))
"""Backoff: how long after the first, the second, ... run that left its news pending the same is tried again."""


@dataclass(frozen=True)
class Task:
    """A run to request. `what` says for people what it builds."""

    job: str
    what: str
    news: str
    partitions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempts:
    """How often a task was tried without success, and when it was last tried."""

    count: int
    last_at: datetime

    @property
    def next_at(self) -> datetime:
        """When it is tried again."""
        return self.last_at + PAUSES[min(self.count, len(PAUSES)) - 1]


def build_sensors(
    settings: Settings,
    months: dg.MonthlyPartitionsDefinition,
    jobs: Sequence[UnresolvedAssetJobDefinition],
) -> list[dg.SensorDefinition]:
    """The sensor `touched_months`. `jobs` are those that it may request."""
    zone = ZoneInfo(settings.time_zone)

    @dg.sensor(
        name="touched_months",
        jobs=jobs,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if settings.are_schedules_on else dg.DefaultSensorStatus.STOPPED
        ),
        description=(
            "Builds exactly the months of the facts that a load touched, one run for each stretch of consecutive "
            "months, and then publishes. Retries what failed, with longer and longer pauses."
        ),
    )
    def touched_months(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        end_abandoned_runs(context.instance, settings.data)
        busy = _busy(context.instance, settings)
        if busy:
            return dg.SensorResult(skip_reason=busy)
        lakes = Lakes.below(settings.data)
        if outdated_tables(lakes):
            return dg.SensorResult(skip_reason="Another version wrote the tables; the next load rebuilds them.")
        pending = pending_news(lakes)
        tasks = build_tasks(pending, set(months.get_partition_keys()))
        if not tasks:
            tasks = publish_tasks(pending, unpublished_tables(lakes, settings.data))
        if not tasks:
            return dg.SensorResult(skip_reason=f"No month is pending; {_published(settings, zone)}.")
        return _requested(tasks, context.instance, zone)

    return [touched_months]


def build_tasks(pending: Mapping[str, int], partitions: set[str]) -> list[Task]:
    """One run for each stretch of consecutive pending months.

    Sessions without a month, and months that appeared after Dagster loaded the partitions, get no run here: the job
    `publish` builds them before it publishes.
    """
    tasks: list[Task] = []
    for stretch in stretches(sorted(set(pending) & partitions)):
        first, last = stretch[0], stretch[-1]
        number = max(pending[month] for month in stretch)
        if first == last:
            tags = {"dagster/partition": first}
        else:
            tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
        what = first if first == last else f"{first} to {last}"
        tasks.append(Task(BUILD_MONTHS, what, f"{what}, touched {number}", tags))
    return tasks


def publish_tasks(pending: Mapping[str, int], unpublished: Mapping[str, int]) -> list[Task]:
    """The publication, if there is something that the current one does not show."""
    if not pending and not unpublished:
        return []
    shown = sorted([*pending.items(), *unpublished.items()])
    return [Task(PUBLISH, "the publication", sha256(repr(shown).encode()).hexdigest()[:16])]


def stretches(months: Sequence[str]) -> list[list[str]]:
    """Sorted months, grouped into stretches without a gap."""
    found: list[list[str]] = [[month] for month in months[:1]]
    for before, month in pairwise(months):
        if month == month_after(before):
            found[-1].append(month)
        else:
            found.append([month])
    return found


def _busy(instance: dg.DagsterInstance, settings: Settings) -> str | None:
    """Why no run is to be requested right now; None if one may be."""
    unfinished = instance.get_runs(dg.RunsFilter(statuses=list(UNFINISHED)))
    if unfinished:
        names = sorted({"an ad-hoc run" if run.job_name.startswith("__") else run.job_name for run in unfinished})
        return f"Waiting for {', '.join(names)} to end."
    if is_held(settings.data, LAKE):
        return "Waiting for a run that writes the tables."
    return None


def _requested(tasks: Sequence[Task], instance: dg.DagsterInstance, zone: ZoneInfo) -> dg.SensorResult:
    """The runs to request: for tasks that were not tried yet, or whose pause after the last failure is over."""
    requests: list[dg.RunRequest] = []
    waiting: list[str] = []
    for task in tasks:
        attempts = _attempts(instance, task)
        if attempts is not None and attempts.next_at > datetime.now(UTC):
            waiting.append(
                f"{task.what} was tried {attempts.count} time(s) without success, last at "
                f"{_clock(attempts.last_at, zone)}; the next attempt is after {_clock(attempts.next_at, zone)}"
            )
            continue
        attempt = attempts.count + 1 if attempts is not None else 1
        requests.append(
            dg.RunRequest(
                # If the daemon dies in the middle of this, Dagster does not start the same request twice.
                run_key=f"{task.job} {task.news} {attempt}",
                job_name=task.job,
                tags={**task.partitions, NEWS: task.news},
            )
        )
    if not requests:
        return dg.SensorResult(skip_reason=f"{'; '.join(waiting)}.")
    return dg.SensorResult(run_requests=requests)


def _attempts(instance: dg.DagsterInstance, task: Task) -> Attempts | None:
    """The finished runs that were to process the same news. It is still pending, so none of them succeeded."""
    same = dg.RunsFilter(job_name=task.job, tags={NEWS: task.news}, statuses=list(FINISHED))
    records = instance.get_run_records(same)
    if not records:
        return None
    return Attempts(len(records), max(record.update_timestamp for record in records))


def _published(settings: Settings, zone: ZoneInfo) -> str:
    path = settings.data / DATABASE
    if not path.exists():
        return "nothing is published"
    return f"published {_clock(datetime.fromtimestamp(path.stat().st_mtime, UTC), zone)}"


def _clock(instant: datetime, zone: ZoneInfo) -> str:
    """The time of day as people read it, with the date unless that is today."""
    local = instant.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == datetime.now(zone).date() else f"{local:%Y-%m-%d %H:%M}"
