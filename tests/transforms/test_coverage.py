from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.coverage import coverage
from transforms.months import month_bounds

SCHEMA = {
    **dict.fromkeys(("vendor", "endpoint", "scope", "kind", "state", "message"), pl.String),
    **dict.fromkeys(("as_of", "from_at", "to_at"), pl.Datetime("us", "UTC")),
    "rows_received": pl.Int64,
    "rows_by_month": pl.String,
}


INSTALLATION = ("zaptec", "sessions", "installation:a")
IN_USE = [("zaptec", "sessions")]


def _day(month: int, day: int = 1) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


def _reading(
    from_at: datetime | None,
    to_at: datetime,
    as_of: datetime,
    state: str = "complete",
    rows: int = 1,
    place: tuple[str, str, str] = INSTALLATION,
    kind: str = "refresh",
) -> dict[str, object]:
    named = dict(zip(("vendor", "endpoint", "scope"), place, strict=True))
    message = "rate limited" if state == "failed" else None
    times = {"as_of": as_of, "from_at": from_at, "to_at": to_at}
    return {**named, **times, "kind": kind, "state": state, "message": message, "rows_received": rows}


def _covered(
    readings: list[dict[str, object]],
    as_of: datetime,
    time_zone: str = "UTC",
    in_use: Collection[tuple[str, str]] = IN_USE,
) -> list[dict[str, Any]]:
    return coverage(pl.DataFrame(readings, schema=SCHEMA), "2026-01", as_of, time_zone, in_use).rows(named=True)


def _states(readings: list[dict[str, object]], as_of: datetime) -> dict[str, str]:
    return {row["month"]: row["state"] for row in _covered(readings, as_of)}


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


def test_a_list_read_whole_closes_the_gap_that_a_failed_reading_left_in_another_month() -> None:
    readings = [_reading(None, _day(3, 31), _day(3, 31), "failed", 0), _reading(None, _day(4), _day(4))]
    rows = _covered(readings, _day(4))
    assert {row["state"] for row in rows} == {"complete"}
    assert {row["read_at"] for row in rows} == {_day(4)}


def test_a_month_read_before_the_first_has_a_row() -> None:
    before = datetime(2025, 11, 1, tzinfo=UTC)
    readings = [_reading(before, datetime(2025, 12, 1, tzinfo=UTC), _day(1, 5), kind="backfill")]
    assert _states(readings, _day(1, 5)) == {"2025-11": "complete", "2025-12": "never", "2026-01": "never"}


@pytest.mark.parametrize(("time_zone", "month"), [("UTC", "2026-01"), ("Europe/Oslo", "2026-02")])
def test_rows_of_a_window_in_one_month_count_in_that_month_of_the_configured_zone(time_zone: str, month: str) -> None:
    begins_at = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    rows = _covered([_reading(begins_at, _day(2, 2), _day(2, 2), rows=5)], _day(2, 2), time_zone)
    assert {row["month"]: row["rows_received"] for row in rows if row["rows_received"]} == {month: 5}


@pytest.mark.parametrize(
    ("by_month", "expected"),
    [
        ('{"2026-01":2,"2026-03":3}', {"2026-01": 2, "2026-03": 3}),
        # The months began elsewhere when these rows were read.
        ('{"2025-12":2,"2026-04":3}', {"2026-01": 2, "2026-03": 3}),
    ],
)
def test_rows_of_a_window_of_several_months_count_in_the_months_of_their_clock(
    by_month: str, expected: dict[str, int]
) -> None:
    reading = {**_reading(_day(1), _day(3, 5), _day(3, 5), rows=5), "rows_by_month": by_month}
    rows = _covered([reading], _day(3, 5))
    assert {row["month"]: row["rows_received"] for row in rows if row["rows_received"]} == expected


def test_what_is_left_of_a_failed_reading_stays_a_gap_once_another_has_read_a_part_of_it() -> None:
    """A reconcile of three months fails; the refresh after it looks back a week."""
    readings = [
        _reading(_day(1), _day(3, 10), _day(3, 10)),
        _reading(_day(1), _day(3, 20), _day(3, 20), "failed", 0, kind="reconcile"),
        _reading(_day(3, 3), _day(3, 21), _day(3, 21)),
    ]
    gaps = {"2026-01": "gap", "2026-02": "gap", "2026-03": "gap"}
    assert _states(readings, _day(3, 21)) == gaps
    backfill = _reading(_day(3), _day(4), _day(3, 22), kind="backfill")
    assert _states([*readings, backfill], _day(3, 22)) == {**gaps, "2026-03": "complete"}
    again = _reading(_day(1), _day(3, 23), _day(3, 23), kind="reconcile")
    assert set(_states([*readings, again], _day(3, 23)).values()) == {"complete"}


