"""Counts what the built months hold and how much of it is wrong, so that the checks need not read the facts."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import polars as pl

from pipelines.tables.lakes import MONTHLY_FACTS, NEWS, Lakes, partitions_of
from transforms.months import month_after, month_bounds, month_of, months_between
from transforms.quality import (
    SESSION_COLUMNS,
    Places,
    month_quality,
    places,
    repeated_sessions,
    slot_sums,
)
from transforms.touched import NO_MONTH
from warehouse.lake import Lake
from warehouse.snapshot import DataFile
from warehouse.tables import (
    FACT_ENERGY,
    FACT_SESSION,
    MONTH_QUALITY,
    REJECTED_SESSION,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
)
from warehouse.tables.table import Table

SLOTS_AT_ONCE = 1_500_000
"""Most quarter-hours of the months that are counted together, so that they fit in memory."""

PLACE_TABLES = {"stations": STAGED_CHARGE_STATION, "locations": STAGED_LOCATION}
"""The staged tables that sessions refer to. The NEWS of each at the last count is a mark with the name given here."""

COUNTED = "counted "
"""With a month appended, the mark of the files of the facts from which that month was counted."""

_SESSION = ["vendor", "session_id"]


def measure_months(lakes: Lakes, months: Collection[str], time_zone: str) -> int:
    """Count the months that were built, `none` among them, and those that depend on them. Returns the number of months.

    The latter are: months whose files have changed since they were counted, as after a run that was cut off; months
    whose sessions reach into one of these; months with a fault that a change elsewhere may have fixed. All are replaced
    in one commit; if there are none, the facts are not read.
    """
    published = lakes.published
    contents = {table: published.files(table) for table in MONTHLY_FACTS}
    prints = _fingerprints([file for files in contents.values() for file in files])
    news = {name: number for name, table in PLACE_TABLES.items() if (number := lakes.staging.mark(table, NEWS))}
    marks = published.marks(MONTH_QUALITY, [*news, *prints])
    known = published.scan(MONTH_QUALITY).collect()
    gone = {month for month in known["month"] if _mark_of(month) not in prints}
    others = {mark.removeprefix(COUNTED) for mark, number in prints.items() if marks.get(mark) != number}
    changed = {*months, *gone, *others}
    has_news = any(marks.get(name) != number for name, number in news.items())
    chosen = changed | _to_be_put_right(known, has_news)
    if not chosen:
        return 0
    chosen |= _reaching_into(changed, contents[FACT_SESSION], time_zone)
    shown = places(
        lakes.staging.scan(STAGED_CHARGE_STATION).collect(),
        lakes.staging.scan(STAGED_LOCATION).select("vendor", "location_id").collect(),
    )
    repeated = repeated_sessions(published.scan(FACT_SESSION))
    rejected = published.scan(REJECTED_SESSION, partitions_of(chosen)).select("month", "vendor").collect()
    rows = [
        _quality(published, stretch, repeated, rejected.filter(pl.col("month").is_in(stretch)), shown, time_zone)
        for stretch in _stretches(sorted(chosen - {NO_MONTH}), contents[FACT_ENERGY])
    ]
    rows.append(_without_month(rejected.filter(pl.col("month").is_null()), shown))
    counted = {mark: number for mark, number in prints.items() if mark.removeprefix(COUNTED) in chosen}
    published.replace_rows(MONTH_QUALITY, pl.concat(rows), "month", chosen, news | counted)
    return len(chosen)


def _mark_of(month: str | None) -> str:
    return f"{COUNTED}{month or NO_MONTH}"


def _fingerprints(files: Iterable[DataFile]) -> dict[str, int]:
    """For each month, by its mark, a number that changes when the month's files change."""
    names: dict[str, list[str]] = defaultdict(list)
    for file in files:
        names[_mark_of(file.month)].append(Path(file.path).name)
    return {
        mark: int.from_bytes(blake2b("/".join(sorted(each)).encode(), digest_size=7).digest())
        for mark, each in names.items()
    }


