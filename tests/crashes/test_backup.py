"""Backup and restore: a restored warehouse continues as the original would have."""

import os
import shutil
import threading
import time
from pathlib import Path

import pytest

from pipelines import command
from pipelines.faults import BackupError, ConfigurationError
from pipelines.locks import RAW_LOG, exclusive
from pipelines.operations import backup as backup_module
from pipelines.operations.backup import MANIFEST, back_up, restore
from sandbox.server import Sandbox
from tests.crashes.conftest import REFRESHES
from tests.crashes.house import TABLES, House


def generations(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name != "locks")


def test_a_restored_warehouse_shows_the_same_and_goes_on_as_the_original(
    house: House, sandbox: Sandbox, tmp_path: Path
) -> None:
    before = {table: sorted(house.query(f"FROM {table}"), key=str) for table in TABLES}
    assert house.run("backup", str(tmp_path / "backups"), "--keep", "2") == command.DONE
    shutil.rmtree(house.data)
    elsewhere = House(tmp_path / "another machine" / "data", sandbox)
    assert elsewhere.run("restore", str(tmp_path / "backups")) == command.DONE
    assert {table: sorted(elsewhere.query(f"FROM {table}"), key=str) for table in TABLES} == before
    for instant in REFRESHES[1:]:
        assert elsewhere.refresh(instant) == command.DONE
    elsewhere.assert_equals_the_truth(REFRESHES)
    assert elsewhere.stray_files() == []


def test_the_raw_log_and_the_key_alone_give_everything_back(house: House, sandbox: Sandbox, tmp_path: Path) -> None:
    """The tables in a backup only save time: without them, the next refresh builds them again."""
    kept = back_up(house.data, tmp_path / "backups").folder
    for table_folder in ("lake", "staging"):
        shutil.rmtree(kept / table_folder)
    manifest = (kept / MANIFEST).read_text()
    backup = backup_module._read(kept)
    raw = {path: file for path, file in backup.files.items() if path.startswith("raw/")}
    backup_module._write_manifest(kept, backup_module.Backup(kept, backup.made_at, raw))
    assert len((kept / MANIFEST).read_text()) < len(manifest)
    elsewhere = House(tmp_path / "elsewhere", sandbox)
    assert elsewhere.run("restore", str(kept)) == command.DONE
    elsewhere.assert_converges(REFRESHES[:2])


def test_a_second_backup_copies_only_what_is_new(house: House, tmp_path: Path) -> None:
    first = back_up(house.data, tmp_path / "backups")
    assert first.new_files == len(first.files) > 10
    again = back_up(house.data, tmp_path / "backups")
    assert (again.new_files, again.files) == (0, first.files)
    path = next(path for path in first.files if path.startswith("raw/") and path.endswith(".parquet"))
    assert os.path.samefile(first.folder / path, again.folder / path)  # noqa: PTH121 -- reads as it is meant
    assert not os.path.samefile(house.data / path, first.folder / path)  # noqa: PTH121
    assert house.refresh(REFRESHES[1]) == command.DONE
    third = back_up(house.data, tmp_path / "backups")
    assert 0 < third.new_files < len(third.files)


def test_a_file_that_was_damaged_in_a_generation_is_copied_anew_into_the_next(house: House, tmp_path: Path) -> None:
    first = back_up(house.data, tmp_path / "backups")
    path = next(path for path in first.files if path.startswith("raw/") and path.endswith(".parquet"))
    os.truncate(first.folder / path, 10)
    again = back_up(house.data, tmp_path / "backups")
    assert again.new_files == 1
    restore(tmp_path / "restored", again.folder)
    assert (tmp_path / "restored" / path).read_bytes() == (house.data / path).read_bytes()


def test_a_generation_outlives_the_loss_of_the_original(house: House, sandbox: Sandbox, tmp_path: Path) -> None:
    """A later backup of partly lost data must not damage the good one."""
    good = back_up(house.data, tmp_path / "backups")
    for file in (house.data / "raw").rglob("*.parquet"):
        file.unlink()
    back_up(house.data, tmp_path / "backups")
    elsewhere = House(tmp_path / "elsewhere", sandbox)
    restore(elsewhere.data, good.folder)
    elsewhere.assert_converges(REFRESHES[:2])


@pytest.mark.parametrize("keep", [1, 2, 4])
def test_the_newest_generations_are_kept_and_no_fewer(house: House, tmp_path: Path, keep: int) -> None:
    made: list[Path] = []
    for _ in range(6):
        made.append(back_up(house.data, tmp_path / "backups", keep=keep).folder)
        assert generations(tmp_path / "backups") == made[-keep:]
    restore(tmp_path / "elsewhere", made[-keep])


