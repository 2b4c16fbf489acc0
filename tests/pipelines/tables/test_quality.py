"""Measuring months: what is counted again, and that neither batches nor months left out change a count."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.tables import quality
from pipelines.tables.lakes import NEWS, Lakes
from pipelines.tables.quality import measure_months
from tests.pipelines.orchestration.sound_house import MONTHS, rewrite
from warehouse.tables import (
    FACT_ENERGY,
    FACT_SESSION,
    MONTH_QUALITY,
    REJECTED_SESSION,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
)
from warehouse.tables.table import Table


def counted(data: Path) -> pl.DataFrame:
    return Lakes.below(data).published.scan(MONTH_QUALITY).collect().sort("month", "vendor")


def measure(data: Path, *months: str) -> int:
    return measure_months(Lakes.below(data), months, "UTC")


def differing(data: Path) -> list[tuple[str, str]]:
    return counted(data).filter(pl.col("sessions_slots_differ") > 0).select("month", "vendor").rows()


def lose_slots(data: Path, month: str) -> None:
    """Remove the month's slots of the night session that began in the month before."""
    is_lost = (pl.col("month") == month) & pl.col("session_id").str.ends_with("night")
    rewrite(data, FACT_ENERGY, lambda rows: rows.filter(~(is_lost & (pl.col("slot_start_at").dt.day() == 1))))


def test_with_nothing_built_nothing_is_written_and_no_fact_read(data: Path) -> None:
    lakes = Lakes.below(data)
    version = lakes.published.version(MONTH_QUALITY)
    for table in (FACT_SESSION, FACT_ENERGY, REJECTED_SESSION):
        for file in lakes.published.files(table):
            Path(file.path).unlink()
    assert measure(data) == 0
    assert lakes.published.version(MONTH_QUALITY) == version


def test_a_month_that_was_built_and_not_counted_is_counted_by_the_next(data: Path) -> None:
    lose_slots(data, "2025-12")
    assert measure(data) == 2
    assert differing(data) == [("2025-11", "greenflux"), ("2025-11", "zaptec")]


def test_all_months_go_into_one_commit(data: Path) -> None:
    version = Lakes.below(data).published.version(MONTH_QUALITY)
    assert version is not None
    assert measure(data, *MONTHS) == len(MONTHS)
    assert Lakes.below(data).published.version(MONTH_QUALITY) == version + 1


@pytest.mark.parametrize("slots_at_once", [1, 700, 1_000_000])
def test_batches_change_no_count(data: Path, monkeypatch: pytest.MonkeyPatch, slots_at_once: int) -> None:
    before = counted(data)
    monkeypatch.setattr(quality, "SLOTS_AT_ONCE", slots_at_once)
    measure(data, *MONTHS)
    assert_frame_equal(counted(data), before)
    assert before["sessions_slots_differ"].sum() == 0


@pytest.mark.parametrize("slots_at_once", [1, 1_000_000])
def test_the_months_that_reach_into_a_built_one_are_counted_again(
    data: Path, monkeypatch: pytest.MonkeyPatch, slots_at_once: int
) -> None:
    monkeypatch.setattr(quality, "SLOTS_AT_ONCE", slots_at_once)
    lose_slots(data, "2025-12")
    assert measure(data, "2025-12") == 2
    assert differing(data) == [("2025-11", "greenflux"), ("2025-11", "zaptec")]


def test_a_fault_put_right_in_another_month_is_gone(data: Path) -> None:
    slots = Lakes.below(data).published.scan(FACT_ENERGY).collect()
    lose_slots(data, "2025-12")
    measure(data, "2025-12")
    rewrite(data, FACT_ENERGY, lambda _: slots)
    assert measure(data) == 2
    assert differing(data) == []


def test_slots_without_a_session_are_forgotten_once_it_stands_in_its_month(data: Path) -> None:
    sound = Lakes.below(data).published.scan(FACT_SESSION).collect()
    is_lost = (pl.col("month") == "2025-11") & pl.col("session_id").str.ends_with("night")
    rewrite(data, FACT_SESSION, lambda rows: rows.filter(~is_lost))
    measure(data, "2025-12")
    assert {month for month, _ in differing(data)} == {"2025-11", "2025-12"}
    rewrite(data, FACT_SESSION, lambda _: sound)
    measure(data)
    assert differing(data) == []


def test_a_session_without_energy_may_reach_into_another_month(data: Path) -> None:
    is_night = pl.col("session_id").str.ends_with("night")
    for table in (FACT_SESSION, FACT_ENERGY):
        rewrite(
            data,
            table,
            lambda rows: rows.with_columns(energy_kwh=pl.when(~is_night).then("energy_kwh")),
        )
    measure(data)
    assert differing(data) == []


