"""`chargehouse ui` and its servers as real processes: they start together or not at all, and end together; and only one
daemon runs."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import command
from pipelines.settings import PROJECT_FOLDER
from tests.outside import outside
from tests.processes import PATIENCE_SECONDS, answers, free_port, wait_until


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    """A data folder. Processes whose environment names it are killed after the test."""
    yield tmp_path / "data"
    for process in processes_of(tmp_path / "data"):
        os.kill(process, signal.SIGKILL)


def processes_of(data: Path) -> list[int]:
    """The processes whose environment names the data folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"CHARGEHOUSE_DATA={data}\0".encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def occupied() -> Iterator[int]:
    """A port on which something already listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def begin(data: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command as in a shell's background, where Ctrl-C does not reach it."""
    return subprocess.Popen(
        ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh", sys.executable, "-m", "pipelines.command", *arguments],
        cwd=PROJECT_FOLDER,
        env={
            **outside(),
            "CHARGEHOUSE_DATA": str(data),
            "PYTHONPATH": str(PROJECT_FOLDER),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # The tests themselves may run under nohup, which ignores SIGHUP.
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
    )


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found as Linux shows them")
@pytest.mark.parametrize(
    "sent", [signal.SIGHUP, pytest.param(signal.SIGKILL, marks=pytest.mark.long)], ids=lambda sent: sent.name
)
def test_the_servers_end_with_the_command_that_started_them(sent: signal.Signals, data: Path) -> None:
    port = free_port()
    process = begin(data, "ui", "--port", str(port))
    assert process.stderr is not None
    with process.stderr:
        wait_until(lambda: process.poll() is not None or answers(port), "an answer of the web UI")
        assert len(processes_of(data)) >= 5, "the command, Dagster, web server, daemon, code server"
        process.send_signal(sent)
        # A code server that heard nothing ends by itself, once nobody asks for it.
        wait_until(lambda: processes_of(data) == [], "the end of the servers without the command")
    assert process.wait() == (-sent if sent == signal.SIGKILL else command.DONE)


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found as Linux shows them")
def test_a_second_daemon_over_the_same_data_is_refused_and_the_first_goes_on(data: Path) -> None:
    port = free_port()
    first = begin(data, "daemon")
    assert first.stderr is not None
    with first.stderr:
        wait_until(lambda: "dagster._daemon" in command_of(first.pid), "the daemon")
        for again in (["daemon"], ["ui", "--port", str(port)]):
            second = begin(data, *again)
            _, told = second.communicate(timeout=PATIENCE_SECONDS)
            assert told.startswith(
                "chargehouse: `chargehouse daemon` or `chargehouse ui` already runs the schedules and sensors of "
                f"{data}. "
            )
            assert second.returncode == command.INCOMPLETE
        assert first.poll() is None
        first.terminate()
        first.wait(PATIENCE_SECONDS)


def command_of(process: int) -> str:
    return Path(f"/proc/{process}/cmdline").read_text()


@pytest.mark.parametrize("name", ["ui", "webserver"])
def test_nothing_is_started_where_the_port_is_taken(name: str, data: Path, occupied: int) -> None:
    process = begin(data, name, "--port", str(occupied))
    _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert told == f"chargehouse: cannot listen on port {occupied} of 127.0.0.1: Address already in use\n"
    assert process.returncode == command.INCOMPLETE
    assert not data.exists()


@pytest.mark.parametrize("name", ["ui", "webserver"])
@pytest.mark.parametrize("port", ["0", "-1", "99999"])
def test_what_is_no_port_is_a_mistake(name: str, port: str, data: Path) -> None:
    process = begin(data, name, f"--port={port}")
    _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert told == f"chargehouse: --port must be from 1 to 65535, not {port}.\n"
    assert process.returncode == command.MISTAKE
