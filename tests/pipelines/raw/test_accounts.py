"""A data folder belongs to the sandbox or to the accounts it was read from: others are refused before any reading."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest

from pipelines import command
from pipelines.faults import ConfigurationError
from pipelines.layout import RAW_FOLDER, SANDBOX_RECORD
from pipelines.operations import demonstration, web_interface
from pipelines.raw.accounts import address_of
from pipelines.raw.extraction import extract
from pipelines.raw.questions import refresh
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.readings import readings_table
from pipelines.settings import load_settings
from sandbox.server import Sandbox
from tests.pipelines.commanded import Run, complaint
from tests.pipelines.conftest import NOW, SettingsBuilder
from tests.pipelines.orchestration.operated import operated
from tests.processes import free_port

DAY = timedelta(days=1)


@pytest.fixture
def small_demonstration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "SESSIONS", 60)


@pytest.fixture
def smappee(sandbox: Sandbox) -> dict[str, str]:
    names = {name: value for name, value in sandbox.environment().items() if name.startswith("SMAPPEE_")}
    return {**names, "CHARGEHOUSE_FIRST_MONTH": "2026-03"}


def by_another_name(sandbox: Sandbox) -> str:
    """The same server, under another host name."""
    return f"{sandbox.url.replace('127.0.0.1', 'localhost')}/smappee"


@pytest.mark.usefixtures("small_demonstration")
def test_accounts_are_not_read_into_the_sandboxs_data_and_the_demonstration_goes_on(
    run: Run, sandbox: Sandbox, smappee: dict[str, str]
) -> None:
    for day in (9, 10):
        assert run("run", "--as-of", f"2026-04-{day:02}")[0] == command.DONE
    before = run("sql", "SELECT count(*) FROM fact_session")
    for reading in (["refresh"], ["reconcile"], ["backfill", "--from", "2026-02", "--to", "2026-02"], ["run"]):
        told = complaint(run(*reading, "--as-of", "2026-04-11", **smappee), command.MISTAKE)
        assert "holds the sandbox's invented data" in told
        assert "CHARGEHOUSE_DATA" in told
    assert not sandbox.requests
    assert run("sql", "SELECT count(*) FROM fact_session", **smappee) == before
    assert run("status", **smappee)[0] == command.DONE
    assert run("run", "--as-of", "2026-04-12")[0] == command.DONE


def test_a_run_that_dagster_starts_is_refused_as_clearly(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("smappee")
    (settings.data / RAW_FOLDER).mkdir(parents=True)
    (settings.data / SANDBOX_RECORD).touch()
    with operated(settings, sandbox) as house:
        result = house.load(NOW)
    assert not result.success
    (failure,) = [event for event in result.all_events if event.is_step_failure and event.step_key == "raw_log"]
    assert failure.step_failure_data.error is not None
    assert "holds the sandbox's invented data" in str(failure.step_failure_data.error)
    assert not sandbox.requests


@pytest.mark.usefixtures("small_demonstration")
def test_the_sandbox_is_not_read_into_the_data_of_accounts(run: Run, smappee: dict[str, str], tmp_path: Path) -> None:
    assert run("refresh", "--as-of", "2026-04-10", **smappee)[0] == command.DONE
    told = complaint(run("run", "--as-of", "2026-04-11"), command.MISTAKE)
    assert "no vendor is configured, and" in told
    assert not (tmp_path / "data" / SANDBOX_RECORD).exists(), "it would keep the accounts out"
    assert run("refresh", "--as-of", "2026-04-11", **smappee)[0] == command.DONE


@pytest.mark.usefixtures("small_demonstration")
def test_the_demonstration_is_rebuilt_as_its_runs_have_built_it(run: Run, tmp_path: Path) -> None:
    assert run("run", "--as-of", "2026-04-10")[0] == command.DONE
    before = run("status")
    assert "complete 2025-11..2026-04" in before[1]
    assert run("rebuild")[0] == command.DONE
    assert run("status") == before


def test_a_look_at_the_sandboxs_web_ui_keeps_no_account_out(run: Run, smappee: dict[str, str], tmp_path: Path) -> None:
    nobody = load_settings({"CHARGEHOUSE_DATA": str(tmp_path / "data")}, tmp_path / ".env")
    with demonstration.sandboxed(nobody, NOW) as still_open:
        assert (nobody.data / SANDBOX_RECORD).exists()
        assert run("refresh", "--as-of", "2026-04-10", **smappee)[0] == command.DONE
        assert not (nobody.data / SANDBOX_RECORD).exists()
        with pytest.raises(ConfigurationError, match="holds data of real accounts"):
            extract(still_open, ["jedlix"], refresh(still_open, NOW), "run-1")
    assert run("refresh", "--as-of", "2026-04-11", **smappee)[0] == command.DONE


def test_a_damaged_mark_of_the_sandbox_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / SANDBOX_RECORD).touch()
    told = complaint(run("run", "--as-of", "2026-04-10"), command.MISTAKE)
    assert f"{SANDBOX_RECORD} is damaged" in told
    assert "CHARGEHOUSE_DATA" in told


@pytest.mark.usefixtures("small_demonstration")
def test_what_is_set_of_accounts_that_are_off_is_not_asked_of_the_sandbox(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "begun.env"
    file.write_text("ZAPTEC_INSTALLATION_IDS=mine\nGREENFLUX_CDRS_VERSION=off\nCHARGEHOUSE_TIME_ZONE=Europe/Oslo\n")
    monkeypatch.setenv("CHARGEHOUSE_ENV_FILE", str(file))
    monkeypatch.setenv("ZAPTEC_CHARGER_IDS", "mine")
    nobody = load_settings({"CHARGEHOUSE_DATA": str(tmp_path / "data")}, tmp_path / ".env")
    with demonstration.sandboxed(nobody, NOW) as settings:
        assert settings.zaptec is not None
        assert (settings.zaptec.installation_ids, settings.zaptec.charger_ids) == ((), ())
        assert settings.greenflux is not None
        assert settings.greenflux.cdrs_version == "1.0"
        assert settings.time_zone == "Europe/Oslo"


def test_the_web_ui_shows_the_data_of_accounts_that_are_not_configured_without_the_sandbox(
    sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = sandbox_settings("smappee")
    extract(settings, ["smappee"], refresh(settings, NOW), "run-1")
    environments: list[dict[str, str]] = []

    def start(_home: Path, environment: dict[str, str], _port: int) -> "subprocess.Popen[bytes]":
        environments.append(environment)
        return subprocess.Popen([sys.executable, "-c", ""], process_group=0)

    monkeypatch.setattr(web_interface, "_start", start)
    monkeypatch.setattr(web_interface.signal, "signal", lambda *_: None)
    nobody = load_settings({"CHARGEHOUSE_DATA": str(settings.data)}, tmp_path / ".env")
    begins = load_settings({"CHARGEHOUSE_DATA": str(tmp_path / "new")}, tmp_path / ".env")
    with patch.dict(os.environ):
        for folder in (nobody, begins):
            assert web_interface.serve(folder, free_port()) == 0
    served = [load_settings(environment, tmp_path / ".env") for environment in environments]
    assert [(settings.is_demonstration, len(settings.vendors)) for settings in served] == [(False, 0), (True, 4)]
    assert not (settings.data / SANDBOX_RECORD).exists()


def test_another_host_is_refused_until_it_is_said_to_be_the_same_account(
    run: Run, sandbox: Sandbox, smappee: dict[str, str]
) -> None:
    assert run("refresh", "--as-of", "2026-04-10", **smappee)[0] == command.DONE
    sandbox.requests.clear()
    moved = {**smappee, "SMAPPEE_BASE_URL": by_another_name(sandbox)}
    told = complaint(run("refresh", "--as-of", "2026-04-11", **moved), command.MISTAKE)
    assert "was read from 127.0.0.1/smappee, but the configuration names localhost/smappee" in told
    assert "CHARGEHOUSE_DATA" in told
    assert not sandbox.requests
    advised = told.partition("`chargehouse ")[2].partition("`")[0].split()
    assert run(*advised, "--as-of", "2026-04-11", **moved)[0] == command.DONE
    assert run("refresh", "--as-of", "2026-04-12", **moved)[0] == command.DONE
    complaint(run("refresh", "--as-of", "2026-04-13", **smappee), command.MISTAKE)


def test_only_what_is_asked_for_has_to_be_the_same_account(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("zaptec", "smappee")
    extract(settings, settings.vendors, refresh(settings, NOW), "run-1")
    moved = sandbox_settings("zaptec", "smappee", SMAPPEE_BASE_URL=by_another_name(sandbox))
    with pytest.raises(ConfigurationError, match="smappee: the data in"):
        extract(moved, moved.vendors, refresh(moved, NOW + DAY), "run-2")
    extract(moved, ["zaptec"], refresh(moved, NOW + DAY), "run-3")


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("https://Vendor.example/dev/v3", "vendor.example/dev/v3"),
        ("https://vendor.example/dev/v3/", "vendor.example/dev/v3"),
        ("https://vendor.example:8443/dev/v3", "vendor.example/dev/v3"),
        ("https://vendor.example", "vendor.example"),
    ],
)
def test_an_address_is_host_and_path(written: str, address: str, sandbox_settings: SettingsBuilder) -> None:
    assert address_of(sandbox_settings("smappee", SMAPPEE_BASE_URL=written), "smappee") == address


def test_a_renewed_credential_and_another_port_are_the_same_account(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("greenflux")
    extract(settings, ["greenflux"], refresh(settings, NOW), "run-1")
    another = "renewed"
    with Sandbox(sandbox.world, NOW + DAY) as elsewhere:
        elsewhere.settings.greenflux.token = another
        renewed = sandbox_settings(
            "greenflux", GREENFLUX_TOKEN=another, GREENFLUX_BASE_URL=f"{elsewhere.url}/greenflux"
        )
        readings = extract(renewed, ["greenflux"], refresh(renewed, NOW + DAY), "run-2")
    assert {reading.state for reading in readings} == {"complete"}


def test_an_address_from_which_nothing_was_read_binds_nobody(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    mistyped = sandbox_settings("smappee", SMAPPEE_BASE_URL=f"{sandbox.url}/smapee")
    readings = extract(mistyped, ["smappee"], refresh(mistyped, NOW), "run-1")
    assert {reading.state for reading in readings} == {"failed"}
    settings = sandbox_settings("smappee")
    readings = extract(settings, ["smappee"], refresh(settings, NOW + DAY), "run-2")
    assert {reading.state for reading in readings} == {"complete"}


def test_data_of_before_takes_on_the_present_address(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sandbox_settings("smappee")
    readings = extract(settings, ["smappee"], refresh(settings, NOW), "run-1")
    log = RawLog(settings.data)
    positions = log.positions()
    assert positions.origins["smappee"].address == "127.0.0.1/smappee"
    positions.origins.clear()
    log.append({READINGS: [readings_table(readings)]}, positions, ["smappee"])
    assert log.positions() == positions
    moved = sandbox_settings("smappee", SMAPPEE_BASE_URL=by_another_name(sandbox))
    extract(moved, ["smappee"], refresh(moved, NOW + DAY), "run-2")
    assert log.positions().origins["smappee"].address == "localhost/smappee"
    assert log.positions().watermarks.keys() == positions.watermarks.keys()
