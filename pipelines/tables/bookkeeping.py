"""The records that staging writes besides the rows: which months are touched and why, what was received, how late it
came, and which names are new. Each is written before the staged tables mark the loads as consumed, or has a mark of its
own: a run that is cut off in between writes it again, with the same result."""

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from pipelines.raw.raw_log import RawLog
from pipelines.tables.lakes import BUILT, CONSUMED, MONTHLY_FACTS, NEWEST, Lakes
from transforms.audit import added_up, load_audit
from transforms.lateness import lateness
from transforms.vocabulary import new_vocabulary, seen_fields
from warehouse.lake import Lake
from warehouse.tables import LATENESS, LOAD_AUDIT, STAGED_SESSION, TOUCHED_MONTH, VOCABULARY


def note_touched(touched: pl.DataFrame, published: Lake, as_of: datetime, run_id: str) -> None:
    """Append months and reasons (columns of NOTHING_TOUCHED) to the touched months, each once per run, with a number
    higher than any that the facts were ever built for.
    """
    known = published.scan(TOUCHED_MONTH)
    # The marks count too, in case the touched months themselves were lost.
    last = max(
        known.select(pl.col("number").max()).collect().item() or 0,
        *(published.mark(table, mark) or 0 for table in MONTHLY_FACTS for mark in (BUILT, NEWEST)),
    )
    mine = known.filter(pl.col("run_id") == run_id).select("month", "reason").collect()
    fresh = touched.join(mine, on=["month", "reason"], how="anti")
    if fresh.height:
        published.append(
            TOUCHED_MONTH,
            fresh.with_columns(
                pl.lit(run_id).alias("run_id"), pl.lit(as_of).alias("touched_at"), pl.lit(last + 1).alias("number")
            ),
        )


def note_vocabulary(raw_log: RawLog, words: Iterable[pl.DataFrame], published: Lake) -> None:
    """Append the names in the vendors' answers that are not in the vocabulary yet: the fields of the loads that the
    audit does not cover yet, and `words`, the unknown status words seen (columns of SEEN).
    """
    after = published.mark(LOAD_AUDIT, CONSUMED) if published.exists(VOCABULARY) else None
    fields = raw_log.fields(after).select("vendor", "endpoint", "field", seen_at="as_of")
    fresh = new_vocabulary(published.scan(VOCABULARY).collect(), pl.concat([seen_fields(fields), *words]))
    if fresh.height:
        published.append(VOCABULARY, fresh)


def note_received(readings: pl.DataFrame, receipts: list[pl.DataFrame], published: Lake, newest: int) -> None:
    """Add to the audit what each run received from each list, up to the load `newest`, and the outcome of the rows.

    `readings`: the reading records of loads that are not in the audit yet. `receipts`: the rows received by each table.
    """
    after = published.mark(LOAD_AUDIT, CONSUMED)
    if after is not None and after >= newest:
        return
    # If a run was cut off after this step, its rows come again here, together with newer ones: count only the newer.
    unaudited = [rows.filter(pl.col("load_number") > (after or 0)).drop("load_number") for rows in receipts]
    fresh = load_audit(readings, unaudited)
    # A run of many loads is staged in several rounds, so the audit may already have a part of it.
    runs = fresh["run_id"].unique()
    known = published.scan(LOAD_AUDIT).filter(pl.col("run_id").is_in(runs.to_list())).collect()
    if known.is_empty():
        published.append(LOAD_AUDIT, fresh, {CONSUMED: newest})
    else:
        published.replace_rows(LOAD_AUDIT, added_up(known, fresh), "run_id", runs.to_list(), {CONSUMED: newest})


def note_lateness(raw_log: RawLog, lakes: Lakes, newest: int) -> None:
    """Count how late the sessions came that were first seen by the runs since the last count.

    Counted from the staged rows, so that the result does not depend on how many rounds and runs staged them. `newest`:
    the load up to which they are staged.
    """
    runs = raw_log.readings(lakes.published.mark(LATENESS, CONSUMED))["as_of"].unique().sort()
    if runs.is_empty():
        return
    first_seen = (
        lakes.staging.scan_since(STAGED_SESSION, "first_read_at", runs[0])
        .filter(pl.col("first_read_at").is_in(runs.to_list()))
        .select("vendor", "scope", "session_id", "ended_at", "first_read_at")
        .collect()
    )
    if first_seen.height:
        fresh = lateness(first_seen, raw_log.readings())
        lakes.published.replace_rows(LATENESS, fresh, "as_of", runs.to_list(), {CONSUMED: newest})
