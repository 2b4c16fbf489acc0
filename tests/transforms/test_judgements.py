"""The bounds of the judgements, on frames alone."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.judgements.facts import FEWEST_SESSIONS, rejected_share, volume_as_usual
from transforms.judgements.judgement import Judgement
from transforms.judgements.names import NEWS_FOR, no_new_names
from transforms.judgements.readings import StoredSessions, fresh, nothing_unaccounted
from transforms.months import months_before
from warehouse.column_types import polars_schema
from warehouse.tables import LOAD_AUDIT, MONTH_QUALITY, VOCABULARY

AS_OF = datetime(2026, 1, 10, tzinfo=UTC)
LIST = {"vendor": "zaptec", "endpoint": "sessions"}
BEFORE = months_before("2026-01", 8)
INSTANT = pl.Datetime("us", "UTC")


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


def volume(newest: int, *before: int) -> Judgement:
    months = dict(zip(months_before("2025-12", len(before)), before, strict=True))
    return volume_as_usual(quality({**months, "2025-12": newest}), AS_OF, "UTC")


@pytest.mark.parametrize(("newest", "passes"), [(100, True), (50, True), (49, False), (200, True), (201, False)])
def test_half_and_twice_the_median_are_the_bounds_of_the_usual(newest: int, passes: bool) -> None:
    assert volume(newest, 100, 100, 90, 110, 100, 5000).passed == passes


def test_two_months_are_no_history_three_are() -> None:
    assert volume(1, 100, 100).passed
    assert not volume(1, 100, 100, 100).passed
    assert volume_as_usual(quality({}), AS_OF, "UTC").said == "There is no complete month yet."


def test_the_month_that_still_runs_is_not_judged() -> None:
    months = dict.fromkeys(BEFORE, 100)
    assert volume_as_usual(quality({**months, "2026-01": 1}), AS_OF, "UTC").passed


@pytest.mark.parametrize(
    ("rejected", "usual", "passes"), [(5, 0, True), (6, 0, False), (19, 10, True), (21, 10, False)]
)
def test_a_share_is_high_above_one_in_twenty_and_twice_the_usual(rejected: int, usual: int, passes: bool) -> None:
    earlier = dict.fromkeys(months_before("2025-12", 6), 100 - usual)
    rows = quality({**earlier, "2025-12": 100 - rejected}, {**dict.fromkeys(earlier, usual), "2025-12": rejected})
    assert rejected_share(rows, AS_OF, "UTC").passed == passes


def test_of_a_few_sessions_none_is_too_many() -> None:
    few = quality({"2025-12": 1}, {"2025-12": FEWEST_SESSIONS - 2})
    assert rejected_share(few, AS_OF, "UTC").passed
    assert not rejected_share(quality({"2025-12": 1}, {"2026-01": FEWEST_SESSIONS - 1}), AS_OF, "UTC").passed


@pytest.mark.parametrize(
    ("sessions_a_month", "days", "passes"),
    [(300, 2, True), (300, 3, False), (30, 9, True), (30, 11, False), (0, 3, False)],
)
def test_where_sessions_are_rare_they_may_stay_away_longer(sessions_a_month: int, days: int, passes: bool) -> None:
    audit = pl.DataFrame([{**LIST, "state": "complete", "as_of": AS_OF}], schema=polars_schema(LOAD_AUDIT))
    rows = quality(dict.fromkeys(BEFORE, sessions_a_month)).with_columns(
        newest_end_at=pl.lit(AS_OF - timedelta(days=days)).cast(INSTANT)
    )
    assert fresh("zaptec", ["sessions"], audit, rows, AS_OF, "UTC").passed == passes


@pytest.mark.parametrize("month", ["2025-11", "2027-03"], ids=["by its end alone", "wholly"])
def test_a_session_with_a_clock_that_is_ahead_is_not_news_until_then(month: str) -> None:
    audit = pl.DataFrame([{**LIST, "state": "complete", "as_of": AS_OF}], schema=polars_schema(LOAD_AUDIT))
    ends = {month: AS_OF + timedelta(days=430), "2025-12": AS_OF - timedelta(days=12)}
    rows = quality(dict.fromkeys(ends, 1)).with_columns(
        newest_end_at=pl.col("month").replace_strict(ends, return_dtype=INSTANT)
    )
    assert fresh("zaptec", ["sessions"], audit, rows, AS_OF, "UTC").said.endswith("ended 12.0 days ago.")


def test_a_session_of_this_month_with_a_clock_that_is_ahead_has_come() -> None:
    audit = pl.DataFrame([{**LIST, "state": "complete", "as_of": AS_OF}], schema=polars_schema(LOAD_AUDIT))
    rows = quality({"2026-01": 1}).with_columns(newest_end_at=pl.lit(AS_OF + timedelta(days=430)).cast(INSTANT))
    assert fresh("zaptec", ["sessions"], audit, rows, AS_OF, "UTC").passed


def test_a_vendor_without_any_session_is_fresh_once_read() -> None:
    audit = pl.DataFrame([{**LIST, "state": "complete", "as_of": AS_OF}], schema=polars_schema(LOAD_AUDIT))
    assert fresh("zaptec", ["sessions"], audit, quality({}), AS_OF, "UTC").passed
    assert not fresh("jedlix", ["sessions"], audit, quality({}), AS_OF, "UTC").passed


@pytest.mark.parametrize(("endpoint", "passes"), [("chargers", False), ("sessions", True)])
def test_a_vendor_is_fresh_by_its_sessions_alone(endpoint: str, passes: bool) -> None:
    """Whatever other list was read: the one of the sessions may have failed for weeks."""
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