def _to_be_put_right(known: pl.DataFrame, has_news: bool) -> set[str]:
    """Months with a fault that a change in another month, or a station read since, may have fixed."""
    is_wrong = (pl.col("sessions_repeated") > 0) | (pl.col("sessions_slots_differ") > 0)
    if has_news:
        is_wrong |= (pl.col("sessions_without_station") > 0) | (pl.col("sessions_without_location") > 0)
    return set(known.filter(is_wrong).get_column("month"))


def _reaching_into(months: Collection[str], files: Sequence[DataFile], time_zone: str) -> set[str]:
    """The months with a session that ends in or after a later one of `months`, by the files' statistics."""
    begins = {month: month_bounds(month, time_zone)[0] for month in months if month != NO_MONTH}
    ends = [(file.month, file.latest.get("ended_at")) for file in files if file.month is not None]
    return {
        month
        for month, ended_at in ends
        if any(built > month and (ended_at is None or ended_at >= begin_at) for built, begin_at in begins.items())
    }


def _stretches(months: Sequence[str], slots: Sequence[DataFile]) -> Iterator[list[str]]:
    """Groups of consecutive months, each with as many as fit in memory together."""
    if not months:
        return
    counts: Counter[str | None] = Counter()
    for file in slots:
        counts[file.month] += file.rows
    stretch, size = [months[0]], counts[months[0]]
    for before, month in pairwise(months):
        rows = counts[month]
        if month != month_after(before) or size + rows > SLOTS_AT_ONCE:
            yield stretch
            stretch, size = [], 0
        stretch.append(month)
        size += rows
    yield stretch


def _quality(
    published: Lake,
    months: list[str],
    repeated: pl.DataFrame,
    rejected: pl.DataFrame,
    shown: Places,
    time_zone: str,
) -> pl.DataFrame:
    """The MonthQuality rows of consecutive months."""
    from_at, to_at = month_bounds(months[0], time_zone)[0], month_bounds(months[-1], time_zone)[1]
    sessions = published.scan(FACT_SESSION, months).select(SESSION_COLUMNS).collect()
    earlier = (
        published.scan_overlapping(FACT_SESSION, from_at, to_at)
        .filter(~pl.col("month").is_in(months))
        .select(SESSION_COLUMNS)
        .collect()
    )
    here = slot_sums(published.scan(FACT_ENERGY, months))
    sums = _with_later_slots(published, here, sessions, months[-1], to_at, time_zone)
    strays = here.join(pl.concat([sessions, earlier]), on=_SESSION, how="anti")
    return month_quality(sessions, earlier, sums, _slots_of(published, strays, months), repeated, rejected, shown)


def _with_later_slots(
    published: Lake, here: pl.DataFrame, sessions: pl.DataFrame, last: str, to_at: datetime, time_zone: str
) -> pl.DataFrame:
    """The slot sums of each session in these months, plus those of the same sessions in later months."""
    reaching = sessions.filter(pl.col("ended_at") > to_at)
    if reaching.is_empty():
        return here
    until: str = reaching.select(month_of(pl.col("ended_at").max(), time_zone)).item()
    later = published.scan(FACT_ENERGY, months_between(last, until)[1:])
    sums = slot_sums(later.join(reaching.lazy().select(_SESSION), on=_SESSION, how="semi"))
    both = pl.col("slots_micro_kwh")
    return pl.concat([here, sums]).group_by(_SESSION).agg(slots_micro_kwh=pl.when(both.count() > 0).then(both.sum()))


def _slots_of(published: Lake, strays: pl.DataFrame, months: list[str]) -> pl.DataFrame:
    columns = [*_SESSION, "month", "energy_kwh"]
    if strays.is_empty():
        return FACT_ENERGY.schema.create_empty().select(columns)
    slots = published.scan(FACT_ENERGY, months).select(columns)
    return slots.join(strays.lazy(), on=_SESSION, how="semi").collect()


def _without_month(rejected: pl.DataFrame, shown: Places) -> pl.DataFrame:
    """The MonthQuality rows for rejected sessions without a readable start."""

    def nothing(table: Table) -> pl.DataFrame:
        return table.schema.create_empty()

    return month_quality(
        nothing(FACT_SESSION),
        nothing(FACT_SESSION),
        slot_sums(nothing(FACT_ENERGY).lazy()),
        nothing(FACT_ENERGY),
        repeated_sessions(nothing(FACT_SESSION).lazy()),
        rejected,
        shown,
    )
