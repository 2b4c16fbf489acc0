"""The watermark rules, one by one, and where windows begin and end."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.vendors.contract import Position, Question, Window
from pipelines.vendors.windows import (
    EARLIEST_START,
    recent_and_running,
    since_modified,
    since_oldest_open,
    since_watermark,
    whole_list,
)

FIRST = datetime(2025, 6, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)
REFRESH = Question("refresh", NOW, FIRST)
RECONCILE = Question("reconcile", NOW, FIRST, from_at=NOW - timedelta(days=60))
BACKFILL = Question("backfill", NOW, FIRST, NOW - timedelta(days=60), NOW - timedelta(days=30))


def test_the_first_reading_begins_at_the_first_month() -> None:
    assert since_watermark(REFRESH, Position(), WEEK) == [Window(FIRST, NOW)]
    assert since_oldest_open(REFRESH, Position(), DAY) == [Window(FIRST, NOW)]
    assert recent_and_running(REFRESH, Position(), FIRST, DAY) == [Window(FIRST, NOW)]


def test_the_first_reading_of_a_list_by_modification_has_no_lower_bound() -> None:
    assert since_modified(REFRESH, Position(), DAY) == [Window(None, NOW)]
    assert since_modified(RECONCILE, Position(), DAY) == [Window(None, NOW)]


def test_later_readings_look_back_behind_the_watermark() -> None:
    assert since_watermark(REFRESH, Position(YESTERDAY), WEEK) == [Window(YESTERDAY - WEEK, NOW)]
    assert since_modified(REFRESH, Position(YESTERDAY), DAY) == [Window(YESTERDAY - DAY, NOW)]


@pytest.mark.parametrize(
    ("oldest_open_at", "from_at"),
    [
        (None, YESTERDAY - DAY),
        (YESTERDAY - timedelta(days=21), YESTERDAY - timedelta(days=22)),
        (YESTERDAY + timedelta(hours=3), YESTERDAY - DAY),
        (FIRST - timedelta(days=300), FIRST - timedelta(days=301)),
    ],
)
def test_a_list_by_start_begins_at_the_oldest_running_session(
    oldest_open_at: datetime | None, from_at: datetime
) -> None:
    position = Position(YESTERDAY, (oldest_open_at, NOW) if oldest_open_at else ())
    assert since_oldest_open(REFRESH, position, DAY) == [Window(from_at, NOW)]


def test_a_list_of_running_sessions_is_asked_for_from_before_the_oldest_known_one_but_not_from_before_the_first() -> (
    None
):
    def begins_at(*open_since: datetime, first_at: datetime = FIRST) -> datetime | None:
        [window] = since_oldest_open(
            replace(REFRESH, first_month_at=first_at), Position(YESTERDAY, open_since), DAY, 30 * DAY
        )
        return window.from_at

    assert begins_at() == begins_at(YESTERDAY - 10 * DAY) == YESTERDAY - 30 * DAY
    assert begins_at(YESTERDAY - 40 * DAY) == YESTERDAY - 41 * DAY
    assert begins_at(first_at=YESTERDAY - 10 * DAY) == YESTERDAY - 10 * DAY
    assert begins_at(YESTERDAY - 20 * DAY, first_at=YESTERDAY - 10 * DAY) == YESTERDAY - 21 * DAY
    assert begins_at(first_at=NOW) == YESTERDAY - DAY


def test_of_the_time_before_the_look_back_only_what_surrounds_running_sessions_is_read() -> None:
    def running_since(*days: float) -> list[Window]:
        open_since = tuple(YESTERDAY - timedelta(days=day) for day in days)
        return list(recent_and_running(REFRESH, Position(YESTERDAY, open_since), FIRST, WEEK))

    recent = Window(YESTERDAY - WEEK, NOW)
    hour = timedelta(hours=1)
    assert running_since() == [recent]
    assert running_since(3, 0.5) == [recent]
    assert running_since(40, 3) == [Window(YESTERDAY - 40 * DAY - hour, YESTERDAY - 40 * DAY + hour), recent]
    # Starts close to each other share a window, which ends where the recent window begins.
    assert running_since(40, 39.5, 30, 7.01) == [
        Window(YESTERDAY - 40 * DAY - hour, YESTERDAY - 39.5 * DAY + hour),
        Window(YESTERDAY - 30 * DAY - hour, YESTERDAY - 30 * DAY + hour),
        Window(YESTERDAY - 7.01 * DAY - hour, YESTERDAY - WEEK),
        recent,
    ]


@given(st.lists(st.floats(0, 400)))
def test_every_running_session_is_asked_for_in_stretches_that_are_apart(days: list[float]) -> None:
    open_since = tuple(sorted(NOW - timedelta(days=day) for day in days))
    stretches = recent_and_running(REFRESH, Position(YESTERDAY, open_since), FIRST, WEEK)
    bounds = [(window.from_at, window.to_at) for window in stretches]
    assert all(any(first is not None and first <= at <= last for first, last in bounds) for at in open_since)
    assert stretches[-1].to_at == NOW
    assert all(after is not None and last <= after for (_, last), (after, _) in pairwise(bounds))


def test_reconcile_reaches_back_as_far_as_asked_and_never_less_than_a_refresh() -> None:
    assert since_watermark(RECONCILE, Position(YESTERDAY), WEEK) == [Window(NOW - timedelta(days=60), NOW)]


def test_the_months_that_a_reconcile_names_are_a_window_apart_from_what_is_missing_before_them() -> None:
    position, named = Position(NOW - timedelta(days=90)), Window(NOW - timedelta(days=60), NOW)
    assert since_watermark(RECONCILE, position, WEEK) == [Window(NOW - timedelta(days=97), NOW - 60 * DAY), named]
    assert since_oldest_open(RECONCILE, position, DAY) == [Window(NOW - timedelta(days=91), NOW - 60 * DAY), named]
    assert list(recent_and_running(RECONCILE, position, FIRST, WEEK))[-1] == named
    assert since_watermark(RECONCILE, Position(), WEEK) == [Window(FIRST, NOW - 60 * DAY), named]


def test_a_reconcile_reads_a_list_by_modification_whole_and_a_refresh_does_not() -> None:
    """An object that becomes visible late may have been modified years ago."""
    assert since_modified(RECONCILE, Position(YESTERDAY), DAY) == [Window(None, NOW)]
    assert since_modified(REFRESH, Position(YESTERDAY), DAY) == [Window(YESTERDAY - DAY, NOW)]


@pytest.mark.parametrize(
    "start", [datetime.min.replace(tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(1999, 12, 31, tzinfo=UTC)]
)
def test_a_running_session_whose_start_is_not_known_widens_no_window(start: datetime) -> None:
    position, known = Position(YESTERDAY, (start,)), Position(YESTERDAY, (start, YESTERDAY - 40 * DAY))
    assert since_oldest_open(REFRESH, position, DAY) == [Window(YESTERDAY - DAY, NOW)]
    assert since_oldest_open(REFRESH, known, DAY) == [Window(YESTERDAY - 41 * DAY, NOW)]
    assert recent_and_running(REFRESH, position, FIRST, WEEK) == [Window(YESTERDAY - WEEK, NOW)]
    assert len(recent_and_running(REFRESH, known, FIRST, WEEK)) == 2


def test_a_backfill_reads_its_months_whatever_the_watermark() -> None:
    asked = [Window(NOW - timedelta(days=60), NOW - timedelta(days=30))]
    for position in (Position(), Position(YESTERDAY), Position(NOW)):
        assert since_watermark(BACKFILL, position, WEEK) == asked
        assert since_oldest_open(BACKFILL, position, DAY) == asked
        assert recent_and_running(BACKFILL, position, FIRST, DAY) == asked
        assert since_modified(BACKFILL, position, DAY) == asked


def test_a_now_behind_the_watermark_answers_nothing_whatever_is_asked() -> None:
    ahead = Position(NOW + timedelta(milliseconds=1), (FIRST,))
    for question in (REFRESH, RECONCILE, BACKFILL):
        assert since_watermark(question, ahead, WEEK) == []
        assert since_oldest_open(question, ahead, DAY) == []
        assert recent_and_running(question, ahead, FIRST, DAY) == []
        assert since_modified(question, ahead, DAY) == []
        assert whole_list(question, ahead) == []


def test_nothing_looks_past_the_runs_now() -> None:
    early = Question("backfill", NOW - timedelta(days=40), FIRST, NOW - timedelta(days=60), NOW - timedelta(days=30))
    assert since_watermark(early, Position(), WEEK) == [Window(NOW - timedelta(days=60), NOW - timedelta(days=40))]
    before = Question("backfill", NOW - timedelta(days=90), FIRST, NOW - timedelta(days=60), NOW - timedelta(days=30))
    assert since_watermark(before, Position(), WEEK) == []


def test_a_now_at_the_watermark_reads_the_look_back_again() -> None:
    assert since_watermark(REFRESH, Position(NOW), WEEK) == [Window(NOW - WEEK, NOW)]
    assert whole_list(REFRESH, Position(NOW)) == [Window(None, NOW)]


def test_a_first_month_that_lies_ahead_reads_nothing() -> None:
    assert since_watermark(Question("refresh", NOW, NOW + DAY), Position(), WEEK) == []


_AT = st.one_of(
    st.integers(-900, 100).map(lambda days: NOW + days * DAY),
    st.integers(-(10**10), 10**10).map(lambda milliseconds: NOW + timedelta(milliseconds=milliseconds)),
    st.sampled_from([NOW, datetime(1970, 1, 1, tzinfo=UTC)]),
)


@st.composite
def _questions(draw: st.DrawFn) -> Question:
    kind: Literal["refresh", "reconcile", "backfill"] = draw(st.sampled_from(["refresh", "reconcile", "backfill"]))
    from_at = None if kind == "refresh" else draw(_AT)
    return Question(kind, draw(_AT), draw(_AT), from_at, draw(_AT) if kind == "backfill" else None)


@given(
    _questions(),
    st.none() | _AT,
    st.lists(_AT, max_size=4).map(sorted),
    st.sampled_from([timedelta(hours=1), WEEK, timedelta(days=90)]),
    _AT,
)
def test_whatever_is_asked_nothing_new_is_left_out_and_nothing_looks_past_now(
    question: Question,
    watermark: datetime | None,
    open_since: list[datetime],
    look_back: timedelta,
    first_at: datetime,
) -> None:
    position = Position(watermark, () if watermark is None else tuple(open_since))
    is_behind = watermark is not None and question.as_of < watermark
    by_start = [
        since_oldest_open(replace(question, first_month_at=first_at), position, look_back),
        recent_and_running(question, position, first_at, look_back),
    ]
    others = [since_watermark(question, position, look_back), since_modified(question, position, look_back)]
    for windows in [*by_start, *others]:
        bounds = [(window.from_at or datetime.min.replace(tzinfo=UTC), window.to_at) for window in windows]
        assert not (is_behind and bounds)
        assert all(from_at < to_at <= question.as_of for from_at, to_at in bounds)
        if question.from_at is not None and question.to_at is not None:
            assert all(question.from_at <= from_at and to_at <= question.to_at for from_at, to_at in bounds)
        elif watermark is not None and not is_behind:
            assert bounds[-1][1] == question.as_of
            begins_at = bounds[-1][0]
            for from_at, to_at in reversed(bounds[:-1]):
                begins_at = from_at if to_at == begins_at else begins_at
            assert begins_at <= min(watermark - look_back, question.from_at or question.as_of)
    if question.kind != "backfill" and not is_behind:
        for started_at in position.open_since:
            if EARLIEST_START <= started_at < question.as_of:
                for windows in by_start:
                    assert any(w.from_at is not None and w.from_at <= started_at <= w.to_at for w in windows)
