"""Reads touch the files they need and no others, and show exactly the declared columns."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from warehouse.column_types import polars_schema
from warehouse.errors import LakeError
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


def gone(path):
    path.unlink()


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1])


def too_long(path):
    path.write_bytes(path.read_bytes() + b"x")


@pytest.mark.parametrize("damage", [gone, cut_short, too_long])
@pytest.mark.parametrize(
    "look",
    [
        lambda lake: lake.scan(FACT_SESSION),
        lambda lake: lake.scan(FACT_SESSION, ["2025-03"]),
        lambda lake: lake.scan_overlapping(FACT_SESSION, MARCH, APRIL),
        lambda lake: lake.scan_since(FACT_SESSION, "started_at", MARCH),
        lambda lake: lake.replace_rows(FACT_SESSION, lake.scan(FACT_SESSION, []).collect(), "user_id", ["u"]),
    ],
    ids=["whole", "months", "overlapping", "since", "replacing"],
)
def test_a_file_that_is_not_as_it_was_written_is_told_of(lake, sessions, damage, look):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    assert not lake.is_damaged(FACT_SESSION)
    march, _ = lake.files(FACT_SESSION)
    damage(Path(march.path))
    assert lake.is_damaged(FACT_SESSION)
    with pytest.raises(LakeError, match="is missing or truncated: run `chargehouse rebuild`"):
        look(lake)
    assert lake.version(FACT_SESSION) == 1


def test_a_scan_keeps_its_version(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    read = lake.scan(FACT_SESSION)
    lake.replace(FACT_SESSION, sessions("new", MARCH))
    assert read.collect().get_column("session_id").to_list() == ["old-0"]


def test_rows_are_counted_without_reading_them(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH, MARCH, APRIL))
    lake.append(FACT_SESSION, sessions("b", MARCH))
    remove_files_of(lake, "2025-03", "2025-04")
    assert lake.row_counts(FACT_SESSION) == {"2025-03": 3, "2025-04": 1}


def test_months_and_files_are_in_order_however_they_came(lake, sessions):
    starts = [MARCH.replace(month=month) for month in (7, 2, 11, 5, 1, 9, 4)]
    for start in starts:
        lake.append(FACT_SESSION, sessions(f"{start:%m}", start))
    in_order = [f"{start:%Y-%m}" for start in sorted(starts)]
    assert lake.months(FACT_SESSION) == in_order
    assert [file.month for file in lake.files(FACT_SESSION)] == in_order


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


def test_what_ends_as_a_time_begins_overlaps_it_and_what_begins_as_it_ends_does_not(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH))
    end = MARCH + timedelta(hours=1)
    assert lake.scan_overlapping(FACT_SESSION, end, APRIL).collect().height == 1
    assert lake.files_overlapping(FACT_SESSION, MARCH - timedelta(hours=1), MARCH) == []


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
    delta = DeltaTable(str(lake.folder(FACT_SESSION)))
    assert delta.metadata().name == FACT_SESSION.name
    foreign = pl.DataFrame(delta.scan(columns=list(polars_schema(FACT_SESSION))))
    ours = lake.scan(FACT_SESSION).collect()
    assert foreign.select(ours.columns).sort("session_id").rows() == ours.sort("session_id").rows()
