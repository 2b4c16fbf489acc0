"""A file replaces another as a whole, and what is written survives a loss of power."""

import os
from pathlib import Path

import pytest

from warehouse.durable_files import flush, make_folder, replacing


def test_a_file_is_on_the_disk_before_it_takes_its_place_and_so_is_its_name_afterwards(
    tmp_path: Path, flushed: list[int]
) -> None:
    path = tmp_path / "notes.json"
    path.write_text("old")
    with replacing(path) as unfinished:
        unfinished.write_text("new")
        written = unfinished.stat().st_ino
        assert path.read_text() == "old"
    assert flushed == [written, tmp_path.stat().st_ino]
    assert path.stat().st_ino == written
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_where_writing_fails_what_stood_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_text("old")

    def fail() -> None:
        with replacing(path) as unfinished:
            unfinished.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"


def test_what_was_flushed_is_closed_again(tmp_path: Path) -> None:
    def lowest_free_descriptor() -> int:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    before = lowest_free_descriptor()
    flush(tmp_path)
    assert lowest_free_descriptor() == before


def test_a_new_folder_is_known_on_the_disk_to_every_folder_above_it(tmp_path: Path, flushed: list[int]) -> None:
    make_folder(tmp_path / "lake" / "fact_session" / "month=2025-03")
    above = [tmp_path, tmp_path / "lake", tmp_path / "lake" / "fact_session"]
    assert flushed == [folder.stat().st_ino for folder in above]
    make_folder(above[-1] / "month=2025-03")
    assert len(flushed) == len(above)
