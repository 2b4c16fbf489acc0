"""The folders of queries that were killed are removed, and nothing else is."""

import os
import time
from pathlib import Path

import pytest

from warehouse.scratch import MAKING_SECONDS, PREFIX, scratch_folder


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def grow_old(path: Path) -> None:
    long_ago = time.time() - 2 * MAKING_SECONDS
    os.utime(path, (long_ago, long_ago))


def test_a_folder_that_may_only_just_have_been_made_is_left_to_whoever_makes_it(temporary: Path) -> None:
    made = temporary / f"{PREFIX}x"
    made.mkdir()
    with scratch_folder():
        assert made.exists()
    grow_old(made)
    with scratch_folder() as mine:
        assert list(temporary.iterdir()) == [mine]


def test_nothing_is_removed_that_somebody_has_put_in_the_place_of_such_a_folder(
    temporary: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    grow_old(elsewhere)
    (temporary / f"{PREFIX}link").symlink_to(elsewhere)
    (temporary / f"{PREFIX}file").touch()
    grow_old(temporary / f"{PREFIX}file")
    with scratch_folder():
        pass
    assert {path.name for path in temporary.iterdir()} == {f"{PREFIX}link", f"{PREFIX}file"}
    assert [path.name for path in elsewhere.iterdir()] == ["kept"]
