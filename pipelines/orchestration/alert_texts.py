"""The text of an alert, short and for people: what failed, what to do, where to look.

An alert quotes only the messages of foreseen faults, which hold neither secrets nor personal data. Any other message
may quote a row or a header, so the alert names only the kind of fault, and the rest stays in the run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import AssetCheckEvaluation

from pipelines.orchestration.alert_delivery import Alert
from pipelines.orchestration.step_causes import StepCause, step_cause

MOST_LINES = 8
LONGEST_LINE = 600
"""As much as a person reads on a phone; the rest is in the run. `LONGEST_TEXT` would cut off more anyway."""
NUMBERS = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class CheckState:
    """How one check came out in one run: `line` is what the alert says, `fault` what the sensor remembers.

    `fault` is empty if the check passed; otherwise the severity and the description without its numbers, so that a
    number that grows from hour to hour is the same fault.
    """

    check: str
    fault: str
    line: str


def run_failure_alert(run: dg.DagsterRun, failed_at: float, events: Sequence[dg.DagsterEvent], ui: str | None) -> Alert:
    """The alert for a failed run. `events` are its step failures; `failed_at` is in seconds since 1970."""
    causes = [step_cause(event) for event in events if event.is_step_failure]
    told = [_cause_line(cause) for cause in causes]
    instant = datetime.fromtimestamp(failed_at, UTC)
    return Alert(
        f"Chargehouse: {run.job_name} failed",
        (
            *_at_most(told or ["It ended outside any step: its process was killed or could not be started."]),
            _advice(causes),
            f"Run {run.run_id[:8]}, {instant:%Y-%m-%d %H:%M} UTC. {_where(run, ui)}",
        ),
    )


def check_alert(
    run: dg.DagsterRun, failing: Sequence[CheckState], passing: Sequence[CheckState], ui: str | None
) -> Alert:
    """The alert for a run in which checks came out differently from what was last reported."""
    told = [f"{len(failing)} check(s) failed" if failing else "", f"{len(passing)} passed again" if passing else ""]
    return Alert(
        f"Chargehouse: {', '.join(filter(None, told))} ({run.job_name})",
        (
            *_at_most([state.line for state in (*failing, *passing)]),
            f"Run {run.run_id[:8]}. {_where(run, ui)}",
        ),
    )


def check_state(evaluation: AssetCheckEvaluation) -> CheckState:
    """The state of a check after one evaluation."""
    asset = evaluation.asset_key.to_user_string()
    partition = f" [{evaluation.partition}]" if evaluation.partition else ""
    name = f"{asset}: {evaluation.check_name}{partition}"
    if evaluation.passed:
        return CheckState(name, "", f"PASSED AGAIN {name}")
    severity = evaluation.severity.value
    description = " ".join((evaluation.description or "").split())
    numbers = ", ".join(
        f"{label} {value.value:,}"
        for label, value in evaluation.metadata.items()
        if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue) and value.value is not None
    )
    line = f"{severity} {name}. {description}" + (f" ({numbers})" if numbers else "")
    return CheckState(name, f"{severity} {NUMBERS.sub('#', description)}"[:LONGEST_LINE], line)


def _cause_line(cause: StepCause) -> str:
    if not cause.is_foreseen:
        return f"{cause.step}: an unexpected error ({cause.kind}); see the run for its message."
    return f"{cause.step}: {' '.join(cause.words.split())}"


def _advice(causes: Sequence[StepCause]) -> str:
    if causes and all(cause.is_incomplete for cause in causes):
        return (
            "To do: nothing for now; what was read is kept, and the next refresh reads the rest. If it fails again: "
            "`chargehouse doctor` tests every account, `chargehouse status` lists the gaps."
        )
    return (
        "To do: open the run and see which step failed. The last good publication stays in place; the next run repeats "
        "what was not finished."
    )


def _where(run: dg.DagsterRun, ui: str | None) -> str:
    return f"{ui}/runs/{run.run_id}" if ui else "See it in the web UI, under Runs."


def _at_most(lines: Sequence[str]) -> tuple[str, ...]:
    cut = [line if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} ..." for line in lines]
    if len(cut) <= MOST_LINES:
        return tuple(cut)
    return (*cut[:MOST_LINES], f"... and {len(cut) - MOST_LINES} more.")
