"""The pseudonym key is made once, for its owner only; no new key is made beside data that an older one was used for."""

import shutil
import stat
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from pipelines import command
from pipelines.faults import ConfigurationError
from pipelines.layout import FORGOTTEN
from pipelines.operations import demonstration
from pipelines.operations.erasure import erase_from_raw_log
from pipelines.personal_data import Pseudonyms
from pipelines.raw import pseudonym_key as module
from pipelines.raw.extraction import extract
from pipelines.raw.forgotten import KINDS
from pipelines.raw.positions import Origin, Positions
from pipelines.raw.pseudonym_key import pseudonym_key
from pipelines.raw.questions import refresh
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.readings import READING_SCHEMA, readings_table
from sandbox.server import Sandbox
from tests.pipelines.commanded import Run, complaint
from tests.pipelines.conftest import NOW, SettingsBuilder
from warehouse.durable_files import flush

DAY = timedelta(days=1)


def test_a_configured_key_is_used_and_none_is_made(tmp_path: Path) -> None:
    assert pseudonym_key(SecretStr("configured"), tmp_path) == b"configured"
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    key = pseudonym_key(None, folder)
    assert pseudonym_key(None, folder) == key
    assert len(key) == 64
    assert [path.name for path in folder.iterdir()] == ["pseudonym.key"]
    assert stat.S_IMODE((folder / "pseudonym.key").stat().st_mode) == 0o600
    assert pseudonym_key(None, tmp_path / "other") != key


def test_threads_that_need_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        keys: list[bytes] = []
        gate = threading.Barrier(4)

        def make(folder: Path = folder, keys: list[bytes] = keys, gate: threading.Barrier = gate) -> None:
            gate.wait()
            keys.append(pseudonym_key(None, folder))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(keys) == 4
        assert {*keys} == {pseudonym_key(None, folder)}
        assert [path.name for path in folder.iterdir()] == ["pseudonym.key"]


def with_a_load(data: Path) -> Path:
    """Append a load to the raw log in this folder; returns the folder."""
    RawLog(data).append({"readings": [READING_SCHEMA.empty_table()]}, Positions(), ["smappee"])
    assert RawLog(data).newest_load() is not None
    return data


def test_a_key_is_on_the_disk_before_anything_is_written_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []

    def noted(path: Path) -> None:
        flushed.append(path)
        flush(path)

    monkeypatch.setattr(module, "flush", noted)
    pseudonym_key(None, tmp_path)
    assert [path.name.rpartition(".")[0] for path in flushed[:1]] == [".pseudonym.key"]
    assert flushed[1:] == [tmp_path]


@pytest.mark.parametrize("content", ["", " \n"])
def test_an_empty_key_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "pseudonym.key").write_text(content)
    with pytest.raises(ConfigurationError, match=r"pseudonym\.key is empty.*delete it and run again"):
        pseudonym_key(None, tmp_path)


def test_a_key_of_any_bytes_is_a_key(tmp_path: Path) -> None:
    (tmp_path / "pseudonym.key").write_bytes(b"\xff\x00\xfe\n")
    assert pseudonym_key(None, tmp_path) == b"\xff\x00\xfe"


def test_no_second_key_is_made_beside_what_was_written_with_the_first(tmp_path: Path) -> None:
    data = tmp_path / "the data"
    key = pseudonym_key(None, data)
    assert pseudonym_key(None, with_a_load(data)) == key
    (data / "pseudonym.key").unlink()
    with pytest.raises(ConfigurationError, match="CHARGEHOUSE_PSEUDONYM_KEY"):
        pseudonym_key(None, data)
    assert not (data / "pseudonym.key").exists()
    assert pseudonym_key(SecretStr(key.decode()), data) == key


