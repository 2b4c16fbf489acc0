"""From the raw log to the staged tables: types the rows of new loads, and notes the months of the facts they touch.

Each staged table records the last load it has consumed in the commit that adds the rows. The touched months and the
audit are written before that commit: a run that is cut off in between finds the loads still pending and repeats the
work, with the same result."""

import secrets
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from pipelines.raw.raw_log import RawLog
from pipelines.tables.bookkeeping import note_lateness, note_received, note_touched, note_vocabulary
from pipelines.tables.lakes import CONSUMED, MONTHLY_FACTS, NEWS, TIME_ZONE, Lakes
from transforms.lateness import late_sessions
from transforms.latest import classify_receipts, winning_versions
from transforms.months import month_batches
from transforms.sessions import IS_RUNNING
from transforms.stations import station_links, station_locations, with_linked_station, with_station
from transforms.touched import NO_MONTH, NOTHING_TOUCHED, touched_by_backfills, touched_by_sessions
from transforms.vendors import STAGINGS
from transforms.versions import distinct_versions
from transforms.vocabulary import SEEN, seen_words
from warehouse.durable_files import discard, remove_discarded
from warehouse.errors import LakeError
from warehouse.lake import Lake
from warehouse.tables import (
    LOAD_AUDIT,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
    STAGED_SESSION,
    STAGED_USER,
    STAGED_VEHICLE,
)
from warehouse.tables.table import Table

ROWS_AT_ONCE = 20_000
"""Objects that are decoded at once: their payloads take many times the memory of the resulting rows."""

ROWS_IN_A_ROUND = 100_000
"""Sessions staged before they are written, in whole loads, so that a first load of millions fits in memory."""

ROWS_WRITTEN_AT_ONCE = 50_000
"""Rows of a round written at once, in whole months: the known rows of a month are in memory beside the new ones."""

DIMENSION_KEYS = {
    STAGED_LOCATION: "location_id",
    STAGED_CHARGE_STATION: "station_id",
    STAGED_VEHICLE: "vehicle_id",
    STAGED_USER: "user_id",
}
"""The column that identifies an object in each staged dimension, together with the vendor."""

VERSION_COLUMNS = ("version_at", "is_clocked", "read_at", "requested_at")
"""The columns that tell which version of an object a row is; the others are the object's attributes."""

NEWS_BITS = 62
"""Bits of the random number that stands for a change: a mark is a signed 64-bit integer."""

_RECEIPT = ["run_id", "vendor", "endpoint", "scope", "load_number"]


@dataclass(frozen=True)
class _Intake:
    """The input that a staged table has yet to take in: the rows to write, and the outcome of every received row.

    `receipts`: run_id, vendor, endpoint, scope, load_number, outcome (new, changed, unchanged), is_rejected.
    `months`: for a partitioned table, the partitions in which a row is replaced or added. `are_moved`: some rows move
    from one month to another. `words`: status words that no transform knows, in the columns of SEEN.
    """

    table: Table
    rows: pl.DataFrame
    receipts: pl.DataFrame
    months: frozenset[str | None] = frozenset()
    are_moved: bool = False
    words: pl.DataFrame = field(default_factory=SEEN.to_frame)


@dataclass(frozen=True)
class StagingOutcome:
    """Rows received by staged table, and the months of the facts that they touch."""

    rows_received: dict[str, int]
    touched_months: tuple[str, ...]


def discard_staged(lakes: Lakes) -> None:
    """Discard the staged tables, so that the next staging takes in the whole raw log again."""
    discard(lakes.staging.root)


def refuse_other_time_zone(lakes: Lakes, time_zone: str) -> None:
    """For callers that build without staging first. Raises LakeError if the months of the staged sessions begin in
    another time zone: the months of the facts would not fit together."""
    if _is_other_time_zone(lakes, time_zone):
        raise LakeError(
            f"the months of what is staged do not begin in {time_zone}, which is CHARGEHOUSE_TIME_ZONE here: restart "
            "the daemon and the web UI after changing it, and run `chargehouse refresh`"
        )


def _is_other_time_zone(lakes: Lakes, time_zone: str) -> bool:
    return lakes.staging.mark(STAGED_SESSION, TIME_ZONE) not in (None, _zone_number(time_zone))


def _zone_number(time_zone: str) -> int:
    """A number that stands for the time zone: a mark is a number."""
    return zlib.crc32(time_zone.encode())


