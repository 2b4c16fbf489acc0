from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.lateness import late_sessions, lateness
from warehouse.tables.staging import StagedSession

FIRST, SECOND = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 8, tzinfo=UTC)
BETWEEN = datetime(2026, 3, 4, tzinfo=UTC)


def _first_seen(*ended_before_the_first: timedelta, as_of: datetime, scope: str = "installation:a") -> pl.DataFrame:
    rows = [
        {"vendor": "zaptec", "scope": scope, "session_id": str(number), "ended_at": FIRST - before,
         "first_read_at": as_of}
        for number, before in enumerate(ended_before_the_first)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=StagedSession.create_empty().schema)


def _readings(
    *instants: datetime, endpoint: str = "sessions", scope: str = "installation:a", **other: str
) -> pl.DataFrame:
    place = {"vendor": "zaptec", "endpoint": endpoint, "scope": scope}
    rows = [{**place, "state": "complete", "kind": "refresh", **other, "as_of": instant} for instant in instants]
    return pl.DataFrame(rows, schema_overrides={"as_of": pl.Datetime("us", "UTC")})


def test_what_had_ended_before_the_reading_before_is_late_by_that_much() -> None:
    days = [timedelta(days=3), timedelta(days=1), timedelta(days=-2)]
    [row] = lateness(_first_seen(*days, as_of=SECOND), _readings(FIRST, SECOND)).rows(named=True)
    assert (row["previous_as_of"], row["sessions_new"], row["sessions_late"]) == (FIRST, 3, 2)
    assert (row["late_seconds_median"], row["late_seconds_most"]) == (2 * 86_400, 3 * 86_400)


def test_lateness_is_told_to_the_millisecond() -> None:
    ended_before = timedelta(seconds=89_624, milliseconds=952)
    first_seen = _first_seen(ended_before, ended_before, as_of=SECOND)
    [row] = lateness(first_seen, _readings(FIRST, SECOND)).rows(named=True)
    assert (row["late_seconds_median"], row["late_seconds_most"]) == (89_624.952, 89_624.952)


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


def test_what_ends_at_the_very_instant_of_a_reading_is_seen_by_it_and_not_late_for_it() -> None:
    first_seen = _first_seen(timedelta(), FIRST - SECOND, as_of=SECOND)
    [row] = lateness(first_seen, _readings(FIRST, SECOND)).rows(named=True)
    assert (row["sessions_new"], row["sessions_late"]) == (2, 0)
    assert late_sessions(first_seen, _readings(FIRST, SECOND)).is_empty()


@pytest.mark.parametrize(
    "between",
    [
        _readings(BETWEEN, endpoint="chargers", scope="all"),
        _readings(BETWEEN, scope="installation:b"),
        _readings(BETWEEN, state="failed"),
        pl.concat([_readings(BETWEEN), _readings(BETWEEN, state="failed")]),
        _readings(BETWEEN, kind="backfill"),
    ],
    ids=["another list", "another scope", "a failed reading", "a reading that failed further on", "a backfill"],
)
def test_what_could_not_show_a_session_does_not_make_it_late(between: pl.DataFrame) -> None:
    """Our own outage says nothing about the vendor's lateness."""
    readings = pl.concat([_readings(FIRST, SECOND), between])
    [row] = lateness(_first_seen(timedelta(days=-2), as_of=SECOND), readings).rows(named=True)
    assert (row["previous_as_of"], row["sessions_late"]) == (FIRST, 0)


def test_scopes_read_at_different_times_make_one_row() -> None:
    readings = pl.concat([_readings(FIRST, SECOND), _readings(SECOND, scope="installation:new")])
    days = [timedelta(days=3)]
    seen = [_first_seen(*days, as_of=SECOND), _first_seen(*days, as_of=SECOND, scope="installation:new")]
    [row] = lateness(pl.concat(seen), readings).rows(named=True)
    assert (row["previous_as_of"], row["sessions_new"], row["sessions_late"]) == (FIRST, 2, 1)
