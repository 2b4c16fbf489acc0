"""Which months are pending: those touched since they were last built, whoever built them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.tables import monthly_facts
from pipelines.tables.bookkeeping import note_touched
from pipelines.tables.lakes import Lakes
from pipelines.tables.monthly_facts import build_months, pending_months, pending_news
from transforms.touched import NOTHING_TOUCHED
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


@pytest.mark.parametrize("builds_all", [True, False])
def test_a_month_touched_after_the_entries_were_lost_is_pending(lakes: Lakes, builds_all: bool) -> None:
    touch(lakes, 5, "2026-01")
    build_months(lakes, ["2026-01"], "UTC", builds_all=builds_all)
    lakes.published.forget(TOUCHED_MONTH)
    for run_id in ("run-6", "run-7"):
        touched = pl.DataFrame([("2026-01", "corrected")], schema=NOTHING_TOUCHED.schema, orient="row")
        note_touched(touched, lakes.published, AT, run_id)
        assert pending_months(lakes) == ["2026-01"]
        build_months(lakes, ["2026-01"], "UTC", builds_all=builds_all)
        assert pending_months(lakes) == []


def test_a_month_touched_twice_is_built_up_to_the_newer(lakes: Lakes) -> None:
    touch(lakes, 1, "2026-01")
    touch(lakes, 2, "2026-01", "2026-02")
    assert pending_news(lakes) == {"2026-01": 2, "2026-02": 2}
    build_months(lakes, ["2026-01"], "UTC")
    assert pending_news(lakes) == {"2026-02": 2}


def test_batches_of_months_vouch_each_for_its_own(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a run is cut off between two batches, the months of the later ones stay pending."""
    lakes = Lakes.below(data)
    touch(lakes, 1, "2026-01", "2026-02")
    # More sessions than one of these months has, and fewer than both.
    monkeypatch.setattr(monthly_facts, "SESSIONS_AT_ONCE", 100)
    slots, is_second = monthly_facts._slots, iter([False, True])

    def killed_at_the_second(*arguments: Any) -> pl.DataFrame:
        if next(is_second):
            raise InterruptedError
        return slots(*arguments)

    monkeypatch.setattr(monthly_facts, "_slots", killed_at_the_second)
    with pytest.raises(InterruptedError):
        build_months(lakes, pending_months(lakes), "UTC", builds_all=True)
    assert pending_months(lakes) == ["2026-02"]


def test_a_month_is_pending_as_long_as_one_fact_lacks_it(lakes: Lakes) -> None:
    touch(lakes, 1, "2026-01")
    build_months(lakes, ["2026-01"], "UTC")
    lakes.published.forget(FACT_ENERGY)
    assert pending_months(lakes) == ["2026-01"]
