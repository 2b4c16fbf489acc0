"""The sensors that send alerts: one for failed runs and one for checks, for each target.

Dagster's own run-failure sensor is not used: it moves on when a message cannot be delivered, so the alert is lost, and
it does not see the runs of the command line, which have no code location. These sensors keep in their cursor what they
have reported. A tick that cannot deliver fails, its cursor stays as it was, and the next tick tries again. Each target
has cursors of its own, so that a dead mail server neither delays the webhook nor makes it repeat alerts.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.event_api import RunStatusChangeEventType

from pipelines.faults import AlertError
from pipelines.orchestration.alert_delivery import Target, alert_targets
from pipelines.orchestration.alert_texts import CheckState, check_alert, check_state, run_failure_alert
from pipelines.settings import Settings

INTERVAL_SECONDS = 30
"""Between two ticks, and so also until an alert that could not be delivered is sent again."""

RUNS_AT_ONCE = 5
"""Runs reported in one tick, which must end within a minute."""

FAILED: tuple[RunStatusChangeEventType, ...] = (dg.DagsterEventType.RUN_FAILURE,)
FINISHED: tuple[RunStatusChangeEventType, ...] = (
    dg.DagsterEventType.RUN_SUCCESS,
    dg.DagsterEventType.RUN_FAILURE,
    dg.DagsterEventType.RUN_CANCELED,
)


@dataclass
class Memory:
    """What a sensor has reported: the event of the last run it looked at, and each check last reported as failing."""

    event: int
    failing: dict[str, str] = field(default_factory=dict)

    def as_text(self) -> str:
        """The memory as a sensor's cursor."""
        return json.dumps({"event": self.event, "failing": self.failing})

    @classmethod
    def from_text(cls, text: str) -> "Memory":
        """The memory from a sensor's cursor."""
        remembered = json.loads(text)
        return cls(int(remembered["event"]), dict(remembered["failing"]))


@dataclass(frozen=True)
class _EndedRun:
    """A run, and when it ended, in seconds since 1970."""

    run: dg.DagsterRun
    ended_at: float


Report = Callable[[dg.DagsterInstance, _EndedRun, Memory, Target], bool]
"""Sends the alert for one run, if there is one, and remembers it; returns whether there was. Raises AlertError."""


def build_alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """Two sensors for each target, on from the start; none if no target is configured."""

    def report_failure(instance: dg.DagsterInstance, ended: _EndedRun, memory: Memory, target: Target) -> bool:
        failures = _events(instance, ended.run, dg.DagsterEventType.STEP_FAILURE)
        target.deliver(run_failure_alert(ended.run, ended.ended_at, failures, settings.ui_url))
        return True

    def report_checks(instance: dg.DagsterInstance, ended: _EndedRun, memory: Memory, target: Target) -> bool:
        states = _check_states(instance, ended.run)
        failing = [state for state in states if state.fault and memory.failing.get(state.check) != state.fault]
        passing = [state for state in states if not state.fault and state.check in memory.failing]
        if failing or passing:
            target.deliver(check_alert(ended.run, failing, passing, settings.ui_url))
        memory.failing.update({state.check: state.fault for state in failing})
        for state in passing:
            del memory.failing[state.check]
        return bool(failing or passing)

    return [
        sensor
        for target in alert_targets(settings)
        for sensor in (
            _sensor(
                f"alert_failed_runs_by_{target.name}",
                f"Notifies {target.place} of every failed run: what failed, and what to do.",
                FAILED,
                report_failure,
                target,
            ),
            _sensor(
                f"alert_checks_by_{target.name}",
                f"Notifies {target.place} of every check that begins to fail, fails in another way, or passes again.",
                FINISHED,
                report_checks,
                target,
            ),
        )
    ]


def _sensor(
    name: str, description: str, ends: Sequence[RunStatusChangeEventType], report: Report, target: Target
) -> dg.SensorDefinition:
    @dg.sensor(
        name=name,
        description=description,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.cursor is None:
            newest = _newest_event(context.instance, ends)
            return dg.SensorResult(
                skip_reason="Starts now: earlier events are not reported.", cursor=Memory(newest).as_text()
            )
        memory = Memory.from_text(context.cursor)
        reported = _report_new_runs(context.instance, ends, report, target, memory)
        reason = f"Notified {target.place} of {', '.join(reported)}." if reported else "Nothing new to report."
        return dg.SensorResult(skip_reason=reason, cursor=memory.as_text())

    return alert


def _report_new_runs(
    instance: dg.DagsterInstance,
    ends: Sequence[RunStatusChangeEventType],
    report: Report,
    target: Target,
    memory: Memory,
) -> list[str]:
    """Report the runs that ended since the last tick, oldest first. Returns the short ids of those with an alert.

    Raises AlertError if not even the first alert could be delivered.
    """
    reported: list[str] = []
    for record in _ends_after(instance, ends, memory.event):
        run = instance.get_run_by_id(record.run_id)
        try:
            # There is nothing to report about a run that was deleted.
            if run is not None and report(instance, _EndedRun(run, record.timestamp), memory, target):
                reported.append(record.run_id[:8])
        except AlertError:
            if not reported:
                raise
            # Keep the progress, so that nothing is sent twice: the next tick begins with this run.
            return reported
        memory.event = record.storage_id
    return reported


def _ends_after(
    instance: dg.DagsterInstance, ends: Sequence[RunStatusChangeEventType], after: int
) -> list[dg.EventLogRecord]:
    """The next run-end events, oldest first."""
    records = [
        record
        for event_type in ends
        for record in instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type, after_storage_id=after), limit=RUNS_AT_ONCE, ascending=True
        ).records
    ]
    # Each event type was read up to the same limit as the merged list, so no event in between is missing.
    return sorted(records, key=lambda record: record.storage_id)[:RUNS_AT_ONCE]


def _newest_event(instance: dg.DagsterInstance, ends: Sequence[RunStatusChangeEventType]) -> int:
    newest = [instance.fetch_run_status_changes(event_type, limit=1).records for event_type in ends]
    return max((records[0].storage_id for records in newest if records), default=0)


def _events(instance: dg.DagsterInstance, run: dg.DagsterRun, of_type: dg.DagsterEventType) -> list[dg.DagsterEvent]:
    entries = instance.all_logs(run.run_id, of_type=of_type)
    return [entry.dagster_event for entry in entries if entry.dagster_event is not None]


def _check_states(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[CheckState]:
    """How each check of the run came out; the last outcome if it was evaluated more than once."""
    events = _events(instance, run, dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    states = [check_state(event.asset_check_evaluation_data) for event in events]
    return list({state.check: state for state in states}.values())