def test_a_backup_waits_for_a_run_that_writes(house: House, tmp_path: Path) -> None:
    done = threading.Event()

    def wait() -> None:
        back_up(house.data, tmp_path / "backups")
        done.set()

    with exclusive(house.data, RAW_LOG):
        threading.Thread(target=wait, daemon=True).start()
        time.sleep(0.4)
        assert not done.is_set()
    assert done.wait(30)


def test_a_backup_that_is_cut_off_counts_for_nothing(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = back_up(house.data, tmp_path / "backups")
    with monkeypatch.context() as patched:
        patched.setattr(backup_module, "_write_manifest", _dies)
        with pytest.raises(KeyboardInterrupt):
            back_up(house.data, tmp_path / "backups")
    assert len(generations(tmp_path / "backups")) == 2
    assert restore(tmp_path / "elsewhere", tmp_path / "backups").folder == first.folder
    second = back_up(house.data, tmp_path / "backups")
    assert generations(tmp_path / "backups") == [first.folder, second.folder]


@pytest.mark.parametrize("moved", [0, 1, 2])
def test_a_restore_that_is_cut_off_goes_on(
    house: House, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moved: int
) -> None:
    back_up(house.data, tmp_path / "backups")
    elsewhere = House(tmp_path / "elsewhere", sandbox)
    left = [moved]
    rename = Path.rename

    def dies_at_some_time(path: Path, target: Path) -> Path:
        if path.parent.name == "restoring" and path.is_dir():
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", dies_at_some_time)
        with pytest.raises(KeyboardInterrupt):
            restore(elsewhere.data, tmp_path / "backups")
    assert not (elsewhere.data / "raw").exists()
    restore(elsewhere.data, tmp_path / "backups")
    assert not (elsewhere.data / "restoring").exists()
    elsewhere.assert_converges(REFRESHES[:2])


def test_a_restore_cut_off_while_it_copies_begins_again(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(house.data, tmp_path / "backups")
    with monkeypatch.context() as patched:
        patched.setattr(backup_module, "_write_manifest", _dies)
        with pytest.raises(KeyboardInterrupt):
            restore(tmp_path / "elsewhere", tmp_path / "backups")
    restore(tmp_path / "elsewhere", tmp_path / "backups")


def _dies(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("harm", ["cut short", "altered", "gone"])
def test_a_damaged_backup_is_refused_and_puts_nothing_in_place(house: House, tmp_path: Path, harm: str) -> None:
    kept = back_up(house.data, tmp_path / "backups")
    path = kept.folder / next(path for path in kept.files if path.startswith("raw/") and path.endswith(".parquet"))
    content = path.read_bytes()
    path.unlink()
    if harm != "gone":
        path.write_bytes(content[:-1] if harm == "cut short" else bytes([content[0] ^ 1]) + content[1:])
    with pytest.raises(BackupError, match="is damaged or missing"):
        restore(tmp_path / "elsewhere", tmp_path / "backups")
    assert not (tmp_path / "elsewhere" / "raw").exists()


def test_data_that_is_there_is_never_overwritten(house: House, tmp_path: Path) -> None:
    back_up(house.data, tmp_path / "backups")
    before = sorted(house.data.rglob("*"))
    with pytest.raises(BackupError, match="already contains staging, lake, raw"):
        restore(house.data, tmp_path / "backups")
    assert sorted(house.data.rglob("*")) == before


@pytest.mark.parametrize(
    ("data", "folder", "keep", "fault", "says"),
    [
        ("data", "data/backups", None, BackupError, "is inside the data to be backed up"),
        ("nothing", "backups", None, BackupError, "nothing to back up"),
        ("data", "backups", 0, ConfigurationError, "--keep"),
    ],
)
def test_a_backup_that_cannot_be_meant_is_refused(
    house: House, tmp_path: Path, data: str, folder: str, keep: int | None, fault: type[Exception], says: str
) -> None:
    with pytest.raises(fault, match=says):
        back_up(tmp_path / data, tmp_path / folder, keep)
    assert not (tmp_path / folder).exists()


def test_a_folder_without_a_backup_is_one_line_of_complaint(house: House, tmp_path: Path) -> None:
    status, _, complaint = house.finish(house.start("restore", str(tmp_path / "empty")))
    assert (status, complaint) == (command.INCOMPLETE, f"chargehouse: {tmp_path / 'empty'} contains no backup.\n")


def test_the_key_of_the_pseudonyms_is_kept_for_its_owner_only(house: House, tmp_path: Path) -> None:
    key = house.data / "pseudonym.key"
    key.write_text("a secret\n")
    key.chmod(0o600)
    kept = back_up(house.data, tmp_path / "backups").folder
    restore(tmp_path / "elsewhere", kept)
    restored = tmp_path / "elsewhere" / "pseudonym.key"
    assert restored.read_text() == "a secret\n"
    assert [path.stat().st_mode & 0o077 for path in (kept, kept / "pseudonym.key", restored)] == [0, 0, 0]