def test_a_key_that_is_made_while_it_is_looked_for_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the look for a key and before that for a load, another process makes the first key and the first load."""
    newest_load = RawLog.newest_load

    def once_another_has_begun(raw_log: RawLog) -> int | None:
        monkeypatch.setattr(RawLog, "newest_load", newest_load)
        pseudonym_key(None, tmp_path)
        return newest_load(RawLog(with_a_load(tmp_path)))

    monkeypatch.setattr(RawLog, "newest_load", once_another_has_begun)
    assert pseudonym_key(None, tmp_path) == (tmp_path / "pseudonym.key").read_bytes()


def test_data_is_not_read_on_with_another_key_unless_somebody_says_so(sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("smappee")
    extract(settings, ["smappee"], refresh(settings, NOW), "run-1")
    log = RawLog(settings.data)
    before = log.positions()
    another = sandbox_settings("smappee", CHARGEHOUSE_PSEUDONYM_KEY="another")
    with pytest.raises(ConfigurationError, match=r"smappee: .*another pseudonym key.*--accept-new-key") as refused:
        extract(another, ["smappee"], refresh(another, NOW + DAY), "run-2")
    assert before.origins["smappee"].key_fingerprint not in (None, "another")
    assert "another pseudonym key" in str(refused.value)
    assert "a key for tests" not in str(refused.value)
    assert log.positions() == before
    accepted = replace(another, is_new_key_accepted=True)
    extract(accepted, ["smappee"], refresh(accepted, NOW + DAY), "run-3")
    extract(another, ["smappee"], refresh(another, NOW + 2 * DAY), "run-4")
    with pytest.raises(ConfigurationError, match="another pseudonym key"):
        extract(settings, ["smappee"], refresh(settings, NOW + 3 * DAY), "run-5")


def test_the_fingerprint_of_a_key_is_no_persons_pseudonym() -> None:
    one, other = Pseudonyms("smappee", b"one"), Pseudonyms("smappee", b"other")
    assert one.key_fingerprint == Pseudonyms("smappee", b"one").key_fingerprint
    assert one.key_fingerprint != other.key_fingerprint
    assert one.key_fingerprint not in {one.of(kind, "") for kind in KINDS}


def test_nobody_is_forgotten_by_a_key_that_knows_nobody(sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("smappee")
    extract(settings, ["smappee"], refresh(settings, NOW), "run-1")
    another = sandbox_settings("smappee", CHARGEHOUSE_PSEUDONYM_KEY="another")
    with pytest.raises(ConfigurationError, match="another pseudonym key"):
        erase_from_raw_log(another, "smappee", "anybody", lambda: None)
    assert not (settings.data / FORGOTTEN).exists()


def test_data_of_before_takes_on_the_present_key(sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("smappee")
    readings = extract(settings, ["smappee"], refresh(settings, NOW), "run-1")
    log = RawLog(settings.data)
    positions = log.positions()
    positions.origins["smappee"] = Origin(positions.origins["smappee"].address)
    log.append({READINGS: [readings_table(readings)]}, positions, ["smappee"])
    assert log.positions() == positions
    another = sandbox_settings("smappee", CHARGEHOUSE_PSEUDONYM_KEY="another")
    extract(another, ["smappee"], refresh(another, NOW + DAY), "run-2")
    assert log.positions().origins["smappee"].key_fingerprint == Pseudonyms("smappee", b"another").key_fingerprint


def test_the_command_says_what_to_do_about_another_key(run: Run, sandbox: Sandbox) -> None:
    names = {name: value for name, value in sandbox.environment().items() if name.startswith("SMAPPEE_")}
    smappee = {**names, "CHARGEHOUSE_FIRST_MONTH": "2026-03"}
    refreshed = ("refresh", "--as-of", "2026-04-10")
    assert run(*refreshed, **smappee)[0] == command.DONE
    asked = len(sandbox.requests)
    smappee["CHARGEHOUSE_PSEUDONYM_KEY"] = "another"
    told = complaint(run(*refreshed, **smappee), command.MISTAKE)
    assert "--accept-new-key" in told
    assert len(sandbox.requests) == asked
    assert run(*refreshed, "--accept-new-key", **smappee)[0] == command.DONE
    assert run(*refreshed, **smappee)[0] == command.DONE


def test_of_the_sandboxs_data_nothing_is_lost_with_its_key(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstration, "SESSIONS", 60)
    assert run("run", "--as-of", "2026-04-10")[0] == command.DONE
    told = complaint(run("run", "--as-of", "2026-04-11", CHARGEHOUSE_PSEUDONYM_KEY="another"), command.MISTAKE)
    assert "away: its data is invented" in told
    assert "--accept-new-key" not in told
    assert run("run", "--as-of", "2026-04-11")[0] == command.DONE


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_the_way_out_that_is_told_makes_a_key_for_its_owner_only(tmp_path: Path) -> None:
    data = with_a_load(tmp_path / "the data")
    with pytest.raises(ConfigurationError) as caught:
        pseudonym_key(None, data)
    told = str(caught.value).split("`")[1]
    subprocess.run(["/bin/sh", "-c", told], check=True, capture_output=True)
    assert len(pseudonym_key(None, data)) == 64
    assert stat.S_IMODE((data / "pseudonym.key").stat().st_mode) == 0o600