def stage(
    raw_log: RawLog,
    lakes: Lakes,
    time_zone: str,
    as_of: datetime,
    run_id: str,
    rebuilt_months: Collection[str] | None = None,
    on_stage: Callable[[str], None] = lambda text: None,
) -> StagingOutcome:
    """Take in every load that a staged table has not consumed; all loads if the time zone of the months has changed, or
    if the load audit is lost.

    The caller holds the lock of the lake. Files of older versions of the staged tables are removed.

    `rebuilt_months`: touch exactly these months of the facts, whatever the loads touch. `on_stage` is called with the
    reason if all loads are taken in again.
    """
    remove_discarded(lakes.staging.root)
    newest = raw_log.newest_load()
    if newest is None:
        return StagingOutcome({}, ())
    raw_log = raw_log.until(newest)
    if _is_other_time_zone(lakes, time_zone):
        on_stage(f"the time zone of the months has changed to {time_zone}: rebuilding everything from the raw log")
        discard_staged(lakes)
    elif _is_audit_lost(lakes):
        on_stage("the load audit is lost or incomplete: rebuilding everything from the raw log")
        discard_staged(lakes)
    # Months that were built from staged tables that are now gone may have no session left that would touch them.
    stale = [] if lakes.staging.exists(STAGED_SESSION) else _built_months(lakes)
    received: Counter[str] = Counter()
    months: set[str] = set()
    for last in _rounds(raw_log, lakes.staging.mark(STAGED_SESSION, CONSUMED), newest):
        log = raw_log.until(last)
        intakes, touched = _taken_in(log, lakes, time_zone)
        unaudited = log.readings(lakes.published.mark(LOAD_AUDIT, CONSUMED))
        if rebuilt_months is not None:
            touched = _to_rebuild(rebuilt_months)
        else:
            asked_again = touched_by_backfills(unaudited, time_zone)
            touched = pl.concat([touched, _to_rebuild(stale), asked_again])
        note_touched(touched, lakes.published, as_of, run_id)
        note_vocabulary(log, [intake.words for intake in intakes], lakes.published)
        note_received(unaudited, [intake.receipts for intake in intakes], lakes.published, last)
        for intake in intakes:
            _write(intake, lakes.staging, {CONSUMED: last}, _zone_number(time_zone))
        received.update({intake.table.name: intake.receipts.height for intake in intakes})
        months.update(touched["month"])
    note_lateness(raw_log, lakes, newest)
    for table in (STAGED_SESSION, *DIMENSION_KEYS):
        # Every reader needs the lock that the caller holds, so nobody can be reading an older version.
        lakes.staging.tidy(table, retention_hours=0)
    return StagingOutcome(dict(received), tuple(sorted(months - {NO_MONTH})))


def _rounds(raw_log: RawLog, after: int | None, newest: int) -> Iterator[int]:
    """The last load of each round, in order, so that the sessions of a round fit in memory."""
    rows: Counter[int] = Counter()
    for (vendor, endpoint), staging in STAGINGS.items():
        if staging.table == STAGED_SESSION:
            for file in raw_log.files(f"{vendor}_{endpoint}", after):
                rows[file.load_number] += file.row_count()
    taken = 0
    for load_number in sorted(rows):
        if taken and taken + rows[load_number] > ROWS_IN_A_ROUND:
            yield load_number - 1
            taken = 0
        taken += rows[load_number]
    yield newest


def _taken_in(raw_log: RawLog, lakes: Lakes, time_zone: str) -> tuple[list[_Intake], pl.DataFrame]:
    """The intakes of what the staged tables have not consumed of the log, and the months of the facts they touch."""
    dimensions = [intake for table in DIMENSION_KEYS if (intake := _dimension(table, raw_log, lakes, time_zone))]
    sessions, touched = _sessions(raw_log, lakes, time_zone)
    relinked = _months_relinked(dimensions, lakes, time_zone)
    return [*dimensions, *([sessions] if sessions else [])], pl.concat([touched, relinked])


def _write(intake: _Intake, staging: Lake, marks: Mapping[str, int], zone_number: int) -> None:
    news = {NEWS: secrets.randbits(NEWS_BITS)} if intake.rows.height else {}
    if not intake.table.partitioned_by_month:
        staging.append(intake.table, intake.rows, {**marks, **news})
        return
    batches = _batches(intake, staging)
    for batch in batches:
        kept = staging.scan(intake.table, batch).collect().join(intake.rows, on=["vendor", "session_id"], how="anti")
        added = intake.rows.filter(pl.col("month").is_in(batch, nulls_equal=True))
        frame = pl.concat([kept, added]).sort("month", "vendor", "started_at", "session_id")
        vouched = marks if batch is batches[-1] else {}
        staging.replace_months(intake.table, frame, batch, {**vouched, **news, TIME_ZONE: zone_number})


