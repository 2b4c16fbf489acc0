"""The client side of `benchmarks.server`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

PROJECT_FOLDER = Path(__file__).parents[1]


@dataclass(frozen=True)
class Asked:
    """One request that the server received."""

    vendor: str
    endpoint: str
    path: str
    query: str
    status: int


@dataclass(frozen=True)
class Traffic:
    """The requests of a period, and when the first and the last of them were answered, in seconds since 1970."""

    requests: list[Asked]
    begun_at: float
    ended_at: float


class Served:
    """The vendors in a process of their own, over the real data or a generated world, as a context manager.

    The numbers apply to a generated world only, see `benchmarks.worlds.WorldPlan`; by default the fleet fits all of its
    sessions. A separate process takes no time from the interpreters of the programs that read from it.
    """

    def __init__(
        self,
        kind: Literal["real", "generated"],
        as_of: datetime,
        sessions: int = 0,
        *,
        fleet_sessions: int = 0,
        days: int = 400,
        news: int = 0,
    ) -> None:
        self.as_of = as_of
        counts = {"sessions": sessions, "fleet_sessions": fleet_sessions or sessions, "days": days, "news": news}
        plan = json.dumps({"kind": kind, "as_of": as_of.isoformat(), **counts})
        self._command = [sys.executable, "-m", "benchmarks.server", plan]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=PROJECT_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._world: dict[str, Any] = self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the process; a second call does nothing."""
        if self._process.returncode is None:
            self._process.communicate()

    def environment(self) -> dict[str, str]:
        """The environment variables that point Chargehouse at the vendors."""
        return dict(self._world["environment"])

    @property
    def objects(self) -> int:
        """How many objects the vendors show at `as_of`."""
        return int(self._world["objects"])

    @property
    def least_requests(self) -> dict[str, int]:
        """Per vendor, the fewest requests that read everything once; for a generated world only."""
        return dict(self._world["least_requests"])

    def busy_seconds(self) -> float:
        """The processor seconds that the server has used so far."""
        return float(self._ask("busy"))

    def traffic(self) -> Traffic:
        """The requests since the last call."""
        log = self._ask("requests")
        return Traffic([Asked(**request) for request in log["requests"]], log["from"] or 0.0, log["to"] or 0.0)

    def set_clock(self, now: datetime) -> None:
        """Sets the virtual clock: the vendors show what they show at `now`."""
        self._ask("clock", now.isoformat())

    @contextmanager
    def limited(self, requests_per_second: float, latency_seconds: float) -> Iterator[None]:
        """In this context every vendor refuses requests above the rate, and answers each after the latency."""
        self._ask("limit", requests_per_second, latency_seconds)
        try:
            yield
        finally:
            self._ask("limit", 0, 0.0)

    def _ask(self, *question: object) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(question)}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the benchmark server ended; see its message above")
        return json.loads(line)
