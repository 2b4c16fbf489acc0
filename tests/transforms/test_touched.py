from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.energy import fact_energy
from transforms.months import month_bounds, month_of
from transforms.sessions import IS_COUNTED, fact_session, rejected_session
from transforms.touched import NO_MONTH, touched_by_backfills, touched_by_sessions
from warehouse.tables.staging import StagedSession

RowsBuilder = Callable[..., pl.DataFrame]


def _sessions(*spans: tuple[str, datetime | None, datetime | None, str | None, bool]) -> pl.DataFrame:
    rows = [
        {
            "vendor": "zaptec",
            "session_id": session_id,
            "month": None if started_at is None else started_at.strftime("%Y-%m"),
            "started_at": started_at,
            "ended_at": ended_at,
            "reason": reason,
            "is_open": is_open,
        }
        for session_id, started_at, ended_at, reason, is_open in spans
    ]
    return pl.DataFrame(rows, schema=StagedSession.create_empty().schema)


NOTHING = _sessions()
JANUARY, MARCH = datetime(2026, 1, 30, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)


def test_a_new_session_touches_every_month_in_which_it_has_a_slot() -> None:
    touched = touched_by_sessions(NOTHING, _sessions(("a", JANUARY, MARCH, None, False)), "UTC")
    assert set(touched.rows()) == {("2026-01", "new"), ("2026-02", "new"), ("2026-03", "new")}


def test_a_session_that_ends_as_a_month_begins_does_not_touch_it() -> None:
    ends_at = datetime(2026, 2, 1, tzinfo=UTC)
    assert touched_by_sessions(NOTHING, _sessions(("a", JANUARY, ends_at, None, False)), "UTC").rows() == [
        ("2026-01", "new")
    ]


def test_a_correction_touches_where_the_session_stood_and_where_it_stands() -> None:
    was = _sessions(("a", JANUARY, JANUARY, None, False))
    becomes = _sessions(("a", MARCH, MARCH, None, False))
    assert set(touched_by_sessions(was, becomes, "UTC").rows()) == {("2026-01", "corrected"), ("2026-03", "corrected")}


def test_a_running_session_touches_nothing_and_its_end_is_new() -> None:
    running, ended = _sessions(("a", JANUARY, None, None, True)), _sessions(("a", JANUARY, JANUARY, None, False))
    assert touched_by_sessions(NOTHING, running, "UTC").is_empty()
    assert touched_by_sessions(running, ended, "UTC").rows() == [("2026-01", "new")]


def test_a_session_that_runs_again_touches_only_where_it_stood() -> None:
    ended, running = _sessions(("a", JANUARY, JANUARY, None, False)), _sessions(("a", MARCH, None, None, True))
    assert touched_by_sessions(ended, running, "UTC").rows() == [("2026-01", "corrected")]


def test_a_session_without_a_readable_start_touches_the_rows_without_a_month() -> None:
    touched = touched_by_sessions(NOTHING, _sessions(("a", None, None, "unreadable", False)), "UTC")
    assert touched.rows() == [(NO_MONTH, "new")]


def test_a_running_session_that_is_rejected_touches_as_it_comes_and_as_it_goes() -> None:
    rejected, ended = _sessions(("a", None, None, "unreadable", True)), _sessions(("a", MARCH, MARCH, None, False))
    assert touched_by_sessions(NOTHING, rejected, "UTC").rows() == [(NO_MONTH, "new")]
    assert set(touched_by_sessions(rejected, ended, "UTC").rows()) == {
        (NO_MONTH, "corrected"),
        ("2026-03", "corrected"),
    }


def test_a_session_that_an_earlier_run_could_have_seen_is_late_and_the_others_are_new() -> None:
    becomes = _sessions(("a", JANUARY, JANUARY, None, False), ("b", MARCH, MARCH, None, False))
    late = becomes.filter(session_id="a").select("vendor", "session_id")
    touched = touched_by_sessions(NOTHING, becomes, "UTC", late)
    assert set(touched.rows()) == {("2026-01", "late"), ("2026-03", "new")}


