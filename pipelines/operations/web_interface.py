"""`chargehouse ui`: the Dagster web server and daemon on loopback, over the project's own instance."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from pipelines.locks import sole_daemon
from pipelines.operations.demonstration import sandbox_environment
from pipelines.operations.listening import check_can_listen
from pipelines.orchestration.instance import make_history, prepare_dagster_home
from pipelines.raw.accounts import holds_own_data
from pipelines.raw.questions import run_instant
from pipelines.settings import PROJECT_FOLDER, Settings

HOST = "127.0.0.1"
PATIENCE_SECONDS = 8.0
"""How long the two services may take to end by themselves."""

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h: sets the signal that a process gets when its parent dies."""


def serve(settings: Settings, port: int) -> int:
    """Serve until interrupted. If no vendor is configured, the sandbox plays them, so that every button works, unless
    the folder holds data of real accounts."""
    check_can_listen(HOST, port)
    with ExitStack() as stack:
        stack.enter_context(sole_daemon(settings.data))
        home = prepare_dagster_home(settings.data, settings.postgres_url)
        make_history(settings.data, settings.postgres_url, home)
        environment: Mapping[str, str] = {**os.environ, "CHARGEHOUSE_DATA": str(settings.data)}
        if not settings.vendors and not holds_own_data(settings.data):
            print("No vendor is configured: the sandbox simulates all four while the web UI runs.", flush=True)
            environment = stack.enter_context(sandbox_environment(settings, run_instant("")))
        print(f"Dagster web UI: http://{HOST}:{port} (Ctrl-C to stop)", flush=True)
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Under nohup SIGHUP is ignored, and must stay so.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.default_int_handler)
        server = _start(home, {**environment, "DAGSTER_HOME": str(home)}, port)
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            _end(server)


def _start(home: Path, environment: Mapping[str, str], port: int) -> "subprocess.Popen[bytes]":
    """Start the web server, daemon and code servers, all in one process group."""
    # Dagster gives SIGTERM the handling that it finds for SIGINT, which shells ignore for background commands.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "dagster", "dev"),
                *("-w", str(PROJECT_FOLDER / "workspace.yaml"), "-h", HOST, "-p", str(port)),
            ],
            cwd=home,
            env=environment,
            process_group=0,
            preexec_fn=_end_with_parent(),
        )
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with_parent() -> "partial[int] | None":
    """What a new process calls so that it gets SIGTERM when its parent is killed; None if the system has no such call.
    It is looked up before the fork, because the new process may then do next to nothing."""
    control = getattr(ctypes.CDLL(None), "prctl", None)
    return None if control is None else partial(control, _PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End the process group, including what its first process left behind; kill it at once when interrupted again."""
    with suppress(ProcessLookupError):
        try:
            os.killpg(server.pid, signal.SIGTERM)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline:
                server.poll()
                os.killpg(server.pid, 0)
                time.sleep(0.1)
        except KeyboardInterrupt:
            pass
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
