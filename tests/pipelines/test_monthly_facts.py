"""Which months are to be built: those that were touched since each was built, whoever built it."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from pipelines.lakes import Lakes
from pipelines.monthly_facts import build_months, pending_months
from warehouse.column_types import polars_schema
from warehouse.tables import FACT_ENERGY, TOUCHED_MONTH

AT = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def lakes(tmp_path: Path) -> Lakes:
    return Lakes.below(tmp_path)


def touch(lakes: Lakes, number: int, *months: str) -> None:
    rows = [(f"run-{number}", month, "corrected", AT, number) for month in months]
    lakes.published.append(TOUCHED_MONTH, pl.DataFrame(rows, schema=polars_schema(TOUCHED_MONTH), orient="row"))


def test_nothing_is_pending_where_nothing_was_touched(lakes: Lakes) -> None:
    assert pending_months(lakes) == []
    assert build_months(lakes, pending_months(lakes), "UTC", builds_all=True) == []


def test_a_month_built_by_hand_is_pending_no_more_and_the_others_are(lakes: Lakes) -> None:
    touch(lakes, 1, "2026-01", "2026-02", "2026-03", "none")
    build_months(lakes, ["2026-02"], "UTC")
    assert pending_months(lakes) == ["2026-01", "2026-03", "none"]
    build_months(lakes, pending_months(lakes), "UTC", builds_all=True)
    assert pending_months(lakes) == []


def test_a_month_touched_again_is_pending_again(lakes: Lakes) -> None:
    touch(lakes, 1, "2026-01", "2026-02")
    build_months(lakes, pending_months(lakes), "UTC", builds_all=True)
    touch(lakes, 2, "2026-02")
    assert pending_months(lakes) == ["2026-02"]
    build_months(lakes, ["2026-01", "2026-02"], "UTC")
    assert pending_months(lakes) == []


def test_a_month_is_pending_as_long_as_one_fact_lacks_it(lakes: Lakes) -> None:
    touch(lakes, 1, "2026-01")
    build_months(lakes, ["2026-01"], "UTC")
    lakes.published.forget(FACT_ENERGY)
    assert pending_months(lakes) == ["2026-01"]
