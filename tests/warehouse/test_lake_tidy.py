"""Tidying removes files that nobody names any more and joins small ones, and never a row."""

import os
from pathlib import Path

import pytest

from tests.warehouse.lake_rows import APRIL, EVENT, MARCH, events, ids
from warehouse import data_files
from warehouse import lake as lake_module
from warehouse.errors import LakeError
from warehouse.tables import FACT_SESSION


def test_tidy_removes_what_no_recent_version_and_no_publication_names(lake, sessions, monkeypatch):
    six_days_ago, eight_days_ago = (data_files.now_milliseconds() - days * 24 * 3600 * 1000 for days in (6, 8))
    with monkeypatch.context() as past:
        past.setattr("warehouse.snapshot.now_milliseconds", lambda: eight_days_ago)
        for name in ("gone", "published", "recent"):
            lake.replace_months(FACT_SESSION, sessions(name, MARCH), ["2025-03"])
            if name == "gone":
                (gone,) = lake.files(FACT_SESSION)
            elif name == "published":
                (published,) = lake.files(FACT_SESSION)
        (recent,) = lake.files(FACT_SESSION)
        past.setattr("warehouse.snapshot.now_milliseconds", lambda: six_days_ago)
        lake.replace_months(FACT_SESSION, sessions("current", MARCH), ["2025-03"])
    abandoned = Path(recent.path).with_name("abandoned.parquet")
    abandoned.touch()
    os.utime(abandoned, (eight_days_ago / 1000, eight_days_ago / 1000))
    unfinished = Path(recent.path).with_name("unfinished.parquet")
    unfinished.touch()

    assert sorted(lake.tidy(FACT_SESSION, keep={f"/mounted/elsewhere/{Path(published.path).name}"})) == sorted(
        [gone.path, str(abandoned)]
    )
    assert Path(published.path).exists()
    assert Path(recent.path).exists()
    assert unfinished.exists()
    assert ids(lake) == ["current-0"]
    assert lake.tidy(FACT_SESSION) == [published.path]
    assert sorted(lake.tidy(FACT_SESSION, retention_hours=0)) == sorted([recent.path, str(unfinished)])


def test_tidy_joins_many_small_files(lake):
    for number in range(lake_module.MOST_FILES_IN_A_PARTITION):
        lake.append(EVENT, events(f"run {number:02}", "new"), marks={"load": number})
    lake.tidy(EVENT)
    assert len(lake.files(EVENT)) == lake_module.MOST_FILES_IN_A_PARTITION
    lake.append(EVENT, events("run 32", "new"), marks={"load": 32})
    lake.tidy(EVENT)
    assert len(lake.files(EVENT)) == 1
    assert lake.scan(EVENT).collect().get_column("run_id").to_list() == [f"run {n:02}" for n in range(33)]
    assert lake.mark(EVENT, "load") == 32


def test_tidy_joins_the_files_of_no_other_month(lake, sessions, monkeypatch):
    monkeypatch.setattr(lake_module, "MOST_FILES_IN_A_PARTITION", 2)
    lake.append(FACT_SESSION, sessions("april", APRIL))
    [april] = lake.files(FACT_SESSION)
    for name in "abc":
        lake.append(FACT_SESSION, sessions(name, MARCH))
    lake.tidy(FACT_SESSION)
    assert [file.month for file in lake.files(FACT_SESSION)] == ["2025-03", "2025-04"]
    assert april in lake.files(FACT_SESSION)
    assert ids(lake) == ["a-0", "april-0", "b-0", "c-0"]


def test_tidy_joins_no_files_of_which_one_is_lost(lake, monkeypatch):
    monkeypatch.setattr(lake_module, "MOST_FILES_IN_A_PARTITION", 1)
    lake.append(EVENT, events("run a", "new"))
    lake.append(EVENT, events("run b", "new"))
    Path(lake.files(EVENT)[0].path).unlink()
    with pytest.raises(LakeError, match="is missing or truncated: run `chargehouse rebuild`"):
        lake.tidy(EVENT)
