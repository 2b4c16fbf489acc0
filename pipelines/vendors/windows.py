"""The watermark rules: which stretch of an endpoint's clock a run has to read.

A watermark says: everything the API can show up to here has been read. Rows come late and change, so every reading
begins some way before it.
"""

from datetime import datetime, timedelta

from pipelines.vendors.contract import Position, Question, Window


def since_watermark(question: Question, position: Position, look_back: timedelta) -> Window | None:
    """From the watermark less `look_back` (at first: from the first month) to the run's as-of."""
    start = question.first_month_at if position.watermark is None else position.watermark - look_back
    return _answering(question, position, start)


def since_oldest_open(question: Question, position: Position, first_at: datetime, margin: timedelta) -> Window | None:
    """From the start of the oldest running session, or the watermark if that is older, less `margin`; first:
    `first_at`.

    A list filtered by the start of sessions shows a session under a start that may be weeks old by the time it ends.
    """
    if position.watermark is None:
        start = first_at
    else:
        start = min(filter(None, (position.oldest_open_at, position.watermark))) - margin
    return _answering(question, position, start)


def whole_list(question: Question, position: Position) -> Window | None:
    """A list that is read whole each time."""
    is_behind = position.watermark is not None and question.as_of < position.watermark
    return None if is_behind else Window(None, question.as_of)


def since_modified(question: Question, position: Position, overlap: timedelta) -> Window | None:
    """A list filtered by modification that is read whole at first, then from the watermark less `overlap`."""
    if question.kind != "backfill" and position.watermark is None:
        return Window(None, question.as_of)
    return since_watermark(question, position, overlap)


def _answering(question: Question, position: Position, start: datetime) -> Window | None:
    if question.kind == "backfill":
        if question.from_at is None or question.to_at is None:
            raise ValueError("a backfill has a beginning and an end")
        return _window(question.from_at, min(question.to_at, question.as_of))
    if position.watermark is not None and question.as_of < position.watermark:
        return None
    if question.from_at is not None:
        start = min(start, question.from_at)
    return _window(start, question.as_of)


def _window(from_at: datetime, to_at: datetime) -> Window | None:
    return Window(from_at, to_at) if from_at < to_at else None
