"""`chargehouse ui`: the Dagster web server and daemon on loopback, over the project's own instance."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from pipelines.demonstration import sandbox_environment
from pipelines.instance import prepare_dagster_home
from pipelines.questions import run_instant
from pipelines.settings import PROJECT_FOLDER, Settings

PATIENCE_SECONDS = 8.0


def serve(settings: Settings, port: int) -> int:
    """Serve until interrupted. Where no vendor is configured the sandbox plays them, so that every button works."""
    home = prepare_dagster_home(settings.data, settings.postgres_url)
    with ExitStack() as stack:
        environment: Mapping[str, str] = {**os.environ, "CHARGEHOUSE_DATA": str(settings.data)}
        if not settings.vendors:
            print("No vendor is configured: the sandbox plays all four while the web UI runs.", flush=True)
            environment = stack.enter_context(sandbox_environment(settings, run_instant("")))
        print(f"Dagster web UI: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
        server = subprocess.Popen(
            [
                *(sys.executable, "-W", "ignore", "-m", "dagster", "dev"),
                *("-w", str(PROJECT_FOLDER / "workspace.yaml"), "-h", "127.0.0.1", "-p", str(port)),
            ],
            cwd=home,
            env={**environment, "DAGSTER_HOME": str(home)},
            process_group=0,
        )
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            return server.wait()
        except KeyboardInterrupt:
            # Web server, daemon and code servers are all of the one group.
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
            return 0