def test_a_place_that_is_gone_has_no_later_months_and_is_not_asked() -> None:
    other = ("zaptec", "sessions", "installation:b")
    both = [_reading(_day(1), _day(2, 5), _day(2, 5), place=place) for place in (INSTALLATION, other)]
    later = [_reading(_day(1, 29), _day(4, 5), _day(4, 5), place=other)]
    rows = _covered([*both, *later], _day(4, 5))
    months = {scope: [row["month"] for row in rows if row["scope"] == scope] for _, _, scope in (INSTALLATION, other)}
    assert months == {
        "installation:a": ["2026-01", "2026-02"],
        "installation:b": ["2026-01", "2026-02", "2026-03", "2026-04"],
    }
    assert {(row["scope"], row["is_asked"]) for row in rows} == {("installation:a", False), ("installation:b", True)}


@pytest.mark.parametrize(
    ("kinds", "is_asked"), [(["refresh", "backfill"], False), (["refresh", "reconcile"], True), (["backfill"], True)]
)
def test_a_backfill_asks_for_its_months_alone(kinds: list[str], is_asked: bool) -> None:
    """Before the first refresh, only what a backfill has read is asked for."""
    other = ("zaptec", "sessions", "installation:b")
    readings = [_reading(_day(1), _day(2), _day(2, number + 1), kind=kind) for number, kind in enumerate(kinds[:-1])]
    readings.append(_reading(_day(1), _day(2), _day(2, 9), place=other, kind=kinds[-1]))
    assert {row["is_asked"] for row in _covered(readings, _day(2, 9)) if row["scope"] == other[2]} == {is_asked}


def test_a_refresh_that_could_not_list_the_scopes_asks_for_those_of_the_last_that_could() -> None:
    other = ("zaptec", "sessions", "installation:b")
    listed = ("zaptec", "installations", "all")
    first = [_reading(_day(1), _day(2), _day(2), place=place) for place in (INSTALLATION, other)]
    failed = _reading(None, _day(2, 5), _day(2, 5), "failed", 0, place=listed)
    second = [failed, _reading(_day(1, 25), _day(2, 5), _day(2, 5))]
    third = [_reading(None, _day(2, 9), _day(2, 9), place=listed), _reading(_day(1, 25), _day(2, 9), _day(2, 9))]

    def asked(*readings: dict[str, object]) -> set[str]:
        in_use = [*IN_USE, listed[:2]]
        return {row["scope"] for row in _covered([*readings], _day(2, 9), in_use=in_use) if row["is_asked"]} - {"all"}

    assert asked(*first, *second) == {"installation:a", "installation:b"}
    assert asked(*first, *second, *third) == {"installation:a"}


def test_a_list_that_is_switched_off_is_not_asked_and_one_that_never_was_read_is_never() -> None:
    readings = [_reading(None, _day(2, 5), _day(2, 5), place=("zaptec", "installations", "all"))]
    rows = _covered(readings, _day(2, 5), in_use=[("zaptec", "sessions"), ("jedlix", "sessions")])
    found = {(row["vendor"], row["endpoint"], row["scope"], row["state"], row["is_asked"]) for row in rows}
    assert found == {
        ("zaptec", "installations", "all", "complete", False),
        ("zaptec", "sessions", "all", "never", True),
    }, "of a vendor that was not read at all there is nothing to tell"


ZEROTH = datetime(2025, 12, 1, tzinfo=UTC)
_STRETCHES = st.lists(
    st.tuples(
        st.none() | st.integers(0, 99),
        st.integers(1, 60),
        st.integers(0, 20),
        st.sampled_from(["complete", "complete", "failed"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
)
"""In days: where it begins (None: read whole), its length, the time since the run before; then its state and rows."""


@settings(max_examples=80)
@given(_STRETCHES)
def test_months_are_covered_as_a_plain_count_of_their_days_says(
    drawn: list[tuple[int | None, int, int, str, int]],
) -> None:
    now = 100
    readings: list[dict[str, object]] = []
    read: set[int] = set()
    failed: set[int] = set()
    for begins, length, passed, state, rows in drawn:
        now += passed
        to = now if begins is None else min(begins + length, now)
        # A list read whole is to show how things stand on that day: if it fails, only that day is missing.
        days = set(range(begins, to)) if begins is not None else {now} if state == "failed" else set(range(-100, now))
        if state == "failed":
            failed |= days
        else:
            read |= days
            failed = failed - days if begins is not None else set()
        from_at = None if begins is None else ZEROTH + timedelta(begins)
        received = rows if state == "complete" else 0
        readings.append(_reading(from_at, ZEROTH + timedelta(to), ZEROTH + timedelta(now), state, received))
    covered = _covered(readings, ZEROTH + timedelta(now))
    for row in covered:
        begins_at, ends_at = month_bounds(row["month"], "UTC")
        days = set(range((begins_at - ZEROTH).days, (ends_at - ZEROTH).days))
        passed_days = {day for day in days if day < now}
        if days & failed:
            assert row["state"] == "gap"
        elif passed_days <= read:
            assert row["state"] == "complete"
        else:
            # A list read whole at the first instant of a month was read in that month, but covers none of its days.
            assert row["state"] in (["partial"] if passed_days & read else ["never", "partial"])
    assert sum(row["rows_received"] for row in covered) == sum(rows for *_, state, rows in drawn if state == "complete")
