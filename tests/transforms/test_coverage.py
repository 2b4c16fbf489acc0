from datetime import UTC, datetime

import polars as pl
import pytest

from transforms.coverage import coverage

SCHEMA = {
    **dict.fromkeys(("vendor", "endpoint", "scope", "state", "message"), pl.String),
    **dict.fromkeys(("as_of", "from_at", "to_at"), pl.Datetime("us", "UTC")),
    "rows_received": pl.Int64,
}


def _day(month: int, day: int = 1) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def _reading(
    from_at: datetime | None, to_at: datetime, as_of: datetime, state: str = "complete", rows: int = 1
) -> dict[str, object]:
    place = {"vendor": "zaptec", "endpoint": "sessions", "scope": "installation:a", "state": state}
    message = "rate limited" if state == "failed" else None
    return {**place, "message": message, "as_of": as_of, "from_at": from_at, "to_at": to_at, "rows_received": rows}


def _states(readings: list[dict[str, object]], as_of: datetime) -> dict[str, str]:
    rows = coverage(pl.DataFrame(readings, schema=SCHEMA), "2026-01", as_of, "UTC").rows(named=True)
    return {row["month"]: row["state"] for row in rows}


def test_months_read_without_a_hole_up_to_the_last_run_are_complete() -> None:
    readings = [_reading(_day(1), _day(2, 10), _day(2, 10)), _reading(_day(2, 3), _day(3, 5), _day(3, 5))]
    assert _states(readings, _day(3, 5)) == dict.fromkeys(("2026-01", "2026-02", "2026-03"), "complete")


def test_a_hole_makes_its_month_partial_and_what_was_not_read_at_all_never() -> None:
    readings = [_reading(_day(2, 10), _day(3), _day(4)), _reading(_day(4), _day(4, 2), _day(4, 2))]
    expected = {"2026-01": "never", "2026-02": "partial", "2026-03": "never", "2026-04": "complete"}
    assert _states(readings, _day(4, 2)) == expected


def test_a_failed_reading_is_a_gap_until_one_has_closed_it() -> None:
    failed = [_reading(_day(1), _day(2), _day(2)), _reading(_day(1, 25), _day(2, 5), _day(2, 5), "failed", 0)]
    assert _states(failed, _day(2, 5)) == {"2026-01": "gap", "2026-02": "gap"}
    closed = [*failed, _reading(_day(1, 25), _day(2, 6), _day(2, 6))]
    assert _states(closed, _day(2, 6)) == {"2026-01": "complete", "2026-02": "complete"}


def test_a_list_read_whole_covers_everything_before() -> None:
    readings = [_reading(None, _day(3, 5), _day(3, 5), rows=7)]
    assert set(_states(readings, _day(3, 5)).values()) == {"complete"}


@pytest.mark.parametrize(("time_zone", "month"), [("UTC", "2026-01"), ("Europe/Oslo", "2026-02")])
def test_rows_are_counted_in_the_month_where_their_window_begins_in_the_configured_zone(
    time_zone: str, month: str
) -> None:
    begins_at = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    readings = pl.DataFrame([_reading(begins_at, _day(2, 2), _day(2, 2), rows=5)], schema=SCHEMA)
    rows = coverage(readings, "2026-01", _day(2, 2), time_zone).rows(named=True)
    assert {row["month"]: row["rows_received"] for row in rows if row["rows_received"]} == {month: 5}
