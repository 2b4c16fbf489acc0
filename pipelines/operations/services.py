"""`chargehouse daemon` and `chargehouse webserver`: Dagster's two long-lived processes, for a service manager.

Each prepares the instance and then becomes Dagster's own process, so that signals and exit status are Dagster's."""

import os
import signal
import sys
from typing import NoReturn

from pipelines.locks import sole_daemon
from pipelines.operations.listening import check_can_listen
from pipelines.orchestration.instance import make_history, prepare_dagster_home
from pipelines.settings import PROJECT_FOLDER, Settings


def become_daemon(settings: Settings) -> NoReturn:
    """Run schedules, sensors, alerts and queued runs, until told to stop."""
    with sole_daemon(settings.data, lasts_as_another_program=True):
        _become(settings, "dagster._daemon", "run")


def become_webserver(settings: Settings, host: str, port: int, *, is_read_only: bool = False) -> NoReturn:
    """Serve the web UI. It has no sign-in of its own: for other machines it belongs behind a proxy that has one."""
    check_can_listen(host, port)
    read_only = ["--read-only"] if is_read_only else []
    _become(settings, "dagster_webserver", "--host", host, "--port", str(port), *read_only)


def _become(settings: Settings, module: str, *arguments: str) -> NoReturn:
    home = prepare_dagster_home(settings.data, settings.postgres_url)
    # The working folder is about to change, and a relative data folder would change with it.
    os.environ["CHARGEHOUSE_DATA"] = str(settings.data)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    os.chdir(home)
    make_history(settings.data, settings.postgres_url, home)
    sys.stdout.flush()
    # Dagster gives SIGTERM the handling that it finds for SIGINT, which shells ignore for background commands.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    program = [sys.executable, "-W", "ignore", "-m", module, *arguments, "-w", str(PROJECT_FOLDER / "workspace.yaml")]
    os.execv(sys.executable, program)  # noqa: S606 -- our own interpreter