def test_a_session_that_stands_twice_no_more_is_forgotten_in_both_months(data: Path) -> None:
    sound = Lakes.below(data).published.scan(FACT_SESSION).collect()
    moved = sound.filter(pl.col("session_id") == "zaptec-20260303").with_columns(month=pl.lit("2025-09"))
    rewrite(data, FACT_SESSION, lambda rows: pl.concat([rows, moved]))
    measure(data, "2025-09", "2026-03")
    assert counted(data)["sessions_repeated"].sum() == 2
    rewrite(data, FACT_SESSION, lambda _: sound)
    measure(data, "2025-09")
    assert counted(data)["sessions_repeated"].sum() == 0


def test_a_long_session_is_followed_through_all_its_months(data: Path) -> None:
    def lengthened(rows: pl.DataFrame) -> pl.DataFrame:
        is_it = pl.col("session_id") == "zaptec-20250910"
        return rows.with_columns(
            ended_at=pl.when(is_it).then(pl.col("ended_at") + timedelta(days=100)).otherwise("ended_at")
        )

    def spread(rows: pl.DataFrame) -> pl.DataFrame:
        is_it = (pl.col("session_id") == "zaptec-20250910") & (pl.col("slot_start_at").dt.minute() == 0)
        return rows.with_columns(month=pl.when(is_it).then(pl.lit("2025-12")).otherwise("month"))

    rewrite(data, FACT_SESSION, lengthened)
    rewrite(data, FACT_ENERGY, spread)
    measure(data, "2025-09")
    assert differing(data) == []
    rewrite(data, FACT_ENERGY, lambda rows: rows.filter(~_is_spread()))
    assert measure(data, "2025-12") >= 3
    assert differing(data) == [("2025-09", "zaptec")]


def _is_spread() -> pl.Expr:
    return (pl.col("session_id") == "zaptec-20250910") & (pl.col("month") == "2025-12")


def test_a_count_that_was_lost_is_made_again(data: Path) -> None:
    before = counted(data)
    Lakes.below(data).published.forget(MONTH_QUALITY)
    assert measure(data) == len(MONTHS)
    assert_frame_equal(counted(data), before)


def test_a_month_without_rows_any_more_has_no_count(data: Path) -> None:
    for table in (FACT_SESSION, FACT_ENERGY, REJECTED_SESSION):
        rewrite(data, table, lambda rows: rows.filter(pl.col("month") != "2026-04"))
    measure(data)
    assert "2026-04" not in counted(data)["month"]
    assert "2026-03" in counted(data)["month"]


def test_rejected_sessions_without_a_month_are_counted(data: Path) -> None:
    rewrite(data, REJECTED_SESSION, lambda rows: pl.concat([rows, rows.with_columns(month=pl.lit(None, pl.String))]))
    assert measure(data, "none") == 1
    for month in ("none", "2026-03"):
        measure(data, month)
        rows = counted(data).filter(pl.col("month") == "none").select("vendor", "sessions", "rejected").rows()
        assert rows == [("greenflux", 0, 1), ("zaptec", 0, 1)], "once, whichever month is counted again"


@pytest.mark.parametrize(
    ("name", "table"), [("station", STAGED_CHARGE_STATION), ("location", STAGED_LOCATION)], ids=["station", "location"]
)
def test_orphans_are_counted_again_once_their_station_or_location_is_read(data: Path, name: str, table: Table) -> None:
    def orphaned() -> int:
        return int(counted(data)[f"sessions_without_{name}"].sum())

    key = f"{name}_id"
    is_it = pl.col("session_id") == "zaptec-20260303"
    rewrite(
        data,
        FACT_SESSION,
        lambda rows: rows.with_columns(pl.when(is_it).then(pl.lit("X9")).otherwise(key).alias(key)),
    )
    lakes = Lakes.below(data)
    for place in (STAGED_CHARGE_STATION, STAGED_LOCATION):
        lakes.staging.append(place, place.schema.create_empty(), {NEWS: 4710})
    measure(data, "2026-03")
    assert orphaned() == 1
    assert measure(data) == 0, "nothing was read since"
    place = lakes.staging.scan(table).collect().with_columns(pl.lit("X9").alias(key))
    lakes.staging.append(table, place, {NEWS: 4711})
    assert measure(data) > 0
    assert orphaned() == 0
    assert measure(data) == 0
