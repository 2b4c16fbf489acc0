"""A query that is told to stop ends at once, in one line, and leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.layout import DATABASE, LAKE_FOLDER
from pipelines.settings import PROJECT_FOLDER
from warehouse import scratch
from warehouse.lake import Lake
from warehouse.publication import publish

PATIENCE_SECONDS = 60
AT_ONCE_SECONDS = 10
FOR_EVER = "SELECT sum(a.range * b.range * c.range) FROM range(1000000) a, range(1000000) b, range(1000000) c"
MANY_ROWS = "SELECT range, range + 1, range + 2 FROM range(100000000)"


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files of the processes that are started."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


def begin_query(tmp_path: Path, temporary: Path, sql: str) -> "subprocess.Popen[str]":
    """`chargehouse sql` as a process of its own, in the middle of the query."""
    publish(Lake(tmp_path / "data" / LAKE_FOLDER), tmp_path / "data" / DATABASE)
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.command", "sql", sql],
        cwd=PROJECT_FOLDER,
        env={
            "PATH": os.environ["PATH"],
            "CHARGEHOUSE_DATA": str(tmp_path / "data"),
            "PYTHONPATH": str(PROJECT_FOLDER),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not list(temporary.iterdir()):
        assert process.poll() is None
        assert time.monotonic() < deadline, "the query never began"
        time.sleep(0.01)
    time.sleep(0.5)
    return process


@pytest.mark.parametrize("sql", [FOR_EVER, MANY_ROWS], ids=["while it is computed", "while it is fetched"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda sent: sent.name)
def test_a_query_that_is_told_to_stop_ends_in_one_line(
    sent: signal.Signals, sql: str, tmp_path: Path, temporary: Path
) -> None:
    if signal.getsignal(sent) is signal.SIG_IGN:
        pytest.skip(f"{sent.name} is ignored here, as in a shell's background")
    process = begin_query(tmp_path, temporary, sql)
    process.send_signal(sent)
    try:
        printed, told = process.communicate(timeout=AT_ONCE_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 130
    assert printed == ""
    assert told == "chargehouse: stopped; run the same command again to finish\n"
    assert list(temporary.iterdir()) == []


def test_what_a_killed_query_left_is_removed_and_what_another_uses_is_not(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    process = begin_query(tmp_path, temporary, FOR_EVER)
    try:
        (left,) = temporary.iterdir()
        (left / "spilled").write_text("rows")
        long_ago = time.time() - 2 * scratch.MAKING_SECONDS
        os.utime(left, (long_ago, long_ago))
        with scratch.scratch_folder():
            assert left.exists()
    finally:
        process.kill()
        process.communicate()
    assert left.exists()
    with scratch.scratch_folder() as mine:
        assert list(temporary.iterdir()) == [mine]
    assert list(temporary.iterdir()) == []
