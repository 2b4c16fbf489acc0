"""Whether everything was read, is accounted for, and is recent: judged by the records of the runs."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from transforms.judgements.judgement import USUAL_MONTHS, Judgement, total
from transforms.months import month_at, month_bounds, months_before

FRESH_FOR = timedelta(days=2)
"""A daily refresh may fail once before anyone has to know."""

GAPS_WAITED = 10
"""A vendor with a session a week is not stale on the third day: by chance alone, only one gap in 20,000 is this many
times the usual one."""

_LIST = ["vendor", "endpoint"]


@dataclass(frozen=True)
class StoredSessions:
    """Row counts of the three tables in which a session can be."""

    fact: int
    open: int
    rejected: int


def nothing_unaccounted(
    audit: pl.DataFrame,
    readings: pl.DataFrame,
    session_lists: Collection[tuple[str, str]],
    stored: StoredSessions,
    waiting_months: Collection[str],
) -> Judgement:
    """Every received row is accounted for, by three laws.

    For each run, endpoint and scope: received = new + changed + unchanged, and no more is rejected than received. For
    each endpoint, over all runs: received = what the readings of the raw log counted. For sessions (`session_lists`:
    vendor and endpoint), over all runs: received = accepted + rejected + duplicates, where accepted ones are in
    fact_session or open_session, rejected ones in rejected_session, and duplicates are the rows of a session that was
    already known, changed or not.

    `readings`: the raw log's reading records, of the loads that the audit covers. While months wait to be built
    (`waiting_months`) the third law cannot be judged.
    """
    outcomes = pl.col("rows_new") + pl.col("rows_changed") + pl.col("rows_unchanged")
    unbalanced = audit.filter(
        (pl.col("rows_received") != outcomes) | (pl.col("rows_rejected") > pl.col("rows_received"))
    )
    by_list = (
        audit.group_by(_LIST)
        .agg(pl.col("rows_received").sum())
        .join(
            readings.group_by(_LIST).agg(read=pl.col("rows_received").sum()),
            on=_LIST,
            how="full",
            coalesce=True,
        )
        .with_columns(pl.col("rows_received", "read").fill_null(0))
    )
    lost = by_list.filter(pl.col("rows_received") != pl.col("read"))
    lists = pl.DataFrame(list(session_lists), schema=_LIST, orient="row")
    of_sessions = audit.join(lists, on=_LIST, how="semi")
    received = total(of_sessions, "rows_received")
    duplicates = total(of_sessions, "rows_changed") + total(of_sessions, "rows_unchanged")
    accepted = stored.fact + stored.open
    unaccounted = 0 if waiting_months else received - accepted - stored.rejected - duplicates
    faults = [
        f"{unbalanced.height:,} row(s) of the audit do not add up (received = new + changed + unchanged)"
        * bool(unbalanced.height),
        f"{lost.height:,} list(s) have row counts that differ from the raw log" * bool(lost.height),
        f"{unaccounted:+,} session row(s) are left over (received minus accepted, rejected and duplicates)"
        * bool(unaccounted),
    ]
    found = "; ".join(filter(None, faults))
    description = f"{found[:1].upper()}{found[1:]}." if found else "Everything received is accounted for."
    if total(unbalanced, "rows_received") > unbalanced.select(outcomes.sum()).item():
        description += (
            " Files below `raw` are missing: restore them from a backup, or read everything again into an empty folder."
        )
    if waiting_months:
        description += f" {len(waiting_months)} month(s) wait to be built; sessions are checked after that."
    return Judgement(
        not found,
        description,
        {
            "rows_received": total(audit, "rows_received"),
            "sessions_received": received,
            "sessions_accepted": accepted,
            "sessions_rejected": stored.rejected,
            "sessions_duplicate": duplicates,
            "sessions_unaccounted": unaccounted,
            "audit_rows_unbalanced": unbalanced.height,
            "lists_unlike_the_raw_log": lost.height,
        },
        pl.concat(
            [
                unbalanced.select(*_LIST, "run_id", "rows_received", counted=outcomes),
                lost.select(*_LIST, pl.lit("all").alias("run_id"), "rows_received", counted="read"),
            ]
        ).sort(*_LIST, "run_id"),
    )


def months_complete(coverage: pl.DataFrame, current: str) -> Judgement:
    """Every month of every list is read from end to end; nothing can be missing where a scope is no longer asked for.

    `current`: the month that is still running. If one vendor was read later than another, it is partial for the other.
    That is no gap: how long ago each vendor was read is judged separately.
    """
    coverage = coverage.filter("is_asked")
    states = {
        state: coverage.filter(pl.col("state") == state).height for state in ("complete", "partial", "gap", "never")
    }
    missing = (
        coverage.filter(pl.col("state") != "complete", (pl.col("state") != "partial") | (pl.col("month") != current))
        .group_by(*_LIST, "scope", "state")
        .agg(
            first_month=pl.col("month").min(),
            last_month=pl.col("month").max(),
            months=pl.len(),
            message=pl.col("message").drop_nulls().last(),
        )
        .sort("last_month", *_LIST, "scope", "state", descending=[True, False, False, False, False])
    )
    scopes = missing.select(*_LIST, "scope").n_unique()
    return Judgement(
        missing.is_empty(),
        f"{total(missing, 'months'):,} month(s) of {scopes:,} list(s) were not read from end to end."
        if scopes
        else "Every month was read from end to end.",
        {
            "months": coverage.height,
            "months_missing": total(missing, "months"),
            **{f"months_{state}": number for state, number in states.items()},
            "rows_received": total(coverage, "rows_received"),
        },
        missing,
    )


def fresh(
    vendor: str,
    session_lists: Collection[str],
    audit: pl.DataFrame,
    quality: pl.DataFrame,
    as_of: datetime,
    time_zone: str,
) -> Judgement:
    """Every session list of a vendor was read recently, and its newest session is recent.

    `session_lists`: the endpoints in use. One that no run has asked for yet is ignored.
    The newest session may be as old as FRESH_FOR, or as GAPS_WAITED times the usual time between two sessions.
    """
    read = (
        audit.filter(pl.col("vendor") == vendor, pl.col("endpoint").is_in(session_lists))
        .group_by("endpoint")
        .agg(pl.col("as_of").filter(pl.col("state") == "complete").max().alias("read_at"))
        .get_column("read_at")
    )
    read_at: datetime | None = None if read.null_count() else read.min()  # type: ignore[assignment]
    if read_at is None:
        return Judgement(False, f"{vendor} was never read to the end.")
    months = quality.filter(pl.col("vendor") == vendor)
    newest_at = _newest_end(months, as_of, time_zone)
    session_limit = max(FRESH_FOR, GAPS_WAITED * _usual_gap(months, as_of, time_zone))
    # The now of a run may lie before the newest reading.
    since_read = max(as_of - read_at, timedelta())
    is_read = since_read <= FRESH_FOR
    is_sending = newest_at is None or as_of - newest_at <= session_limit
    newest = "no session so far" if newest_at is None else f"the newest session ended {_ago(as_of - newest_at)}"
    return Judgement(
        is_read and is_sending,
        f"Read to the end {_ago(since_read)}; {newest}.",
        {
            "hours_since_read": round(since_read / timedelta(hours=1), 2),
            "hours_tolerated_since_read": FRESH_FOR / timedelta(hours=1),
            **({"hours_since_newest_session": round((as_of - newest_at) / timedelta(hours=1), 2)} if newest_at else {}),
            "hours_tolerated_since_newest_session": round(session_limit / timedelta(hours=1), 2),
        },
    )


def _newest_end(months: pl.DataFrame, as_of: datetime, time_zone: str) -> datetime | None:
    """When the newest session ended; None where there is none.

    A session that ends after `as_of` has a wrong clock, and would look new until then. Only its month is trusted: it
    counts as ended when the month ends, or at `as_of` if that is earlier.
    """
    ends: list[datetime] = []
    for month, ended_at in months.select("month", "newest_end_at").drop_nulls().iter_rows():
        begins_at, ends_at = month_bounds(month, time_zone)
        if begins_at <= as_of:
            ends.append(ended_at if ended_at <= as_of else min(as_of, ends_at))
    return max(ends, default=None)


def _usual_gap(months: pl.DataFrame, as_of: datetime, time_zone: str) -> timedelta:
    """The mean time between sessions in the months before this one; zero where there were no sessions."""
    before = months.filter(pl.col("month").is_in(months_before(month_at(as_of, time_zone), USUAL_MONTHS)))
    sessions = total(before, "sessions")
    return timedelta(days=30 * before.height) / sessions if sessions else timedelta()


def _ago(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return f"{hours:,.1f} hours ago" if hours < 48 else f"{hours / 24:,.1f} days ago"
