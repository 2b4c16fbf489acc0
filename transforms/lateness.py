"""How late sessions arrive, which shows whether a look-back is long enough."""

import polars as pl

from transforms.reasons import seconds_between
from transforms.vendors import SESSION_LISTS
from warehouse.tables.operations import Lateness


def lateness(first_seen: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """One row per vendor and run that saw closed sessions for the first time, matching Lateness.

    `first_seen`: StagedSession rows of sessions not known before. `readings`: the reading records of all windows up to
    now; a session is judged only by those of the session lists for its own scope.
    """
    late = pl.col("late_seconds").filter(pl.col("late_seconds") > 0)
    return (
        _with_lateness(first_seen, readings)
        .group_by("vendor", "as_of")
        .agg(
            pl.col("previous_as_of").max(),
            pl.len().cast(pl.Int64).alias("sessions_new"),
            late.len().cast(pl.Int64).alias("sessions_late"),
            late.median().alias("late_seconds_median"),
            late.max().alias("late_seconds_most"),
        )
        .select(Lateness.column_names())
        .sort("as_of", "vendor")
    )


def late_sessions(first_seen: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """The sessions in `first_seen` that had ended by an earlier run, which could have seen them: vendor, session_id."""
    return _with_lateness(first_seen, readings).filter(pl.col("late_seconds") > 0).select("vendor", "session_id")


def _with_lateness(first_seen: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """The closed sessions with `previous_as_of` and `late_seconds`.

    `previous_as_of`: the last run, before the one that first saw the session, that read the session lists of its scope
    to the end; NULL if there was none. `late_seconds`: the time from the session's end to that run, negative if it
    ended later. A session that ended after it was first seen is left out: it was running then, whenever its end was
    staged.
    """
    lists = pl.DataFrame(SESSION_LISTS, schema=["vendor", "endpoint"], orient="row")
    place = ["vendor", "scope"]
    runs = (
        readings.filter(pl.col("kind") != "backfill")
        .join(lists, on=["vendor", "endpoint"], how="semi")
        .group_by(*place, "as_of")
        .agg((pl.col("state") == "complete").all().alias("is_complete"))
        .sort(*place, "as_of")
        # The run that first saw a session may have failed later on; the one before must not have failed.
        .with_columns(pl.when("is_complete").then("as_of").forward_fill().shift().over(place).alias("previous_as_of"))
    )
    return (
        first_seen.filter(pl.col("ended_at") <= pl.col("first_read_at"))
        .select(*place, "session_id", "ended_at", pl.col("first_read_at").alias("as_of"))
        .join(runs, on=[*place, "as_of"], how="left")
        .with_columns(late_seconds=seconds_between(pl.col("ended_at"), pl.col("previous_as_of")))
    )
