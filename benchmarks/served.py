"""The other end of `benchmarks.server`."""

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

PROJECT_FOLDER = Path(__file__).parents[1]

Page = tuple[str, str, str]
"""Vendor, path and query of a request for data."""


class Served:
    """The vendors in a process of their own, over the real data or a generated world, as a context manager.

    `sessions` counts for a generated world only. The process costs its readers no time on their own interpreter.
    """

    def __init__(self, kind: Literal["real", "generated"], as_of: datetime, sessions: int = 0) -> None:
        self._command = [sys.executable, "-m", "benchmarks.server", kind, str(sessions), as_of.isoformat()]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, cwd=PROJECT_FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._environment: dict[str, str] = self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def environment(self) -> dict[str, str]:
        """The environment variables that point Chargehouse at the vendors."""
        return dict(self._environment)

    def busy_seconds(self) -> float:
        """Processor time that the server has used so far."""
        return float(self._ask("busy"))

    def pages(self) -> list[Page]:
        """What was asked for since the last call, sign-ins apart."""
        return [(vendor, path, query) for vendor, path, query in self._ask("pages")]

    def _ask(self, question: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the server of the benchmarks ended; its message stands above")
        return json.loads(line)
