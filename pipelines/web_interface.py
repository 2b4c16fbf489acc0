"""`chargehouse ui`: the Dagster web server and daemon on loopback, over the project's own instance."""

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack

from pipelines.demonstration import sandbox_environment
from pipelines.instance import prepare_dagster_home
from pipelines.questions import run_instant
from pipelines.settings import PROJECT_FOLDER, Settings


def serve(settings: Settings, port: int) -> int:
    """Serve until interrupted. Where no vendor is configured the sandbox plays them, so that every button works."""
    home = prepare_dagster_home(settings.data)
    with ExitStack() as stack:
        environment: Mapping[str, str] = {**os.environ, "CHARGEHOUSE_DATA": str(settings.data)}
        if not settings.vendors:
            print("No vendor is configured: the sandbox plays all four while the web UI runs.", flush=True)
            environment = stack.enter_context(sandbox_environment(settings, run_instant("")))
        print(f"Dagster web UI: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(PROJECT_FOLDER / "workspace.yaml")]
        try:
            return subprocess.call(
                [*command, "-h", "127.0.0.1", "-p", str(port)],
                cwd=PROJECT_FOLDER,
                env={**environment, "DAGSTER_HOME": str(home)},
            )
        except KeyboardInterrupt:
            return 0
