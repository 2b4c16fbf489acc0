"""Why a step of a run failed, for people: the foreseen fault in the chain of causes, else the innermost one.

The messages of foreseen faults hold neither secrets nor personal data. Any other message may quote a row or a header:
an alert then names only the kind of fault, and the command line, which is read where the data is, shows the first line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg
import polars as pl
from dagster_shared.error import SerializableErrorInfo

from pipelines.faults import AnotherRunError, ConfigurationError, ReadingError, SignInError
from pipelines.personal_data import without_pseudonyms
from pipelines.raw.readings import place_name
from pipelines.tables.lakes import Lakes
from warehouse.errors import LakeError, PublicationError
from warehouse.tables import LOAD_AUDIT

FORESEEN = frozenset(
    fault.__name__
    for fault in (LakeError, PublicationError, AnotherRunError, ConfigurationError, ReadingError, SignInError)
)
BLOCKED = "DagsterAssetCheckFailedError"
"""What Dagster raises when a blocking check fails. Its message names only assets and checks."""

_INCOMPLETE = "could_not_read"


@dataclass(frozen=True)
class StepCause:
    """Why a step failed: the kind of the fault, and its message (`words`). `is_foreseen`: it may be shown anywhere.

    `is_incomplete`: only because a vendor could not be read. `is_blocked`: because a blocking check failed.
    """

    step: str
    kind: str
    words: str
    is_foreseen: bool
    is_incomplete: bool = False
    is_blocked: bool = False

    @property
    def first_line(self) -> str:
        """The first line of the message; the kind if the message is empty."""
        return next(iter(self.words.splitlines()), self.kind)


def incomplete(summary: str, failures: Sequence[str]) -> dg.Failure:
    """The failure of a run that could not read everything: a line for each fault, and what to do about them."""
    advice = (
        "The next refresh reads what this run could not; a reconcile or backfill must be run again. If it fails again, "
        "`chargehouse doctor` tests every account."
    )
    description = without_pseudonyms("\n".join([summary, *failures, advice]))
    return dg.Failure(description, {_INCOMPLETE: len(failures)}, allow_retries=False)


def failed_readings(lakes: Lakes, run_id: str) -> list[str]:
    """What a run could not read, one sentence each, naming vendor, endpoint, scope and cause."""
    failed = (
        lakes.published.scan(LOAD_AUDIT)
        .filter(pl.col("run_id") == run_id, pl.col("state") == "failed")
        .select("vendor", "endpoint", "scope", "message")
        .collect()
    )
    return [
        f"{place_name(vendor, endpoint, scope)}: {message}"
        for vendor, endpoint, scope, message in failed.sort("vendor", "endpoint", "scope").iter_rows()
    ]


def step_cause(event: dg.DagsterEvent) -> StepCause:
    """The cause of a failed step, from the event that records it."""
    step, failure = event.step_key or "", event.step_failure_data
    foreseen = failure.user_failure_data
    if foreseen is not None and foreseen.description:
        is_incomplete = _INCOMPLETE in foreseen.metadata
        return StepCause(step, "Failure", foreseen.description, is_foreseen=True, is_incomplete=is_incomplete)
    errors = _chain(failure.error)
    for error in errors:
        kind = error.cls_name or "unknown"
        if kind in FORESEEN or kind == BLOCKED:
            return StepCause(step, kind, _words(error), is_foreseen=True, is_blocked=kind == BLOCKED)
    if not errors:
        return StepCause(step, "unknown", "unknown", is_foreseen=False)
    innermost = errors[-1]
    return StepCause(step, innermost.cls_name or "unknown", innermost.message.strip(), is_foreseen=False)


def _chain(error: SerializableErrorInfo | None) -> list[SerializableErrorInfo]:
    errors: list[SerializableErrorInfo] = []
    while error is not None:
        errors.append(error)
        error = error.cause
    return errors


def _words(error: SerializableErrorInfo) -> str:
    """The fault's message, without the class name that Dagster puts before it."""
    text = error.message.strip()
    _, mark, message = text.partition(f"{error.cls_name}: ")
    return message if mark else text
