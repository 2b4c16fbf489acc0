from datetime import UTC, datetime, timedelta

import polars as pl

from transforms.lateness import late_sessions, lateness
from warehouse.tables.staging import StagedSession

FIRST, SECOND = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)


def _first_seen(*ended_before_the_first: timedelta, as_of: datetime) -> pl.DataFrame:
    rows = [
        {"vendor": "zaptec", "session_id": str(number), "ended_at": FIRST - before, "first_read_at": as_of}
        for number, before in enumerate(ended_before_the_first)
    ]
    return pl.DataFrame(rows, schema=StagedSession.create_empty().schema)


def _readings(*instants: datetime) -> pl.DataFrame:
    rows = [{"vendor": "zaptec", "state": "complete", "kind": "refresh", "as_of": instant} for instant in instants]
    return pl.DataFrame(rows, schema_overrides={"as_of": pl.Datetime("us", "UTC")})


def test_what_had_ended_before_the_reading_before_is_late_by_that_much() -> None:
    days = [timedelta(days=3), timedelta(days=1), timedelta(days=-2)]
    [row] = lateness(_first_seen(*days, as_of=SECOND), _readings(FIRST, SECOND)).rows(named=True)
    assert (row["previous_as_of"], row["sessions_new"], row["sessions_late"]) == (FIRST, 3, 2)
    assert (row["late_seconds_median"], row["late_seconds_most"]) == (2 * 86_400, 3 * 86_400)


def test_nothing_is_late_in_the_first_reading() -> None:
    [row] = lateness(_first_seen(timedelta(days=300), as_of=FIRST), _readings(FIRST)).rows(named=True)
    assert (row["sessions_new"], row["sessions_late"], row["late_seconds_most"]) == (1, 0, None)


def test_the_late_sessions_are_those_counted_as_late() -> None:
    days = [timedelta(days=3), timedelta(days=1), timedelta(days=-2)]
    late = late_sessions(_first_seen(*days, as_of=SECOND), _readings(FIRST, SECOND))
    assert sorted(late.rows()) == [("zaptec", "0"), ("zaptec", "1")]
    assert late_sessions(_first_seen(*days, as_of=FIRST), _readings(FIRST)).is_empty()


def test_what_ended_after_it_was_first_seen_was_running_then_and_is_not_counted() -> None:
    days = [timedelta(days=1), timedelta(days=-8)]
    [row] = lateness(_first_seen(*days, as_of=SECOND), _readings(FIRST, SECOND)).rows(named=True)
    assert (row["sessions_new"], row["sessions_late"]) == (1, 1)