def _batches(intake: _Intake, staging: Lake) -> list[list[str | None]]:
    """The months to write, in groups that fit in memory together.

    If a run is cut off between two groups, the next one finds the load still pending and writes the finished months
    again, unchanged. A session that moved to another month would be in both: then all months are one group.
    """
    months = sorted(intake.months, key=lambda month: month or "")
    if intake.are_moved or not months:
        return [months]
    rows = Counter(staging.row_counts(intake.table)) + Counter(intake.rows["month"].to_list())
    return month_batches(months, rows, ROWS_WRITTEN_AT_ONCE)


def _is_audit_lost(lakes: Lakes) -> bool:
    """Whether a staged table has consumed more loads than the audit covers, which only a lost lake explains."""
    audited = lakes.published.mark(LOAD_AUDIT, CONSUMED) or 0
    return any((lakes.staging.mark(table, CONSUMED) or 0) > audited for table in (STAGED_SESSION, *DIMENSION_KEYS))


def _built_months(lakes: Lakes) -> list[str]:
    """The months in which any fact has rows, in order; `none` for sessions without a month."""
    partitions = {month for table in MONTHLY_FACTS for month in lakes.published.row_counts(table)}
    return sorted(NO_MONTH if month is None else month for month in partitions)


def _to_rebuild(months: Collection[str]) -> pl.DataFrame:
    return pl.DataFrame([(month, "rebuild") for month in months], schema=NOTHING_TOUCHED.schema, orient="row")


