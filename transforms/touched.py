"""Which months of the facts a change of sessions touches, and why."""

import polars as pl

from transforms.months import month_of, months_between

NO_MONTH = "none"
"""Stands for the rejected sessions that have no readable start, and so no month."""

NOTHING_TOUCHED = pl.DataFrame(schema={"month": pl.String, "reason": pl.String})


def touched_by_sessions(
    was: pl.DataFrame, becomes: pl.DataFrame, time_zone: str, late: pl.DataFrame | None = None
) -> pl.DataFrame:
    """The months in which a session stood or will stand, by its start and by every slot of it.

    `was` and `becomes` are StagedSession frames of the changed sessions; a session that is only in `becomes` is new, or
    late where it is one of `late` (vendor, session_id). One that still runs stands in no fact.

    Columns: month (YYYY-MM, or `none`) and reason (new, late, corrected), each pair once.
    """
    key = ["vendor", "session_id"]
    late = becomes.clear().select(key) if late is None else late
    stands = ~pl.col("is_open") | pl.col("reason").is_not_null()
    counted, counts = was.filter(stands), becomes.filter(stands)
    corrected = counts.join(counted, on=key, how="semi")
    new = counts.join(counted, on=key, how="anti")
    pairs = [
        (month, reason)
        for frame, reason in (
            (new.join(late, on=key, how="anti"), "new"),
            (new.join(late, on=key, how="semi"), "late"),
            (corrected, "corrected"),
            (counted, "corrected"),
        )
        for month in sorted(_months(frame, time_zone))
    ]
    return pl.DataFrame(pairs, schema=NOTHING_TOUCHED.schema, orient="row").unique(maintain_order=True)


def touched_by_backfills(readings: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """The months that were asked for again, whether or not anything differed: month, and `backfill` as the reason.

    `readings`: the records of windows, on the endpoints' own clocks.
    """
    asked = readings.filter(pl.col("kind") == "backfill", pl.col("from_at") < pl.col("to_at")).select(
        first=month_of(pl.col("from_at"), time_zone),
        last=month_of(pl.col("to_at") - pl.duration(microseconds=1), time_zone),
    )
    months = {month for first, last in asked.unique().iter_rows() for month in months_between(first, last)}
    return pl.DataFrame([(month, "backfill") for month in sorted(months)], NOTHING_TOUCHED.schema, orient="row")


def _months(sessions: pl.DataFrame, time_zone: str) -> set[str]:
    last_moment = pl.max_horizontal("started_at", pl.col("ended_at") - pl.duration(microseconds=1))
    has_slots = pl.col("reason").is_null() & ~pl.col("is_open")
    spans = sessions.select(
        pl.col("month").fill_null(NO_MONTH).alias("first"),
        pl.when(has_slots).then(month_of(last_moment, time_zone)).otherwise("month").fill_null(NO_MONTH).alias("last"),
    ).unique()
    months: set[str] = set()
    for first, last in spans.iter_rows():
        months.update([NO_MONTH] if NO_MONTH in (first, last) else months_between(first, last))
    return months
