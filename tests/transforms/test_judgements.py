"""The limits of the judgements, on frames alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from transforms.judgements.facts import (
    FEWEST_SESSIONS,
    no_overlaps,
    one_row_per_session,
    references_resolve,
    rejected_share,
    slots_add_up,
    volume_as_usual,
)
from transforms.judgements.judgement import Judgement
from transforms.judgements.names import NEWS_FOR, no_new_names
from transforms.judgements.readings import StoredSessions, fresh, months_complete, nothing_unaccounted
from transforms.months import months_before
from transforms.touched import NO_MONTH
from warehouse.column_types import polars_schema
from warehouse.tables import (
    COVERAGE,
    DIM_CHARGE_STATION,
    DIM_LOCATION,
    LOAD_AUDIT,
    MONTH_QUALITY,
    VOCABULARY,
)
from warehouse.tables.table import Table

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)
LIST = {"vendor": "zaptec", "endpoint": "sessions"}
BEFORE = months_before("2026-01", 8)
INSTANT = pl.Datetime("us", "UTC")
UNDATED = {"vendor": pl.String, "read_at": INSTANT}
NONE_UNDATED = pl.DataFrame(schema=UNDATED)


def quality(sessions: dict[str, int], rejected: dict[str, int] | None = None, kwh: int = 10) -> pl.DataFrame:
    """Zaptec's counts by month; `kwh` for each session."""
    rows = [
        {
            "month": month,
            "vendor": "zaptec",
            "sessions": sessions.get(month, 0),
            "energy_kwh": sessions.get(month, 0) * kwh,
            "rejected": (rejected or {}).get(month, 0),
        }
        for month in sorted({*sessions, *(rejected or {})})
    ]
    return pl.DataFrame(rows, schema=polars_schema(MONTH_QUALITY)).with_columns(pl.col(pl.Int64).fill_null(0))


def rows_of(table: Table, *rows: dict[str, Any]) -> pl.DataFrame:
    """Rows of a table with these fields; counts that are not given are zero."""
    frame = pl.DataFrame(list(rows), schema=polars_schema(table))
    return frame.with_columns(pl.col(pl.Int64).fill_null(0)) if table == MONTH_QUALITY else frame


READ_NOW = rows_of(LOAD_AUDIT, {**LIST, "state": "complete", "as_of": AS_OF})
"""The audit of a list that was read to its end just now."""


@pytest.mark.parametrize(
    ("judge", "column"),
    [
        (one_row_per_session, "sessions_repeated"),
        (slots_add_up, "sessions_slots_differ"),
        (no_overlaps, "sessions_overlapping"),
    ],
)
def test_the_months_with_a_fault_are_listed_and_no_others_the_newest_first(
    judge: Callable[[pl.DataFrame], Judgement], column: str
) -> None:
    faults = {("2025-11", "zaptec"): 2, ("2025-12", "zaptec"): 1, ("2025-12", "jedlix"): 3, ("2026-01", "jedlix"): 0}
    rows = [
        {"month": month, "vendor": vendor, "sessions": 5, "energy_kwh": Decimal("1.5"), column: count}
        for (month, vendor), count in faults.items()
    ]
    judgement = judge(rows_of(MONTH_QUALITY, *rows))
    assert not judgement.passed
    assert (judgement.numbers["sessions"], judgement.numbers[column]) == (20, 6)
    assert judgement.numbers.get("energy_kwh", 6.0) == 6.0
    assert judgement.listed.select("month", "vendor", column).rows() == [
        ("2025-12", "jedlix", 3),
        ("2025-12", "zaptec", 1),
        ("2025-11", "zaptec", 2),
    ]


