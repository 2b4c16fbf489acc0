"""A job as a Dagster run in this process, recorded in the project's instance."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from pipelines.definitions import build_definitions
from pipelines.instance import prepare_dagster_home
from pipelines.jobs import BUILT_KEYS
from pipelines.progress import Progress
from pipelines.raw_assets import raw_keys
from pipelines.settings import Settings
from pipelines.staging import Lakes
from pipelines.table_assets import failed_readings


@dataclass(frozen=True)
class RunOutcome:
    """How a run ended. `faults`: one sentence for each thing that failed; empty when all is done."""

    run_id: str
    faults: Sequence[str]


def run_job(
    settings: Settings,
    name: str,
    progress: Progress,
    vendors: Sequence[str] = (),
    configuration: Mapping[str, Mapping[str, object]] | None = None,
) -> RunOutcome:
    """Run a job to its end. `vendors` narrows what is read; `configuration` maps a step to its config."""
    prepare_dagster_home(settings.data)
    job = build_definitions(settings, progress).resolve_job_def(name)
    with dg.DagsterInstance.get() as instance:
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            asset_selection=[*raw_keys(vendors), *BUILT_KEYS],
            run_config={
                "ops": {step: {"config": dict(values)} for step, values in (configuration or {}).items()},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
    if result.success:
        return RunOutcome(result.run_id, ())
    faults = failed_readings(Lakes.below(settings.data), result.run_id)
    return RunOutcome(result.run_id, faults or _step_faults(result))


def _step_faults(result: dg.ExecuteInProcessResult) -> list[str]:
    """The innermost cause of every failed step, in a line each."""
    faults: list[str] = []
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            cause = (error.message.strip().splitlines() or ["unknown"])[0] if error is not None else "unknown"
            faults.append(f"{event.step_key}: {cause}")
    return faults
