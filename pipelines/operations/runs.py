"""Running a job as a Dagster run in this process, recorded in the project's instance."""

import io
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from uuid import uuid4

import dagster as dg

from pipelines.definitions import build_definitions
from pipelines.locks import account_lock, is_held
from pipelines.orchestration.abandoned_runs import end_abandoned_runs, hold_run, release_run
from pipelines.orchestration.checks import broken_claims
from pipelines.orchestration.instance import history_fault, is_history_fault, open_instance, prepare_dagster_home
from pipelines.orchestration.step_causes import failed_readings, step_cause
from pipelines.raw.progress import Progress
from pipelines.settings import Settings
from pipelines.tables.lakes import Lakes
from warehouse.background import Result, awaited, begin
from warehouse.errors import WarehouseError

REPOSITORY = {".dagster/repository": "__repository__@chargehouse"}
"""The tag by which the web UI lists a run of the command line among the runs of its job."""

PROCESS = "chargehouse/process"
"""The tag with the id of the process that executes a run."""


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. `faults`: one sentence for each thing that failed; empty if nothing did."""

    run_id: str
    faults: Sequence[str]


def run_job(
    settings: Settings,
    name: str,
    progress: Progress,
    vendors: Sequence[str] = (),
    configuration: Mapping[str, Mapping[str, object]] | None = None,
) -> RunOutcome:
    """Run a job to its end. `vendors` narrows what is read; `configuration` maps a step to its config.

    Raises KeyboardInterrupt if the process is told to stop (the run's threads go on until it exits), and WarehouseError
    if the run history cannot be written.
    """
    home = prepare_dagster_home(settings.data, settings.postgres_url)
    job = build_definitions(settings, progress, vendors).resolve_job_def(name)
    configured = {
        "ops": {step: {"config": dict(values)} for step, values in (configuration or {}).items()},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }

    run_id = str(uuid4())

    def execute() -> dg.ExecuteInProcessResult:
        with open_instance(settings.data) as instance:
            end_abandoned_runs(instance, settings.data)
            hold_run(settings.data, run_id)
            try:
                return job.execute_in_process(
                    instance=instance,
                    raise_on_error=False,
                    run_config=configured,
                    run_id=run_id,
                    tags={**REPOSITORY, PROCESS: str(os.getpid())},
                )
            finally:
                release_run(settings.data, run_id)

    busy = [vendor for vendor in vendors if is_held(settings.data, account_lock(vendor))]
    if busy:
        progress.on_stage(f"waiting for another run that reads {', '.join(busy)}")
    try:
        # Events that Dagster cannot record it prints to stderr, with all their details.
        with redirect_stderr(io.StringIO()):
            result = _interruptible(execute)
    except Exception as error:
        if not is_history_fault(error):
            raise
        raise WarehouseError(history_fault(home, settings.postgres_url, error)) from error
    # Not judged by the record of the run, which somebody may have deleted from the history meanwhile.
    if any(event.event_type == dg.DagsterEventType.RUN_SUCCESS for event in result.all_events):
        return RunOutcome(run_id, ())
    unread = failed_readings(Lakes.below(settings.data), run_id)
    broken = broken_claims(result.get_asset_check_evaluations())
    causes = [step_cause(event) for event in result.all_events if event.is_step_failure]
    # Steps that failed only because of these are left out: `unread` and `broken` explain it better.
    others = [cause for cause in causes if not (cause.is_incomplete and unread) and not (cause.is_blocked and broken)]
    faults = [*unread, *broken, *(f"{cause.step}: {cause.first_line}" for cause in others)]
    return RunOutcome(run_id, faults or [f"run {run_id} did not succeed; see its events in the web UI."])


def _interruptible(work: Callable[[], Result]) -> Result:
    """Do the work in a thread of its own, and wait for it here, where SIGTERM and SIGINT raise KeyboardInterrupt.

    In the main thread Dagster and dlt take over the signals: one waits for every vendor first, the other goes on.
    """
    if threading.current_thread() is not threading.main_thread():
        return work()
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _, done = begin(work, "run")
        return awaited(done)
    finally:
        signal.signal(signal.SIGTERM, before)
