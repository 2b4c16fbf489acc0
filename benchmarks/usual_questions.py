"""The usual queries on the published file, each in a process of its own."""

import json
import sys
from collections.abc import Iterator
from statistics import median

from benchmarks.cost import cost_of
from benchmarks.histories import Histories, History
from benchmarks.measured import Finding, Section

SECONDS = 1.0


def usual_questions(histories: Histories, rounds: int) -> Iterator[Section]:
    """On the usual history."""
    yield _section(histories.usual, rounds)


def usual_questions_on_large(histories: Histories, rounds: int) -> Iterator[Section]:
    """On ten times as many sessions."""
    yield _section(histories.dense, rounds)


def _section(history: History, rounds: int) -> Section:
    history.restore()
    answers = [_answered(history) for _ in range(rounds)]
    seconds = {name: median(answer[name] for answer in answers) for name in answers[0]}
    slowest = max(seconds.values())
    return Section(
        f"{len(seconds)} usual questions, {history.name}",
        [],
        [
            Finding(
                f"usual questions, {history.name}: the slowest",
                f"{slowest:.2f} s",
                f"under {SECONDS:g} s",
                slowest < SECONDS,
            )
        ],
        remarks=tuple(f"{taken:6.3f} s  {name}" for name, taken in seconds.items()),
    )


def _answered(history: History) -> dict[str, float]:
    """Seconds by query, from opening the file to the last row of the answer."""
    program = [sys.executable, "-m", "benchmarks.questions", str(history.data / "warehouse.duckdb")]
    names = json.loads(cost_of(program, {}).output)
    return {name: float(cost_of([*program, name], {}).output) for name in names}
