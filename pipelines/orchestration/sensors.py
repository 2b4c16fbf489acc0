"""The sensor that heals the facts: whatever a load touched is built, and then published, without a human.

Each tick looks at the tables, never at what an earlier tick thought: what is pending is asked for, unless a run is at
it, and asked for again when that run failed.
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
"""Between two looks at what is pending, each of which takes a fraction of a second."""

NEWS = "chargehouse/news"
"""The tag that names what a requested run is to take in: the same news is not asked for twice."""

UNFINISHED = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360, 1440))
"""How long after a run that left its news pending the same is tried again: the first time, the second, ..."""


@dataclass(frozen=True)
class Task:
    """A run that is to be asked for. `what` is what it does, as a person reads it."""

    job: str
    what: str
    news: str
    partitions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Attempts:
    """How often a task was tried in vain, and when at last."""

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
    """The sensor of the touched months. `jobs` are those that it may ask for."""
    zone = ZoneInfo(settings.time_zone)

    @dg.sensor(
        name="touched_months",
        jobs=jobs,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=(
            dg.DefaultSensorStatus.RUNNING if settings.are_schedules_on else dg.DefaultSensorStatus.STOPPED
        ),
        description=(
            "Builds exactly the months of the facts that a load touched, one run for each stretch of months, and then "
            "publishes. What failed is tried again, less and less often."
        ),
    )
    def touched_months(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        end_abandoned_runs(context.instance, settings.data)
        busy = _busy(context.instance, settings)
        if busy:
            return dg.SensorResult(skip_reason=busy)
        lakes = Lakes.below(settings.data)
        if outdated_tables(lakes):
            return dg.SensorResult(skip_reason="Another version wrote the tables; the next load builds them anew.")
        pending = pending_news(lakes)
        tasks = build_tasks(pending, set(months.get_partition_keys()))
        if not tasks:
            tasks = publish_tasks(pending, unpublished_tables(lakes, settings.data))
        if not tasks:
            return dg.SensorResult(skip_reason=f"No month is pending; {_published(settings, zone)}.")
        return _requested(tasks, context.instance, zone)

    return [touched_months]


def build_tasks(pending: Mapping[str, int], partitions: set[str]) -> list[Task]:
    """One run for each stretch of pending months that follow each other.

    Not for sessions without a month, nor for a month that came to be known after Dagster loaded the partitions: these
    are built before the publication.
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
    """The publication, where there is something that it does not show."""
    if not pending and not unpublished:
        return []
    shown = sorted([*pending.items(), *unpublished.items()])
    return [Task(PUBLISH, "the publication", sha256(repr(shown).encode()).hexdigest()[:16])]


def stretches(months: Sequence[str]) -> list[list[str]]:
    """Months in order as stretches without a gap."""
    found: list[list[str]] = [[month] for month in months[:1]]
    for before, month in pairwise(months):
        if month == month_after(before):
            found[-1].append(month)
        else:
            found.append([month])
    return found


def _busy(instance: dg.DagsterInstance, settings: Settings) -> str | None:
    """Why nothing is to be asked for at this moment."""
    unfinished = instance.get_runs(dg.RunsFilter(statuses=list(UNFINISHED)))
    if unfinished:
        names = sorted({"an ad-hoc run" if run.job_name.startswith("__") else run.job_name for run in unfinished})
        return f"Waiting for {', '.join(names)} to end."
    if is_held(settings.data, LAKE):
        return "Waiting for a run that writes the tables."
    return None


def _requested(tasks: Sequence[Task], instance: dg.DagsterInstance, zone: ZoneInfo) -> dg.SensorResult:
    """The runs to ask for: those that were not tried yet, or in vain so long ago that it is time to try again."""
    requests: list[dg.RunRequest] = []
    waiting: list[str] = []
    for task in tasks:
        attempts = _attempts(instance, task)
        if attempts is not None and attempts.next_at > datetime.now(UTC):
            waiting.append(
                f"{task.what} was tried {attempts.count} time(s), last {_clock(attempts.last_at, zone)}, without "
                f"success; it is tried again after {_clock(attempts.next_at, zone)}"
            )
            continue
        attempt = attempts.count + 1 if attempts is not None else 1
        requests.append(
            dg.RunRequest(
                # Should the daemon die while it asks, the same request is not made twice.
                run_key=f"{task.job} {task.news} {attempt}",
                job_name=task.job,
                tags={**task.partitions, NEWS: task.news},
            )
        )
    if not requests:
        return dg.SensorResult(skip_reason=f"{'; '.join(waiting)}.")
    return dg.SensorResult(run_requests=requests)


def _attempts(instance: dg.DagsterInstance, task: Task) -> Attempts | None:
    """The finished runs that were to take in the same news. It is pending still, so none of them did."""
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
    """As a person reads it: the time of day, with the day where it is another."""
    local = instant.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == datetime.now(zone).date() else f"{local:%Y-%m-%d %H:%M}"
