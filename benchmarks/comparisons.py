"""The comparisons: in each round the same work is done by Chargehouse and by its peer, one after the other."""

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

from benchmarks.cost import Cost, cost_of
from benchmarks.served import Served

REFRESH = "chargehouse refresh"
FLOOR = "the same pages fetched and written"
IMPORTS = "its imports alone"
_IMPORTS = "import dagster, dlt, polars, duckdb, deltalake"

# A week after the last of the real data, and their first month.
REAL_AS_OF, REAL_FIRST_MONTH = datetime(2026, 6, 15, 6, tzinfo=UTC), "2014-11"
GENERATED_AS_OF = datetime(2026, 4, 1, tzinfo=UTC)
GENERATED_FIRST_MONTH = f"{GENERATED_AS_OF - timedelta(days=420):%Y-%m}"


@dataclass
class Measured:
    """One program in one comparison: its cost in each round, and the server's processor seconds meanwhile."""

    program: str
    costs: list[Cost] = field(default_factory=list)
    server_seconds: list[float] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return median(cost.seconds for cost in self.costs)

    @property
    def processor_seconds(self) -> float:
        return median(cost.processor_seconds for cost in self.costs)

    @property
    def peak_megabytes(self) -> float:
        return median(cost.peak_megabytes for cost in self.costs)

    @property
    def server_share(self) -> float:
        """How much of the time the server was computing: near 1, it is the server that is measured."""
        shares = (busy / cost.seconds for busy, cost in zip(self.server_seconds, self.costs, strict=True))
        return median(shares)


@dataclass(frozen=True)
class Comparison:
    """Chargehouse and its peer at the same work; `rows` API objects in it."""

    name: str
    rows: int
    chargehouse: Measured
    peer: Measured


def real_input(rounds: int) -> Iterator[Comparison]:
    """The real data: 37,680 sessions and 69,211 locations."""
    with Served("real", REAL_AS_OF) as served:
        yield _first_refresh("real input", served, REAL_AS_OF, REAL_FIRST_MONTH, rounds)


def generated(sessions: int, rounds: int) -> Iterator[Comparison]:
    """An invented world: its first refresh, then refreshes that find nothing new."""
    with Served("generated", GENERATED_AS_OF, sessions) as served:
        name = f"first refresh, {sessions:,} sessions"
        yield _first_refresh(name, served, GENERATED_AS_OF, GENERATED_FIRST_MONTH, rounds)
        yield _nothing_new(served, rounds)


def _first_refresh(name: str, served: Served, as_of: datetime, first_month: str, rounds: int) -> Comparison:
    chargehouse, floor = Measured(REFRESH), Measured(FLOOR)
    rows = 0
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            served.pages()
            with _serving(served, chargehouse):
                chargehouse.costs.append(_refresh(served, Path(folder) / "data", as_of, first_month))
            pages = Path(folder) / "pages.json"
            pages.write_text(json.dumps(served.pages()))
            command = [sys.executable, "-m", "benchmarks.floor", str(pages), folder]
            with _serving(served, floor):
                floor.costs.append(cost_of(command, served.environment()))
            rows = int(floor.costs[-1].output)
    return Comparison(name, rows, chargehouse, floor)


def _nothing_new(served: Served, rounds: int) -> Comparison:
    chargehouse, imports = Measured(REFRESH), Measured(IMPORTS)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        _refresh(served, data, GENERATED_AS_OF, GENERATED_FIRST_MONTH)
        for _ in range(rounds):
            with _serving(served, chargehouse):
                chargehouse.costs.append(_refresh(served, data, GENERATED_AS_OF, GENERATED_FIRST_MONTH))
            with _serving(served, imports):
                imports.costs.append(cost_of([sys.executable, "-c", _IMPORTS], {}))
    return Comparison("refresh with nothing new", 0, chargehouse, imports)


@contextmanager
def _serving(served: Served, measured: Measured) -> Iterator[None]:
    before = served.busy_seconds()
    yield
    measured.server_seconds.append(served.busy_seconds() - before)


def _refresh(served: Served, data: Path, as_of: datetime, first_month: str) -> Cost:
    variables = {"CHARGEHOUSE_DATA": str(data), "CHARGEHOUSE_FIRST_MONTH": first_month, **served.environment()}
    command = [sys.executable, "-m", "pipelines.command", "refresh", "--as-of", as_of.isoformat()]
    return cost_of(command, variables)
