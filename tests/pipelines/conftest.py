"""The four APIs on loopback over a small generated world, settings that point at them, and the command line."""

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines import command
from pipelines.settings import PREFIXES, Settings, load_settings
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from tests.pipelines.commanded import Run, Told
from tests.pipelines.orchestration.receivers import Channel, Mailbox, mail_receiver, web_receiver
from tests.pipelines.orchestration.sound_house import build_house

BEGINS_AT = datetime(2026, 1, 10, tzinfo=UTC)
NOW = datetime(2026, 4, 10, tzinfo=UTC)
SettingsBuilder = Callable[..., Settings]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A world of its own for every test, so that a test may edit it."""
    with Sandbox(generate_world(7, BEGINS_AT, NOW, 480, continues_days=20), NOW) as running:
        yield running


@pytest.fixture
def sandbox_settings(sandbox: Sandbox, tmp_path: Path) -> SettingsBuilder:
    """Settings over the sandbox, with all vendors or only the given ones; keywords are further variables."""

    def build(*vendors: str, **variables: str) -> Settings:
        prefixes = tuple(vendor.upper() for vendor in vendors) or ("",)
        environment = {name: value for name, value in sandbox.environment().items() if name.startswith(prefixes)}
        return load_settings(
            {
                **environment,
                "CHARGEHOUSE_DATA": str(tmp_path / "data"),
                "CHARGEHOUSE_FIRST_MONTH": "2026-01",
                "CHARGEHOUSE_PSEUDONYM_KEY": "a key for tests",
                "CHARGEHOUSE_RETRY_PAUSE_SECONDS": "0.001",
                "CHARGEHOUSE_READ_TIMEOUT_SECONDS": "2",
                **variables,
            },
            tmp_path / ".env",
        )

    return build


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an environment of only the variables given."""

    def call(*arguments: str, **variables: str) -> Told:
        for name in [name for name in os.environ if name.startswith((*PREFIXES, "DAGSTER_"))]:
            monkeypatch.delenv(name)
        # A run sets it for its process; what is set here is undone after the test.
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
        quick = {"CHARGEHOUSE_DATA": str(tmp_path / "data"), "CHARGEHOUSE_RETRY_PAUSE_SECONDS": "0.001"}
        for name, value in {**quick, **variables}.items():
            monkeypatch.setenv(name, value)
        capfd.readouterr()
        try:
            status = command.main(arguments)
        except SystemExit as usage:
            status = int(usage.code or 0)
        told = capfd.readouterr()
        assert "Traceback" not in told.out + told.err
        assert "planted" not in told.out + told.err
        assert "sandbox-" not in told.out + told.err, "the sandbox's credentials all begin so"
        return status, told.out, told.err

    return call


@pytest.fixture(scope="module")
def sound_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound warehouse, to be copied."""
    data = tmp_path_factory.mktemp("sound") / "data"
    build_house(data)
    return data


@pytest.fixture
def data(sound_data: Path, tmp_path: Path) -> Path:
    """A copy of the sound warehouse, which a test may damage."""
    shutil.copytree(sound_data, tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def channel() -> Iterator[Channel]:
    with web_receiver() as opened:
        yield opened


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with mail_receiver() as opened:
        yield opened