def test_references_are_judged_where_the_vendor_lists_what_they_lead_to() -> None:
    """Zaptec lists both, Jedlix locations alone, Smappee neither."""
    counts = {"sessions": 9, "sessions_without_station": 2, "sessions_without_location": 3}
    months = [("2025-12", "smappee"), ("2025-11", "zaptec"), ("2025-12", "zaptec"), ("2025-12", "jedlix")]
    measured = rows_of(
        MONTH_QUALITY,
        *({"month": month, "vendor": vendor, **counts} for month, vendor in months),
        {"month": "2025-10", "vendor": "zaptec", "sessions": 9},
    )
    stations = rows_of(
        DIM_CHARGE_STATION,
        {"vendor": "zaptec", "station_id": "S1", "location_id": "L1", "is_current": True},
        {"vendor": "zaptec", "station_id": "S2", "location_id": "of jedlix", "is_current": True},
        {"vendor": "smappee", "station_id": "S3", "location_id": "unlisted", "is_current": True},
    )
    locations = rows_of(
        DIM_LOCATION,
        {"vendor": "zaptec", "location_id": "L1"},
        {"vendor": "jedlix", "location_id": "of jedlix"},
    )
    judgement = references_resolve(measured, stations, locations, ["zaptec"], ["zaptec", "jedlix"])
    assert judgement.numbers == {
        "sessions_without_station": 4,
        "sessions_without_location": 9,
        "stations_without_location": 1,
        "judged_for_stations": "zaptec",
        "judged_for_locations": "jedlix, zaptec",
    }
    assert judgement.listed.select("month", "vendor", "sessions", "lead_to_no").rows() == [
        ("2025-12", "jedlix", 3, "location"),
        ("2025-12", "zaptec", 3, "location"),
        ("2025-12", "zaptec", 2, "station"),
        ("2025-11", "zaptec", 3, "location"),
        ("2025-11", "zaptec", 2, "station"),
    ]


def volume(newest: int, *before: int) -> Judgement:
    months = dict(zip(months_before("2025-12", len(before)), before, strict=True))
    return volume_as_usual(quality({**months, "2025-12": newest}), AS_OF, "UTC")


@pytest.mark.parametrize(("newest", "passes"), [(100, True), (50, True), (49, False), (200, True), (201, False)])
def test_half_and_twice_the_median_are_the_bounds_of_the_usual(newest: int, passes: bool) -> None:
    assert volume(newest, 100, 100, 90, 110, 100, 5000).passed == passes


def test_two_months_are_no_history_three_are() -> None:
    assert volume(1, 100, 100).passed
    assert not volume(1, 100, 100, 100).passed
    assert volume_as_usual(quality({}), AS_OF, "UTC").description == "There is no complete month yet."


def test_the_month_that_still_runs_is_not_judged() -> None:
    months = dict.fromkeys(BEFORE, 100)
    assert volume_as_usual(quality({**months, "2026-01": 1}), AS_OF, "UTC").passed
    assert volume_as_usual(quality({"2026-01": 1}), AS_OF, "UTC").description == "There is no complete month yet."


def test_the_history_of_a_vendor_begins_with_its_first_session() -> None:
    rejected_before = dict.fromkeys(months_before("2025-10", 6), 1)
    rows = quality({"2025-10": 100, "2025-11": 100, "2025-12": 1}, rejected_before)
    judgement = volume_as_usual(rows, AS_OF, "UTC")
    assert judgement.passed
    assert (
        judgement.description
        == "The volume of 2025-12 is as usual. Not judged, with fewer than 3 earlier months: zaptec."
    )


def test_what_is_usual_is_the_median_of_six_months_those_without_a_session_among_them() -> None:
    assert not volume(100, 0, 5, 0, 0, 0, 0, 1).passed, "the first of them is before the six"
    assert volume(10, *[100] * 9, *[10] * 6).passed
    assert volume(0, 100, 0, 0, 100, 0, 0, 0).passed


def test_vendors_are_judged_in_order() -> None:
    months = quality(dict.fromkeys(BEFORE, 100))
    vendors = ["smappee", "jedlix", "zaptec", "greenflux"]
    judgement = volume_as_usual(pl.concat([months.with_columns(vendor=pl.lit(each)) for each in vendors]), AS_OF, "UTC")
    assert judgement.listed["vendor"].to_list() == sorted(vendors)


