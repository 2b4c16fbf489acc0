"""Reads touch the files they need and no others, and show exactly the declared columns."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from warehouse.column_types import polars_schema
from warehouse.tables import FACT_SESSION, REJECTED_SESSION, TABLES

MARCH = datetime(2025, 3, 10, 8, tzinfo=UTC)
APRIL = datetime(2025, 4, 10, 8, tzinfo=UTC)
MAY = datetime(2025, 5, 10, 8, tzinfo=UTC)


def remove_files_of(lake, *months):
    for file in lake.files(FACT_SESSION):
        if file.month in months:
            Path(file.path).unlink()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_is_stored_in_its_schema(lake, table):
    rows = table.schema.sample(5).with_columns(pl.lit("2025-03").alias("month") if table.partitioned_by_month else [])
    lake.replace(table, rows)
    read = lake.scan(table)
    assert read.collect_schema() == polars_schema(table)
    key = table.schema.primary_key()
    assert read.collect().sort(key).equals(rows.sort(key))


def test_only_the_months_asked_for_are_read(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL, MAY))
    remove_files_of(lake, "2025-03")
    assert lake.scan(FACT_SESSION, ["2025-04", "2025-05", "2030-01"]).collect().height == 2
    assert lake.scan(FACT_SESSION, []).collect().height == 0


def test_a_scan_keeps_its_version(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    read = lake.scan(FACT_SESSION)
    lake.replace(FACT_SESSION, sessions("new", MARCH))
    assert read.collect().get_column("session_id").to_list() == ["old-0"]


def test_rows_are_counted_without_reading_them(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH, MARCH, APRIL))
    remove_files_of(lake, "2025-03", "2025-04")
    assert lake.row_counts(FACT_SESSION) == {"2025-03": 2, "2025-04": 1}
    assert lake.months(FACT_SESSION) == ["2025-03", "2025-04"]


def test_files_of_other_times_are_not_read(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL, MAY))
    lake.append(FACT_SESSION, sessions("long", MARCH, lasting=timedelta(days=40)))
    chosen = lake.files_overlapping(FACT_SESSION, APRIL - timedelta(days=9), APRIL + timedelta(days=20))
    assert sorted((file.month, file.rows) for file in chosen) == [("2025-03", 1), ("2025-04", 1)]
    for file in lake.files(FACT_SESSION):
        if file not in chosen:
            Path(file.path).unlink()
    read = lake.scan_overlapping(FACT_SESSION, APRIL - timedelta(days=9), APRIL + timedelta(days=20)).collect()
    assert sorted(read.get_column("session_id")) == ["a-1", "long-0"]


def test_of_what_is_older_than_an_instant_no_file_is_read(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    march, _ = lake.files(FACT_SESSION)
    Path(march.path).unlink()
    assert lake.scan_since(FACT_SESSION, "started_at", APRIL).collect().get_column("session_id").to_list() == ["a-1"]
    assert lake.scan_since(FACT_SESSION, "started_at", APRIL + timedelta(microseconds=1)).collect().is_empty()


def test_rows_of_other_times_are_filtered_to_the_microsecond(lake, sessions):
    moment = timedelta(microseconds=1)
    lake.append(FACT_SESSION, sessions("a", MARCH, lasting=timedelta(microseconds=3601)))
    end = MARCH + timedelta(microseconds=3601)

    def found(from_at, to_at):
        return lake.scan_overlapping(FACT_SESSION, from_at, to_at).collect().height

    assert found(end, end + moment) == 1
    assert found(end + moment, end + 2 * moment) == 0
    assert found(MARCH - moment, MARCH) == 0
    assert found(MARCH, MARCH + moment) == 1


def test_rows_without_an_end_span_no_time(lake, rejected):
    starts = pl.Series([MARCH, MARCH], dtype=pl.Datetime("us", "UTC"))
    lake.append(REJECTED_SESSION, rejected("a", "2025-03", "2025-03").with_columns(started_at=starts))
    assert lake.scan_overlapping(REJECTED_SESSION, MARCH, MAY).collect().height == 0


@pytest.mark.parametrize("known", [{}, {"numRecords": 1}])
def test_files_without_statistics_are_read(lake, sessions, monkeypatch, known):
    monkeypatch.setattr("warehouse.data_files._statistics", lambda _: known)
    lake.append(FACT_SESSION, sessions("a", MARCH))
    assert len(lake.files_overlapping(FACT_SESSION, MAY, MAY + timedelta(days=1))) == 1
    assert lake.scan_since(FACT_SESSION, "started_at", MARCH).collect().height == 1
    assert lake.scan_overlapping(FACT_SESSION, MAY, MAY + timedelta(days=1)).collect().height == 0
    assert lake.scan_overlapping(FACT_SESSION, MARCH, MAY).collect().height == 1
    assert lake.row_counts(FACT_SESSION) == {"2025-03": 1}


def test_any_delta_reader_sees_the_same_rows(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    lake.replace_months(FACT_SESSION, sessions("b", MARCH), ["2025-03"])
    foreign = pl.DataFrame(DeltaTable(str(lake.folder(FACT_SESSION))).scan(columns=list(polars_schema(FACT_SESSION))))
    ours = lake.scan(FACT_SESSION).collect()
    assert foreign.select(ours.columns).sort("session_id").rows() == ours.sort("session_id").rows()
