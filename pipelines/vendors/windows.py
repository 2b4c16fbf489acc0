"""The watermark rules: which stretches of an endpoint's clock a run has to read.

A watermark means: everything the API can show up to here has been read. Rows come late and change, so every reading
begins some way before it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pipelines.vendors.contract import Position, Question, Window

AROUND_A_START = timedelta(hours=1)
"""How far a vendor may correct the start of a running session, so that the session is still found."""

NOT_WORTH_A_REQUEST = timedelta(days=1)
"""A gap of up to this between two stretches is read along with them, as one window."""

EARLIEST_START = datetime(2000, 1, 1, tzinfo=UTC)
"""Older than every charging platform. An earlier time is not a start: servers write 1970 (an epoch of 0) or the year 1
(the default of .NET) where they know none."""


def since_watermark(question: Question, position: Position, look_back: timedelta) -> Sequence[Window]:
    """From the watermark less `look_back` (on the first reading: from the first month) to the run's as-of."""
    start = _looking_back(position, look_back, question.first_month_at)
    return _with_asked_months_apart(question, _answering(question, position, start))


def since_oldest_open(
    question: Question, position: Position, margin: timedelta, look_back: timedelta = timedelta()
) -> Sequence[Window]:
    """From the start of the oldest running session, or from the watermark if that is older, less `margin`; on the first
    reading, from the first month.

    `look_back`: begin at least this long before the watermark, but not before the first month for that reason alone.

    A list filtered by the start of sessions shows a session under a start that may be weeks old by the time it ends.
    """
    first_at = question.first_month_at
    if position.watermark is None:
        return _with_asked_months_apart(question, _answering(question, position, first_at))
    oldest = min([position.watermark, *_running_since(position)]) - margin
    start = min(oldest, max(first_at, position.watermark - look_back))
    return _with_asked_months_apart(question, _answering(question, position, start))


def recent_and_running(
    question: Question, position: Position, first_at: datetime, look_back: timedelta
) -> Sequence[Window]:
    """From the watermark less `look_back` (on the first reading: from `first_at`), and before that only an hour or so
    around the start of each session that is known to be running.

    For a list filtered by start, read beside a list filtered by end, which shows the closed sessions. With the same
    look-back, that list shows every closed session of the last window here, which therefore stays a window of its own.
    """
    recent = _answering(question, position, _looking_back(position, look_back, first_at))
    if not recent or question.kind == "backfill":
        return _windows(recent)
    [(begins_at, _)] = recent
    before = [started_at for started_at in _running_since(position) if started_at < begins_at]
    around = [(started_at - AROUND_A_START, min(started_at + AROUND_A_START, begins_at)) for started_at in before]
    return [*_windows(around), *_with_asked_months_apart(question, recent)]


def whole_list(question: Question, position: Position) -> Sequence[Window]:
    """A list that is read whole each time."""
    is_behind = position.watermark is not None and question.as_of < position.watermark
    return [] if is_behind else [Window(None, question.as_of)]


def since_modified(question: Question, position: Position, overlap: timedelta) -> Sequence[Window]:
    """A list filtered by modification that is read whole at first, then from the watermark less `overlap`.

    An object that becomes visible late may have been modified long before: a reconcile reads the list whole as well.
    """
    if question.kind == "reconcile" or (question.kind == "refresh" and position.watermark is None):
        return whole_list(question, position)
    return since_watermark(question, position, overlap)


def start_to_go_back_to(started_at: datetime | None) -> datetime | None:
    """The start of a running session as a position to read from; None for one that cannot be real, such as year 1."""
    return started_at if started_at is not None and started_at >= EARLIEST_START else None


def _running_since(position: Position) -> Sequence[datetime]:
    return [start for started_at in position.open_since if (start := start_to_go_back_to(started_at))]


def _looking_back(position: Position, look_back: timedelta, first_at: datetime) -> datetime:
    return first_at if position.watermark is None else position.watermark - look_back


def _answering(question: Question, position: Position, start: datetime) -> list[tuple[datetime, datetime]]:
    """The one stretch that answers the question, if any: there is none where the run's now is behind the watermark."""
    if position.watermark is not None and question.as_of < position.watermark:
        return []
    if question.kind == "backfill":
        if question.from_at is None or question.to_at is None:
            raise ValueError("a backfill has a beginning and an end")
        start, end = question.from_at, min(question.to_at, question.as_of)
    else:
        start, end = min(start, question.from_at or start), question.as_of
    return [(start, end)] if start < end else []


def _with_asked_months_apart(question: Question, stretches: Sequence[tuple[datetime, datetime]]) -> Sequence[Window]:
    """The windows of stretches; the months that a reconcile asks for are one of their own, which is read even if what
    is still missing before them cannot be read."""
    months_at = question.from_at
    if question.kind != "reconcile" or months_at is None:
        return _windows(stretches)
    before = [(start, min(end, months_at)) for start, end in stretches if start < months_at]
    asked = [(max(start, months_at), end) for start, end in stretches if end > months_at]
    return [*_windows(before), *_windows(asked)]


def _windows(stretches: Sequence[tuple[datetime, datetime]]) -> Sequence[Window]:
    """The windows of stretches given in the order of their start; stretches close to each other are joined."""
    joined: list[tuple[datetime, datetime]] = []
    for start, end in stretches:
        if joined and start - joined[-1][1] <= NOT_WORTH_A_REQUEST:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return [Window(start, end) for start, end in joined]