@pytest.mark.parametrize(
    ("rejected", "usual", "passes"), [(5, 0, True), (6, 0, False), (19, 10, True), (21, 10, False)]
)
def test_a_share_is_high_above_one_in_twenty_and_twice_the_usual(rejected: int, usual: int, passes: bool) -> None:
    earlier = dict.fromkeys(months_before("2025-12", 6), 100 - usual)
    rows = quality({**earlier, "2025-12": 100 - rejected}, {**dict.fromkeys(earlier, usual), "2025-12": rejected})
    assert rejected_share(rows, NONE_UNDATED, AS_OF, "UTC").passed == passes


def test_of_a_few_sessions_none_is_too_many() -> None:
    few = quality({"2025-12": 1}, {"2025-12": FEWEST_SESSIONS - 2})
    assert rejected_share(few, NONE_UNDATED, AS_OF, "UTC").passed
    enough = quality({"2025-12": 1}, {"2026-01": FEWEST_SESSIONS - 1})
    assert not rejected_share(enough, NONE_UNDATED, AS_OF, "UTC").passed


def test_a_session_without_a_readable_start_counts_in_the_month_in_which_it_was_read() -> None:
    counts = quality({"2025-12": 94}, {NO_MONTH: 1000})

    def share(*read_at: datetime) -> Judgement:
        undated = pl.DataFrame({"vendor": ["zaptec"] * len(read_at), "read_at": read_at}, schema=UNDATED)
        return rejected_share(counts, undated, AS_OF, "Europe/Amsterdam")

    # In Amsterdam the month begins an hour earlier.
    begin = datetime(2025, 11, 30, 23, tzinfo=UTC)
    assert share(*[begin] * 4).numbers["zaptec_share"] == round(4 / 98, 4)
    assert share(*[begin] * 4).passed
    assert not share(*[begin] * 6).passed
    assert share(*[begin - timedelta(seconds=1)] * 6).numbers["zaptec_share"] == 0


def test_where_nothing_was_received_no_share_is_told() -> None:
    received = {"zaptec": (100, 30), "jedlix": (0, 0), "smappee": (100, 0)}
    counts = pl.concat(
        [
            quality({"2025-12": sessions}, {"2025-12": rejected}).with_columns(vendor=pl.lit(vendor))
            for vendor, (sessions, rejected) in received.items()
        ]
    )
    judgement = rejected_share(counts, NONE_UNDATED, AS_OF, "UTC")
    assert judgement.description == "More sessions than usual are rejected: zaptec."
    assert judgement.numbers == {"rejected": 30, "zaptec_share": round(30 / 130, 4), "smappee_share": 0.0}
    assert judgement.listed["vendor"].to_list() == ["zaptec", "jedlix", "smappee"]
    assert judgement.listed["usual_share"].to_list() == [None] * 3
    assert judgement.listed["limit"].to_list() == [0.05] * 3


@pytest.mark.parametrize(
    ("sessions_a_month", "days", "passes"),
    [(300, 2, True), (300, 3, False), (30, 9, True), (30, 11, False), (0, 3, False)],
)
def test_where_sessions_are_rare_they_may_stay_away_longer(sessions_a_month: int, days: int, passes: bool) -> None:
    rows = quality(dict.fromkeys(BEFORE, sessions_a_month)).with_columns(
        newest_end_at=pl.lit(AS_OF - timedelta(days=days)).cast(INSTANT)
    )
    assert fresh("zaptec", ["sessions"], READ_NOW, rows, AS_OF, "UTC").passed == passes


@pytest.mark.parametrize("month", ["2025-11", "2027-03"], ids=["by its end alone", "wholly"])
def test_a_session_with_a_clock_that_is_ahead_is_not_news_until_then(month: str) -> None:
    ends = {month: AS_OF + timedelta(days=430), "2025-12": AS_OF - timedelta(days=12)}
    rows = quality(dict.fromkeys(ends, 1)).with_columns(
        newest_end_at=pl.col("month").replace_strict(ends, return_dtype=INSTANT)
    )
    assert fresh("zaptec", ["sessions"], READ_NOW, rows, AS_OF, "UTC").description.endswith("ended 12.0 days ago.")