def test_a_month_can_be_touched_for_every_reason_at_once() -> None:
    was = _sessions(("a", JANUARY, JANUARY, None, False))
    becomes = _sessions(*((name, JANUARY, JANUARY, None, False) for name in ("a", "b", "c")))
    late = becomes.filter(session_id="b").select("vendor", "session_id")
    reasons = {reason for _, reason in touched_by_sessions(was, becomes, "UTC", late).rows()}
    assert reasons == {"new", "late", "corrected"}


@pytest.mark.parametrize(
    ("time_zone", "months"), [("UTC", ["2026-01", "2026-02"]), ("Asia/Tokyo", ["2026-01", "2026-02"])]
)
def test_what_a_backfill_asked_for_again_is_touched_and_nothing_else(time_zone: str, months: list[str]) -> None:
    from_at, _ = month_bounds("2026-01", time_zone)
    _, to_at = month_bounds("2026-02", time_zone)
    middle = datetime(2026, 1, 20, tzinfo=UTC)
    readings = pl.DataFrame(
        [
            ("backfill", from_at, middle),
            ("backfill", middle, to_at),
            ("backfill", None, to_at),
            ("refresh", to_at, to_at + timedelta(days=40)),
        ],
        schema={"kind": pl.String, "from_at": pl.Datetime("us", "UTC"), "to_at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    assert touched_by_backfills(readings, time_zone).rows() == [(month, "backfill") for month in months]


_AROUND = st.sampled_from([datetime(2026, 1, 31, 22, 50, tzinfo=UTC), datetime(2026, 3, 31, 21, 30, tzinfo=UTC)])
_LENGTHS = st.one_of(
    st.just(timedelta(0)),
    st.integers(0, 10_800_000).map(lambda milliseconds: timedelta(milliseconds=milliseconds)),
    st.integers(0, 12).map(lambda quarters: quarters * timedelta(minutes=15)),
    st.integers(0, 70).map(timedelta),
)


@st.composite
def _states(draw: st.DrawFn) -> dict[str, dict[str, Any]]:
    """The sessions known so far: running, counted, rejected or without a start."""
    states: dict[str, dict[str, Any]] = {}
    for session_id in draw(st.sets(st.sampled_from("abc"))):
        started_at = draw(st.none() | st.builds(datetime.__add__, _AROUND, _LENGTHS))
        is_open = draw(st.booleans()) and started_at is not None
        states[session_id] = {
            "session_id": session_id,
            "started_at": started_at,
            "ended_at": None if is_open or started_at is None else started_at + draw(_LENGTHS),
            "energy_kwh": draw(st.sampled_from([None, 0.0, 7.3])),
            "is_open": is_open,
            "reason": "unreadable" if started_at is None else draw(st.sampled_from([None, None, "void"])),
            "payload": "{}",
        }
    return states


def _facts(staged: pl.DataFrame, time_zone: str) -> dict[tuple[str, str], list[Any]]:
    """The rows of the monthly tables by table and month."""
    tables = {
        "fact_session": fact_session(staged),
        "rejected_session": rejected_session(staged),
        "fact_energy": fact_energy(staged.filter(IS_COUNTED), time_zone),
    }
    return {
        (name, month or NO_MONTH): rows.rows()
        for name, table in tables.items()
        for (month,), rows in table.sort(table.columns[:3]).group_by("month", maintain_order=True)
    }


@settings(max_examples=40)
@given(_states(), _states(), st.sampled_from(["UTC", "Europe/Amsterdam", "Asia/Kathmandu"]))
def test_every_month_that_differs_is_touched_and_none_in_which_nothing_stood_or_stands(
    staged_sessions: RowsBuilder, was: dict[str, Any], becomes: dict[str, Any], time_zone: str
) -> None:
    known, changed, after = (
        staged_sessions(*states.values()).with_columns(month=month_of(pl.col("started_at"), time_zone))
        for states in (was, becomes, {**was, **becomes})
    )
    before = known.filter(pl.col("session_id").is_in(list(becomes)))
    touched = set(touched_by_sessions(before, changed, time_zone)["month"])
    stood, stands = _facts(known, time_zone), _facts(after, time_zone)
    places = stood.keys() | stands.keys()
    assert {month for name, month in places if stood.get((name, month)) != stands.get((name, month))} <= touched
    assert touched <= {month for _, month in places}
