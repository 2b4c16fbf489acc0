"""A Chargehouse whose runs are processes of their own, so that they can be killed, and checks of what it published."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from pipelines import command
from pipelines.raw.raw_log import RawLog
from pipelines.settings import PROJECT_FOLDER
from sandbox.server import Sandbox
from tests.crashes.flaw import Flaw
from tests.end_to_end.published import TABLES, Chargehouse, Row, comparable
from tests.outside import outside

PATIENCE_SECONDS = 120
KILLED = -9
"""The exit status of a process that was killed by SIGKILL."""


def wait_for(path: Path) -> None:
    """Wait until the file exists."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was never reached"
        time.sleep(0.01)


class House(Chargehouse):
    """A warehouse over `data` and one sandbox. Truths are cached: many tests end in the same state."""

    _truths: ClassVar[dict[tuple[object, ...], dict[str, list[Row]]]] = {}

    def __init__(self, data: Path, sandbox: Sandbox, **variables: str) -> None:
        super().__init__(data, sandbox, CHARGEHOUSE_FIRST_MONTH="2026-01", **variables)
        self.sandbox = sandbox

    def start(self, *arguments: str, flaw: Flaw | None = None) -> "subprocess.Popen[str]":
        """Start a command in a process of its own, with a flaw if one is given."""
        program = ["pipelines.command"] if flaw is None else ["tests.crashes.flawed_run", flaw.as_text()]
        return subprocess.Popen(
            [sys.executable, "-m", *program, *arguments],
            cwd=PROJECT_FOLDER,
            env={**outside(), **self._environment, "PYTHONPATH": str(PROJECT_FOLDER), "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> tuple[int, str, str]:
        """Wait for a command; returns its exit status, stdout and stderr."""
        try:
            printed, complaints = process.communicate(timeout=PATIENCE_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        return process.returncode, printed, complaints

    def run_flawed(self, flaw: Flaw, *arguments: str) -> tuple[int, str, str]:
        """Run a command with a flaw until it ends."""
        return self.finish(self.start(*arguments, flaw=flaw))

    def refresh(self, as_of: datetime) -> int:
        """A plain refresh at this instant, to which the sandbox's clock is set."""
        self.sandbox.now = as_of
        return self.run("refresh", "--as-of", as_of.isoformat())

    def truth_of(self, refreshes: Sequence[datetime]) -> dict[str, list[Row]]:
        """What must be published after refreshes at these instants."""
        key = (self.sandbox.url, *refreshes)
        if key not in self._truths:
            self._truths[key] = self.truth(self.sandbox, list(refreshes))
        return self._truths[key]

    def assert_equals_the_truth(self, refreshes: Sequence[datetime]) -> None:
        """The published rows are exactly those of the truth, and every row received is accounted for."""
        truths = self.truth_of(refreshes)
        for table in TABLES:
            truth = truths[table]
            assert truth, f"a world without rows of {table} would prove nothing"
            published = comparable(self.rows(table, list(truth[0])), truth)
            assert published == comparable(truth, truth), table
        audited, unaccounted, repeated = self.query(
            "SELECT count(*), count(*) FILTER (rows_received <> rows_new + rows_changed + rows_unchanged), "
            "count(*) - count(DISTINCT (run_id, vendor, endpoint, scope)) FROM ops.load_audit"
        )[0]
        assert audited
        assert (unaccounted, repeated) == (0, 0)

    def assert_converges(self, refreshes: Sequence[datetime]) -> None:
        """A plain refresh at the last of these instants ends equal to the truth and leaves no stray files."""
        assert self.refresh(refreshes[-1]) == command.DONE
        self.assert_equals_the_truth(refreshes)
        assert self.stray_files() == []

    def stray_files(self) -> list[str]:
        """Files that a run that died may leave behind and that nothing would ever use."""
        top = [path.name for path in self.data.iterdir() if "building" in path.name or "discarded" in path.name]
        homes = [path.name for path in (self.data / "dagster").glob(".*")]
        raw_log = RawLog(self.data)
        tables = [path for path in (self.data / "raw").iterdir() if path.is_dir() and not path.name.startswith("_dlt")]
        completed = {file.path for table in tables for file in raw_log.files(table.name)}
        unread = [str(path) for table in tables for path in table.iterdir() if path not in completed]
        return sorted([*top, *homes, *unread])
