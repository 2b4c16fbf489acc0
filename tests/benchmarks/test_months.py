"""Blanked months: their rows are unreadable, their footers still readable."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from benchmarks.months import blank_all_but, month_files, months_of


def written(folder: Path, month: str) -> Path:
    path = folder / f"month={month}" / "rows.parquet"
    path.parent.mkdir(parents=True)
    pl.DataFrame({"number": range(1000)}).write_parquet(path)
    return path


def test_only_the_rows_of_other_months_are_gone(tmp_path: Path) -> None:
    kept, blanked = written(tmp_path, "2026-04"), written(tmp_path, "2026-03")
    size = blanked.stat().st_size
    assert months_of(month_files(tmp_path)) == {"2026-03", "2026-04"}
    blank_all_but(tmp_path, frozenset({"2026-04"}))
    assert pl.read_parquet(kept).height == 1000
    assert blanked.stat().st_size == size
    assert pq.read_metadata(blanked).num_rows == 1000
    with pytest.raises(OSError, match="header"):
        pq.read_table(blanked)
