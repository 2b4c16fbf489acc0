"""Staged sessions to quarter-hours by month, the transform alone, next to the same in DuckDB SQL."""

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cost import Cost, cost_of
from benchmarks.histories import Histories
from benchmarks.measured import Measured, Section, at_most, ratio

SESSIONS = 1_000_000
TIMES_DUCKDB = 1.0
GIGABYTES = 1.0


def transform_alone(histories: Histories, rounds: int) -> Iterator[Section]:
    """A million sessions, or ten times the requested size if that is less."""
    sessions = min(SESSIONS, 10 * histories.sessions)
    ours, duckdb = Measured("Chargehouse's transform"), Measured("the same in DuckDB SQL")
    with histories.folder() as folder:
        _quarter_hours("make", folder, str(sessions))
        for _ in range(rounds):
            ours.measure(lambda: _quarter_hours("ours", folder))
            duckdb.measure(lambda: _quarter_hours("duckdb", folder))
        compared = _quarter_hours("compare", folder).output
    yield Section(
        f"{sessions:,} staged sessions to quarter-hours by month",
        [ours, duckdb],
        [
            at_most("transform alone: times DuckDB SQL", ratio(ours, duckdb), TIMES_DUCKDB),
            at_most("transform alone: peak memory", ours.peak_gigabytes, GIGABYTES, " GB"),
        ],
        sessions,
        (ours.output.strip(), *compared.splitlines()),
    )


def _quarter_hours(verb: str, folder: Path, *arguments: str) -> Cost:
    return cost_of([sys.executable, "-m", "benchmarks.quarter_hours", verb, str(folder), *arguments], {})