def test_a_session_of_this_month_with_a_clock_that_is_ahead_has_come() -> None:
    rows = quality({"2026-01": 1}).with_columns(newest_end_at=pl.lit(AS_OF + timedelta(days=430)).cast(INSTANT))
    assert fresh("zaptec", ["sessions"], READ_NOW, rows, AS_OF, "UTC").passed


def test_a_session_of_last_month_with_a_clock_that_is_ahead_came_by_the_end_of_that_month() -> None:
    rows = quality({"2025-12": 1}).with_columns(newest_end_at=pl.lit(AS_OF + timedelta(days=430)).cast(INSTANT))
    assert fresh("zaptec", ["sessions"], READ_NOW, rows, AS_OF, "UTC").description.endswith("ended 9.0 days ago.")
    assert fresh("zaptec", ["sessions"], READ_NOW, rows, AS_OF, "Asia/Tokyo").description.endswith(
        "ended 9.4 days ago."
    )
    # The end of this month is in the future, too.
    rows = quality({"2026-01": 1}).with_columns(newest_end_at=pl.lit(AS_OF + timedelta(days=430)).cast(INSTANT))
    assert fresh("zaptec", ["sessions"], READ_NOW, rows, AS_OF, "UTC").numbers["hours_since_newest_session"] == 0


def test_rejected_sessions_without_a_month_are_no_sign_of_life() -> None:
    audit = rows_of(LOAD_AUDIT, {**LIST, "state": "complete", "as_of": AS_OF - timedelta(hours=47)})
    judgement = fresh("zaptec", ["sessions"], audit, quality({}, {"none": 3}), AS_OF, "UTC")
    assert judgement.description == "Read to the end 47.0 hours ago; no session so far."


def test_a_run_behind_the_newest_reading_has_read_just_now() -> None:
    audit = rows_of(LOAD_AUDIT, {**LIST, "state": "complete", "as_of": AS_OF + timedelta(days=1)})
    judgement = fresh("zaptec", ["sessions"], audit, quality({}), AS_OF, "UTC")
    assert judgement.description == "Read to the end 0.0 hours ago; no session so far."
    assert judgement.numbers["hours_since_read"] == 0


def test_what_is_usual_between_sessions_is_taken_from_six_months_that_are_over() -> None:
    months = dict(zip(months_before("2026-01", 7), (900, 30, 30, 30, 0, 0, 0), strict=True))

    def tolerated(instant: datetime, time_zone: str) -> float:
        judgement = fresh("zaptec", ["sessions"], READ_NOW, quality({**months, "2026-01": 999}), instant, time_zone)
        return float(judgement.numbers["hours_tolerated_since_newest_session"])

    # Six months of 30 days, 90 sessions: one every two days.
    assert tolerated(AS_OF, "UTC") == 10 * 48
    new_year = datetime(2026, 1, 1, tzinfo=UTC)
    assert tolerated(new_year - timedelta(hours=1), "Europe/Berlin") == 10 * 48
    assert tolerated(new_year - timedelta(hours=1), "UTC") == 48


def test_a_vendor_is_as_fresh_as_the_list_that_was_read_longest_ago() -> None:
    lists = ["sessions", "open_sessions"]
    read = [rows_of(LOAD_AUDIT, {**LIST, "endpoint": name, "state": "complete", "as_of": AS_OF}) for name in lists]
    long_ago = [rows.with_columns(pl.col("as_of") - timedelta(days=3)) for rows in read]
    failed = [rows.with_columns(state=pl.lit("failed")) for rows in read]
    for newer, older, never in [(read[0], long_ago[1], failed[1]), (read[1], long_ago[0], failed[0])]:
        judgement = fresh("zaptec", lists, pl.concat([newer, older]), quality({}), AS_OF, "UTC")
        assert not judgement.passed
        assert judgement.description.startswith("Read to the end 3.0 days ago")
        judgement = fresh("zaptec", lists, pl.concat([newer, never]), quality({}), AS_OF, "UTC")
        assert judgement.description == "zaptec was never read to the end."