def _pending(
    table: Table, raw_log: RawLog, lakes: Lakes, time_zone: str
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The raw rows that the table has not consumed, in pieces, without payload; each piece with its staged frame."""
    after = lakes.staging.mark(table, CONSUMED)
    for (vendor, endpoint), staging in STAGINGS.items():
        if staging.table != table:
            continue
        for file in raw_log.files(f"{vendor}_{endpoint}", after):
            for raw in file.batches(ROWS_AT_ONCE):
                received = raw.drop("payload", "signed_readings").with_columns(load_number=pl.lit(file.load_number))
                yield received, staging.stage(raw, time_zone)


def _dimension(table: Table, raw_log: RawLog, lakes: Lakes, time_zone: str) -> _Intake | None:
    key = DIMENSION_KEYS[table]
    pieces = list(_pending(table, raw_log, lakes, time_zone))
    if not pieces:
        return None
    known = lakes.staging.scan(table).collect()
    attributes = [name for name in known.columns if name not in ("vendor", key, *VERSION_COLUMNS)]
    received = pl.concat([staged for _, staged in pieces])
    fresh = distinct_versions(known, received, ["vendor", key], attributes)
    rows = pl.concat([raw.select(*_RECEIPT, pl.col("object_id").alias(key), "requested_at") for raw, _ in pieces])
    receipts = _with_outcome(rows, known, fresh, key).select(
        *_RECEIPT, "outcome", pl.col(key).is_null().alias("is_rejected")
    )
    return _Intake(table, fresh, receipts)


def _with_outcome(rows: pl.DataFrame, known: pl.DataFrame, fresh: pl.DataFrame, key: str) -> pl.DataFrame:
    """The received rows of a dimension with `outcome`. Of an object's rows in one answer as many are `new` or `changed`
    as there are `fresh` versions among them; the others are `unchanged`."""
    on = ["vendor", key, "requested_at"]
    nth = pl.int_range(pl.len()).over(on).alias("nth")
    objects = known.select("vendor", key, is_known=pl.lit(True)).unique()
    is_new = pl.col("is_known").is_null() & (pl.int_range(pl.len()).over("vendor", key) == 0)
    versions = (
        fresh.sort("requested_at", maintain_order=True)
        .join(objects, on=["vendor", key], how="left", maintain_order="left")
        .select(*on, nth, pl.when(is_new).then(pl.lit("new")).otherwise(pl.lit("changed")).alias("outcome"))
    )
    outcomes = rows.with_columns(nth).join(versions, on=[*on, "nth"], how="left", maintain_order="left")
    return outcomes.with_columns(pl.col("outcome").fill_null("unchanged"))


def _sessions(raw_log: RawLog, lakes: Lakes, time_zone: str) -> tuple[_Intake | None, pl.DataFrame]:
    """The sessions received since, merged with the known versions, and the months of the facts that change."""
    pieces = list(_pending(STAGED_SESSION, raw_log, lakes, time_zone))
    if not pieces:
        return None, NOTHING_TOUCHED
    received = pl.concat([staged for _, staged in pieces])
    rows = pl.concat([raw.select(*_RECEIPT, "position") for raw, _ in pieces])
    known = _known_versions(received, lakes)
    winners = winning_versions(pl.concat([known, received]))
    # The location may come from the scope, which is not part of the content. A session that is still running is written
    # again even if nothing changed: it was seen running once more.
    is_same = ["vendor", "session_id", "content_hash", "location_id"]
    running = winners.filter(IS_RUNNING).join(known, on=is_same, how="semi", nulls_equal=True)
    changed = pl.concat([winners.join(known, on=is_same, how="anti", nulls_equal=True), running])
    was = known.join(changed, on=["vendor", "session_id"], how="semi")

    receipts = classify_receipts(
        known.select("vendor", pl.col("session_id").alias("object_id"), "content_hash"),
        pl.concat(
            [
                rows.drop("vendor"),
                received.select("vendor", "content_hash", "requested_at", "reason", object_id="session_id"),
            ],
            how="horizontal",
        ),
    ).select(*_RECEIPT, "outcome", pl.col("reason").is_not_null().alias("is_rejected"))
    first_seen = changed.join(known, on=["vendor", "session_id"], how="anti")
    moved = was.join(changed, on=["vendor", "session_id", "month"], how="anti", nulls_equal=True)
    intake = _Intake(
        STAGED_SESSION,
        changed,
        receipts,
        months=frozenset([*changed["month"].unique(), *was["month"].unique()]),
        are_moved=not moved.is_empty(),
        words=pl.concat([seen_words(raw, staged) for raw, staged in pieces]),
    )
    late = late_sessions(first_seen, raw_log.readings()) if first_seen.height else None
    return intake, touched_by_sessions(was, changed, time_zone, late)


def _known_versions(received: pl.DataFrame, lakes: Lakes) -> pl.DataFrame:
    """The staged rows of the received sessions. Their months are found by key, so that only those are read whole."""
    keys = received.select("vendor", "session_id").unique()
    scan = lakes.staging.scan(STAGED_SESSION)
    months = scan.select("vendor", "session_id", "month").join(keys.lazy(), on=["vendor", "session_id"], how="semi")
    found = set(months.select("month").unique().collect()["month"])
    if not found:
        return STAGED_SESSION.schema.create_empty()
    return (
        lakes.staging.scan(STAGED_SESSION, found).join(keys.lazy(), on=["vendor", "session_id"], how="semi").collect()
    )


def _months_relinked(dimensions: Iterable[_Intake], lakes: Lakes, time_zone: str) -> pl.DataFrame:
    """Months of sessions whose station or location becomes known, or changes, through newly read charge stations."""
    fresh = [each.rows for each in dimensions if each.table == STAGED_CHARGE_STATION and each.rows.height]
    if not fresh:
        return NOTHING_TOUCHED
    known = lakes.staging.scan(STAGED_CHARGE_STATION).collect()
    after = pl.concat([known, *fresh])
    links, locations = station_links(after), station_locations(after)
    old_links, old_locations = station_links(known), station_locations(known)
    new_links, new_locations = _changes(old_links, links), _changes(old_locations, locations)
    sessions = lakes.staging.scan(STAGED_SESSION).filter(~IS_RUNNING)
    # A session without a location gets that of its station, which may itself be known only through the EVSE.
    unlocated = with_linked_station(sessions.filter(pl.col("location_id").is_null()), links.lazy())
    at_moved_stations = unlocated.join(new_locations.lazy(), on=["vendor", "station_id"], how="semi").collect()
    was, will_be = (with_station(at_moved_stations, links, each)["location_id"] for each in (old_locations, locations))
    relinked = pl.concat(
        [
            sessions.join(new_links.lazy(), on=["vendor", "evse_uid"], how="semi").collect(),
            at_moved_stations.filter(was.ne_missing(will_be)),
        ]
    )
    touched = touched_by_sessions(relinked.clear(), relinked, time_zone)
    return touched.with_columns(pl.lit("station").alias("reason"))


def _changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    return after.join(before, on=before.columns, how="anti", nulls_equal=True)
