"""Which months of the facts a change in sessions touches, and why."""

import polars as pl

from transforms.months import last_month_of, month_of, months_between
from transforms.sessions import IS_COUNTED, IS_RUNNING

NO_MONTH = "none"
"""Stands for the rejected sessions that have no readable start, and so no month."""

NOTHING_TOUCHED = pl.DataFrame(schema={"month": pl.String, "reason": pl.String})


def touched_by_sessions(
    was: pl.DataFrame, becomes: pl.DataFrame, time_zone: str, late: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The months of the facts that hold a changed session, before or after the change: of its start and of every slot.

    `was` and `becomes` are StagedSession frames of the changed sessions; a session that is only in `becomes` is new, or
    late where it is one of `late` (vendor, session_id). A session that is still running is in no fact.

    Columns: month (YYYY-MM, or `none`) and reason (new, late, corrected), each pair once.
    """
    key = ["vendor", "session_id"]
    late = becomes.clear().select(key) if late is None else late
    stood, will_stand = was.filter(~IS_RUNNING), becomes.filter(~IS_RUNNING)
    corrected = will_stand.join(stood, on=key, how="semi")
    new = will_stand.join(stood, on=key, how="anti")
    pairs = [
        (month, reason)
        for frame, reason in (
            (new.join(late, on=key, how="anti"), "new"),
            (new.join(late, on=key, how="semi"), "late"),
            (corrected, "corrected"),
            (stood, "corrected"),
        )
        for month in sorted(_months(frame, time_zone))
    ]
    return pl.DataFrame(pairs, schema=NOTHING_TOUCHED.schema, orient="row").unique(maintain_order=True)


def touched_by_backfills(readings: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """The months that backfills asked for, whether or not anything differed: month, and `backfill` as the reason.

    `readings`: the reading records, with windows on the endpoints' own clocks.
    """
    asked = readings.filter(pl.col("kind") == "backfill", pl.col("from_at") < pl.col("to_at")).select(
        first=month_of(pl.col("from_at"), time_zone),
        last=last_month_of(pl.col("from_at"), pl.col("to_at"), time_zone),
    )
    months = {month for first, last in asked.unique().iter_rows() for month in months_between(first, last)}
    return pl.DataFrame([(month, "backfill") for month in sorted(months)], NOTHING_TOUCHED.schema, orient="row")


def _months(sessions: pl.DataFrame, time_zone: str) -> set[str]:
    """The months of the sessions' starts and, for sessions that have slots, of every slot."""
    last_slot_month = last_month_of(pl.col("started_at"), pl.col("ended_at"), time_zone)
    spans = sessions.select(
        first=pl.col("month").fill_null(NO_MONTH),
        last=pl.when(IS_COUNTED).then(last_slot_month).otherwise("month").fill_null(NO_MONTH),
    ).unique()
    months: set[str] = set()
    for first, last in spans.iter_rows():
        months.update([NO_MONTH] if NO_MONTH in (first, last) else months_between(first, last))
    return months