def test_a_vendor_without_any_session_is_fresh_once_read() -> None:
    assert fresh("zaptec", ["sessions"], READ_NOW, quality({}), AS_OF, "UTC").passed
    assert not fresh("jedlix", ["sessions"], READ_NOW, quality({}), AS_OF, "UTC").passed


@pytest.mark.parametrize(("endpoint", "passes"), [("chargers", False), ("sessions", True)])
def test_a_vendor_is_fresh_by_its_sessions_alone(endpoint: str, passes: bool) -> None:
    """Other lists do not count: the list of the sessions may have failed for weeks."""
    long_ago = AS_OF - timedelta(days=30)
    audit = pl.DataFrame(
        [
            {**LIST, "state": "complete", "as_of": long_ago},
            {**LIST, "state": "failed", "as_of": AS_OF},
            {**LIST, "endpoint": endpoint, "state": "complete", "as_of": AS_OF},
        ],
        schema=polars_schema(LOAD_AUDIT),
    )
    assert fresh("zaptec", ["sessions"], audit, quality({}), AS_OF, "UTC").passed == passes


@pytest.mark.parametrize(("age", "is_news"), [(timedelta(), True), (NEWS_FOR, False)])
def test_a_name_is_new_for_a_while(age: timedelta, is_news: bool) -> None:
    rows = [
        ("jedlix", "users", "field", "id", True, AS_OF - timedelta(days=90)),
        ("jedlix", "users", "field", "nickname", False, AS_OF - age),
    ]
    vocabulary = pl.DataFrame(rows, schema=polars_schema(VOCABULARY), orient="row")
    judgement = no_new_names(vocabulary, AS_OF)
    assert judgement.passed != is_news
    assert judgement.numbers["unclaimed_fields"] == 1


def test_more_rejected_than_received_is_unbalanced() -> None:
    row = {"run_id": "r", "vendor": "zaptec", "endpoint": "sessions", "scope": "all"}
    row |= {"rows_received": 1, "rows_new": 1, "rows_changed": 0, "rows_unchanged": 0, "rows_rejected": 2}
    audit = pl.DataFrame([row], schema=polars_schema(LOAD_AUDIT))
    lists = [("zaptec", "sessions")]
    judgement = nothing_unaccounted(audit, audit, lists, StoredSessions(fact=0, open=0, rejected=1), [])
    assert judgement.numbers["audit_rows_unbalanced"] == 1
    assert judgement.numbers["sessions_unaccounted"] == 0


def test_a_list_that_only_the_raw_log_knows_is_found() -> None:
    readings = pl.DataFrame([("zaptec", "sessions", 3)], schema=["vendor", "endpoint", "rows_received"], orient="row")
    nothing = StoredSessions(fact=0, open=0, rejected=0)
    judgement = nothing_unaccounted(LOAD_AUDIT.schema.create_empty(), readings, [("zaptec", "sessions")], nothing, [])
    assert not judgement.passed
    assert judgement.numbers["lists_unlike_the_raw_log"] == 1


def test_rows_of_the_audit_that_do_not_add_up_and_lists_unlike_the_raw_log_are_listed() -> None:
    counts = {"rows_received": 3, "rows_new": 3, "rows_changed": 0, "rows_unchanged": 0, "rows_rejected": 0}
    rows = [
        {"run_id": "r2", "vendor": "zaptec", "endpoint": "sessions", "scope": "all", **counts, "rows_received": 5},
        {"run_id": "r1", "vendor": "zaptec", "endpoint": "sessions", "scope": "all", **counts, "rows_new": 4},
        {"run_id": "r1", "vendor": "jedlix", "endpoint": "users", "scope": "all", **counts},
        {"run_id": "r1", "vendor": "jedlix", "endpoint": "vehicles", "scope": "all", **counts},
    ]
    audit = rows_of(LOAD_AUDIT, *rows)
    read = audit.with_columns(
        rows_received=pl.when(pl.col("endpoint") == "vehicles").then(9).otherwise("rows_received").cast(pl.Int64)
    )
    nothing = StoredSessions(fact=0, open=0, rejected=0)
    judgement = nothing_unaccounted(audit, read, [("zaptec", "sessions")], nothing, ["2026-01"])
    assert judgement.listed.select("vendor", "endpoint", "run_id", "rows_received", "counted").rows() == [
        ("jedlix", "vehicles", "all", 3, 9),
        ("zaptec", "sessions", "r1", 3, 4),
        ("zaptec", "sessions", "r2", 5, 3),
    ]
    assert judgement.description.startswith(
        "2 row(s) of the audit do not add up (received = new + changed + unchanged); 1 list(s)"
    )


