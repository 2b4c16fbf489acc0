"""The real web UI over real data. All tests of a module share one window, because starting both takes long."""

import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM

import pytest
from selenium.webdriver.support.ui import WebDriverWait

from pipelines import command
from pipelines.settings import PROJECT_FOLDER, load_settings
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from tests.browser.window import CHROMIUM, CHROMIUM_DRIVER, Window, browser
from tests.end_to_end.published import KEY, Chargehouse
from tests.outside import outside
from tests.pipelines.orchestration.operated import Operated, operated
from tests.processes import answers, free_port

NOW = datetime.now(UTC).replace(microsecond=0)
BEGINS_AT = (NOW.replace(day=1, hour=0, minute=0, second=0) - timedelta(days=100)).replace(day=1)
"""Four to five months back from the clock: the web UI offers months up to the current one."""

SESSIONS = 400
START_SECONDS, END_SECONDS = 120, 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    missing = [path for path in (CHROMIUM, CHROMIUM_DRIVER) if not path.exists()]
    if missing:
        names = " and ".join(str(path) for path in missing)
        pytest.skip(f"no {names}: install Debian's packages chromium and chromium-driver to see the web UI tested")
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def sandbox(folder: Path) -> Iterator[Sandbox]:
    world = generate_world(seed=7, begins_at=BEGINS_AT, populated_until=NOW, sessions=SESSIONS)
    with Sandbox(world, NOW, clock_runs=True) as served:
        yield served


@pytest.fixture(scope="module")
def environment(folder: Path, sandbox: Sandbox) -> Mapping[str, str]:
    """The variables of a Chargehouse whose vendors a small world plays, after one refresh on the command line."""
    variables = {"CHARGEHOUSE_FIRST_MONTH": BEGINS_AT.strftime("%Y-%m"), "CHARGEHOUSE_PSEUDONYM_KEY": KEY}
    house = Chargehouse(folder / "data", sandbox, **variables)
    assert house.run("refresh", "--as-of", NOW.isoformat()) == command.DONE
    return {**sandbox.environment(), "CHARGEHOUSE_DATA": str(folder / "data"), **variables}


@pytest.fixture(scope="module")
def house(environment: Mapping[str, str], folder: Path, sandbox: Sandbox) -> Iterator[Operated]:
    """Its settings and lakes, and the Dagster instance that the web UI shows."""
    with operated(load_settings(environment, folder / ".env"), sandbox) as opened:
        yield opened


@pytest.fixture(scope="module")
def window(environment: Mapping[str, str], folder: Path) -> Iterator[Window]:
    """A window on `chargehouse ui`."""
    with web_interface(environment, folder / "ui.log") as address, browser(folder / "profile") as driver:
        yield Window(driver, address)


@contextmanager
def web_interface(environment: Mapping[str, str], log: Path) -> Iterator[str]:
    """`chargehouse ui` as a process of its own, with its daemon, until the end of the block. Yields its address."""
    port = free_port()
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.command", "ui", "--port", str(port)],
            cwd=PROJECT_FOLDER,
            env={**outside(), **environment, "PYTHONPATH": str(PROJECT_FOLDER)},
            stdout=output,
            stderr=output,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        WebDriverWait(process, START_SECONDS, 0.3).until(
            lambda started: started.poll() is None and answers(port), f"no web UI at {address}; see {log}"
        )
        yield address
    finally:
        # The command ends its web server, daemon and code servers as well.
        process.send_signal(SIGTERM)
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep a screenshot of the window when a test fails, and name its file in the report."""
    report = yield
    shown = item.funcargs.get("window")
    if report.failed and call.when == "call" and isinstance(shown, Window):
        path = item.funcargs["folder"] / f"{item.name}.png"
        shown.keep_picture(path)
        report.sections.append(("the window at that moment", str(path)))
    return report
