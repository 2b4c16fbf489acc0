"""Splitting a frame into the parts that are written as one file each."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from warehouse.data_files import partitions
from warehouse.tables import FACT_SESSION

MONTHS = st.sampled_from(["2026-01", "2026-02", "2026-03", None])


@given(st.lists(MONTHS))
def test_every_month_is_one_part_with_all_of_its_rows_in_their_order(months: list[str | None]) -> None:
    frame = pl.DataFrame({"row": range(len(months)), "month": months}, schema={"row": pl.Int64, "month": pl.String})
    parts = list(partitions(FACT_SESSION, frame))
    assert {values["month"]: part["row"].to_list() for values, part in parts} == {
        month: [row for row, its_month in enumerate(months) if its_month == month] for month in set(months)
    }
    assert len(parts) == len(set(months))
    assert all(part.columns == ["row"] for _, part in parts)