@pytest.mark.parametrize(("received", "is_less_there"), [(5, True), (3, False), (2, False)])
def test_fewer_rows_than_were_received_are_files_that_are_gone(received: int, is_less_there: bool) -> None:
    counts = {"rows_received": received, "rows_new": 3, "rows_changed": 0, "rows_unchanged": 0, "rows_rejected": 0}
    audit = rows_of(LOAD_AUDIT, {"run_id": "r", "vendor": "zaptec", "endpoint": "sessions", "scope": "all", **counts})
    nothing = StoredSessions(fact=0, open=0, rejected=0)
    judgement = nothing_unaccounted(audit, audit, [("zaptec", "sessions")], nothing, ["2026-01"])
    assert ("Files below `raw` are missing" in judgement.description) == is_less_there


def test_months_that_are_not_read_are_told_by_list_and_state() -> None:
    def month(name: str, scope: str, state: str, message: str | None = None, is_asked: bool = True) -> dict[str, Any]:
        place = {**LIST, "scope": scope, "month": name, "state": state, "message": message, "is_asked": is_asked}
        return {**place, "rows_received": 0}

    coverage = rows_of(
        COVERAGE,
        month("2025-08", "a", "gap", "refused"),
        month("2025-09", "a", "gap", "no answer"),
        month("2025-10", "a", "gap"),
        month("2025-11", "a", "never"),
        month("2025-12", "b", "partial"),
        month("2025-12", "closed", "never", is_asked=False),
        month("2026-01", "a", "partial"),
    )
    judgement = months_complete(coverage, "2026-01")
    assert judgement.description == "5 month(s) of 2 list(s) were not read from end to end."
    assert judgement.numbers["months"] == 6
    columns = ("scope", "state", "first_month", "last_month", "months", "message")
    assert judgement.listed.select(columns).rows() == [
        ("b", "partial", "2025-12", "2025-12", 1, None),
        ("a", "never", "2025-11", "2025-11", 1, None),
        ("a", "gap", "2025-08", "2025-10", 3, "no answer"),
    ]


def test_what_the_first_reading_of_an_endpoint_showed_is_not_new() -> None:
    yesterday = AS_OF - timedelta(days=1)
    rows = [
        ("jedlix", "users", "field", "id", True, AS_OF - timedelta(days=90)),
        ("zaptec", "sessions", "field", "id", True, AS_OF - timedelta(days=90)),
        # Never read before.
        ("jedlix", "sessions", "field", "surprise", False, yesterday),
        ("zaptec", "users", "field", "surprise", False, yesterday),
    ]
    vocabulary = pl.DataFrame(rows, schema=polars_schema(VOCABULARY), orient="row")
    assert no_new_names(vocabulary, AS_OF).passed
    later = [
        ("zaptec", "users", "field", "b", False, AS_OF),
        ("zaptec", "users", "field", "a", False, AS_OF),
        ("jedlix", "users", "field", "nickname", False, yesterday),
    ]
    more = pl.concat([vocabulary, pl.DataFrame(later, schema=polars_schema(VOCABULARY), orient="row")])
    judgement = no_new_names(more, AS_OF)
    assert judgement.listed["name"].to_list() == ["a", "b", "nickname"]
    assert (judgement.numbers["new_fields"], judgement.numbers["unclaimed_fields"]) == (3, 5)
