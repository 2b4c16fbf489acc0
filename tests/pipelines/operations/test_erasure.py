"""Erasing from the raw log: lists asked for one person alone, erasures that are cut off, and impossible requests."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.faults import ConfigurationError
from pipelines.layout import FORGOTTEN, PSEUDONYM_KEY
from pipelines.operations.erasure import FORGOTTEN_SCOPE, erase_from_raw_log
from pipelines.personal_data import Pseudonyms
from pipelines.raw.extraction import extract
from pipelines.raw.questions import refresh
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.settings import Settings
from pipelines.tables.lakes import Lakes
from pipelines.tables.staging import stage
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder
from warehouse.durable_files import UNFINISHED
from warehouse.lake import Lake
from warehouse.tables import LOAD_AUDIT

PSEUDONYMS = Pseudonyms("zaptec", b"a key for tests")


def read(settings: Settings) -> None:
    extract(settings, settings.vendors, refresh(settings, NOW), "run-1")


def rows(settings: Settings, table: str) -> pl.DataFrame:
    files = RawLog(settings.data).files(table)
    return pl.concat([pl.read_parquet(file.path, hive_partitioning=False) for file in files])


def zaptec_user(sandbox: Sandbox) -> str:
    users = [
        version.payload["authorizedUser"]["id"]
        for _, version in sandbox.world.shown("zaptec", "sessions", NOW)
        if version.payload.get("authorizedUser")
    ]
    return str(max(set(users), key=users.count))


def test_a_list_that_was_asked_for_the_person_alone_names_them_no_more(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    user = zaptec_user(sandbox)
    scope = f"user:{PSEUDONYMS.of('user', user)}"
    read(sandbox_settings("zaptec", ZAPTEC_USER_IDS=user))
    settings = sandbox_settings("zaptec")
    before = {table: rows(settings, table) for table in ("zaptec_sessions", READINGS)}
    assert RawLog(settings.data).positions().of("zaptec", "sessions", scope).watermark is not None
    erase_from_raw_log(settings, "zaptec", user, lambda: None)
    assert RawLog(settings.data).positions().of("zaptec", "sessions", scope).watermark is None
    for table, was in before.items():
        now = rows(settings, table)
        assert scope in was["scope"]
        assert now["scope"].to_list() == was["scope"].replace(scope, FORGOTTEN_SCOPE).to_list()
        assert now.height == was.height
    # dlt accepts what is left of its state.
    read(settings)
    assert RawLog(settings.data).positions().watermarks


def test_what_was_cut_off_is_done_by_the_same_call_again(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sandbox_settings("jedlix")
    read(settings)
    whole = rows(settings, "jedlix_sessions")
    user = next(v.payload["userId"] for _, v in sandbox.world.shown("jedlix", "sessions", NOW))
    pseudonym = Pseudonyms("jedlix", b"a key for tests").of("user", user)
    replace = Path.replace

    def cut_off_at_the_sessions(self: Path, target: Path) -> Path:
        if Path(target).parent.name == "jedlix_sessions":
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut_off_at_the_sessions)
        with pytest.raises(KeyboardInterrupt):
            erase_from_raw_log(settings, "jedlix", user, lambda: None)
    assert rows(settings, "jedlix_sessions").equals(whole), "a file is as it was, or as it is to be"
    erased = erase_from_raw_log(settings, "jedlix", user, lambda: None)
    assert erased.session_ids
    assert not any(pseudonym in payload for payload in rows(settings, "jedlix_sessions")["payload"])
    assert list(settings.data.rglob(f"*{UNFINISHED}")) == []
    again = erase_from_raw_log(settings, "jedlix", user, lambda: None)
    assert not again.session_ids
    assert not again.object_ids


def test_an_audit_that_still_names_them_after_a_cut_off_is_counted_anew(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the time the call is repeated, the raw log no longer names them."""
    user = zaptec_user(sandbox)
    read(sandbox_settings("zaptec", ZAPTEC_USER_IDS=user))
    settings = sandbox_settings("zaptec")
    raw_log, lakes = RawLog(settings.data), Lakes.below(settings.data)
    stage(raw_log, lakes, "UTC", NOW, "run-1")
    own_scope = f"user:{PSEUDONYMS.of('user', user)}"
    assert own_scope in lakes.published.scan(LOAD_AUDIT).collect()["scope"]

    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Lake, "forget", cut_off)
        with pytest.raises(KeyboardInterrupt):
            erase_from_raw_log(settings, "zaptec", user, lambda: None)
    assert own_scope not in rows(settings, READINGS)["scope"]
    erase_from_raw_log(settings, "zaptec", user, lambda: None)
    stage(raw_log, lakes, "UTC", NOW, "run-2")
    scopes = lakes.published.scan(LOAD_AUDIT).collect()["scope"]
    assert own_scope not in scopes
    assert FORGOTTEN_SCOPE in scopes


def test_what_is_not_the_persons_is_not_written_anew(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings()
    read(settings)
    written = {path: path.stat().st_ino for path in (settings.data / "raw").rglob("*") if path.is_file()}
    erase_from_raw_log(settings, "zaptec", zaptec_user(sandbox), lambda: None)
    anew = {path.parent.name for path, inode in written.items() if path.stat().st_ino != inode}
    assert anew == {"zaptec_sessions"}


@pytest.mark.parametrize(
    ("vendor", "person", "told"),
    [("zapp", "anna", "The vendors: zaptec"), ("zaptec", " ", "--user"), ("zaptec", "anna", "ZAPTEC_USER_IDS")],
)
def test_what_cannot_be_meant_is_a_mistake_and_lists_nobody(
    vendor: str, person: str, told: str, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("zaptec")
    read(settings)
    with pytest.raises(ConfigurationError, match=told) as mistake:
        erase_from_raw_log(sandbox_settings("zaptec", ZAPTEC_USER_IDS="anna"), vendor, person, lambda: None)
    assert "anna" not in str(mistake.value)
    assert not (settings.data / FORGOTTEN).exists()


def test_where_nothing_was_read_nobody_can_be_erased(sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("zaptec")
    with pytest.raises(ConfigurationError, match="no refresh has ever run there"):
        erase_from_raw_log(settings, "zaptec", "anna", lambda: None)
    assert not (settings.data / PSEUDONYM_KEY).exists()
