"""Splits the energy of sessions into quarter-hour slots.

Per session, cumulative energy is a piecewise linear function of time. Its value at every quarter-hour boundary is
rounded to whole micro-kWh; a slot's energy is the difference between the values at its two ends. So the slots of a
session add up to its energy exactly, and none is negative.
"""

from datetime import timedelta
from math import ceil

import polars as pl

from transforms.instants import INSTANT
from transforms.meter_series import metered_stretches
from transforms.micro_kwh import Integer, kwh, micro_kwh, share, share_fits_64_bits
from transforms.months import month_bounds, month_of
from warehouse.tables.facts import FactEnergy

_SLOT = timedelta(minutes=15)
_SLOT_MS = _SLOT // timedelta(milliseconds=1)
# Slots are numbered from 1970. These reach to the year 2255, beyond every instant that can be read.
_ALL_SLOTS = (0, 10_000_000)
_DESCRIBED_BY = ("vendor", "session_id", "station_id", "location_id")

_SESSIONS_AT_ONCE = 10_000
"""About a quarter of a million slots: they fit in the processor's cache and need little memory beside the result."""


def fact_energy(sessions: pl.DataFrame | pl.LazyFrame, time_zone: str, month: str | None = None) -> pl.DataFrame:
    """FactEnergy of the linked StagedSession rows that count, in the order of vendor, session_id, slot_start_at.

    A session has a row for each quarter-hour that overlaps [started_at, ended_at); one of zero length has the slot that
    contains its start. With `month`, only the slots of that month, at a cost that grows with those alone. Energy
    follows the meter series where that is usable (method metered), else it is spread evenly (method even).
    """
    slots_from, slots_to = _ALL_SLOTS if month is None else _slots_of_month(month, time_zone)
    chosen = (
        sessions.lazy()
        .filter(_may_have_slots_in(month, time_zone))
        .select(
            *_DESCRIBED_BY,
            "meter_series",
            "meter_series_kind",
            start_ms=pl.col("started_at").dt.epoch("ms"),
            end_ms=pl.col("ended_at").dt.epoch("ms"),
            energy_micro_kwh=micro_kwh(pl.col("energy_kwh")),
        )
        .with_columns(_session_slots(pl.col("start_ms"), pl.col("end_ms")))
        .sort("vendor", "session_id")
        .collect()
        # Picking rows from one contiguous chunk costs a fraction of picking them from several.
        .rechunk()
    )
    slot_start_at = (pl.col("slot") * (_SLOT // timedelta(microseconds=1))).cast(INSTANT)
    columns = {
        "vendor": pl.col("vendor"),
        "session_id": pl.col("session_id"),
        "slot_start_at": slot_start_at,
        "month": month_of(slot_start_at, time_zone) if month is None else pl.lit(month),
        "station_id": pl.col("station_id"),
        "location_id": pl.col("location_id"),
        "energy_kwh": kwh(pl.col("slot_micro_kwh")),
        "method": pl.when("is_metered").then(pl.lit("metered")).otherwise(pl.lit("even")),
    }
    parts = [
        _described_slots(some.with_row_index("session"), slots_from, slots_to).select(**columns)
        for some in chosen.iter_slices(_SESSIONS_AT_ONCE)
    ]
    return FactEnergy.cast(pl.concat([FactEnergy.create_empty(), *parts]))


def _may_have_slots_in(month: str | None, time_zone: str) -> pl.Expr:
    """Keeps every session needed and few others; simple enough for a scan to answer it from a file's statistics."""
    if month is None:
        return pl.lit(True)
    month_start, month_end = month_bounds(month, time_zone)
    # In some time zones the month ends inside a slot.
    return (pl.col("started_at") < month_end + _SLOT) & (pl.col("ended_at") >= month_start)


def _slots_of_month(month: str, time_zone: str) -> tuple[int, int]:
    """The slots that start in the month, as [from, to)."""
    # Rounded up: a slot inside which the month changes belongs to the month before.
    first, end = (ceil(bound.timestamp() * 1000 / _SLOT_MS) for bound in month_bounds(month, time_zone))
    return first, end


def _session_slots(start_ms: pl.Expr, end_ms: pl.Expr) -> list[pl.Expr]:
    """`first_slot` and `last_slot` that overlap [start, end); both the same slot where start equals end."""
    first_slot = start_ms // _SLOT_MS
    return [
        first_slot.alias("first_slot"),
        pl.max_horizontal(first_slot, (end_ms - 1) // _SLOT_MS).alias("last_slot"),
    ]


def _described_slots(sessions: pl.DataFrame, slots_from: int, slots_to: int) -> pl.DataFrame:
    """The columns of `_slots` and those that describe the session, in the order of sessions and time."""
    slots = _slots(_stretches(sessions), slots_from, slots_to)
    return slots.hstack(sessions.select(_DESCRIBED_BY)[slots.get_column("session")])


def _stretches(chosen: pl.DataFrame) -> pl.DataFrame:
    """The stretches of each session in which cumulative energy grows linearly, in time order.

    `first_end_held` to `last_end_held` are the slots that end in the stretch; in the session's last stretch they go up
    to its last slot. So each slot of a session is in exactly one stretch.
    """
    metered = metered_stretches(chosen)
    even = chosen.join(metered, on="session", how="anti").select(
        "session",
        stretch_start_ms="start_ms",
        stretch_end_ms="end_ms",
        metered_at_start=pl.lit(0, dtype=pl.Int64),
        metered_at_end=pl.lit(1, dtype=pl.Int64),
        metered_in_all=pl.lit(1, dtype=pl.Int64),
    )
    per_session = chosen.select("session", "first_slot", "last_slot", "energy_micro_kwh")
    return (
        pl.concat([metered.with_columns(is_metered=pl.lit(True)), even.with_columns(is_metered=pl.lit(False))])
        .sort("session", maintain_order=True)
        .join(per_session, on="session", how="left", maintain_order="left")
        .with_columns(
            first_end_held=pl.col("stretch_start_ms") // _SLOT_MS,
            last_end_held=pl.when(pl.col("session").is_last_distinct())
            .then("last_slot")
            .otherwise(pl.col("stretch_end_ms") // _SLOT_MS - 1),
        )
    )


def _slots(stretches: pl.DataFrame, slots_from: int, slots_to: int) -> pl.DataFrame:
    """session, slot, is_metered, slot_micro_kwh: the slots in [from, to)."""
    slot, energy = pl.col("slot"), pl.col("energy_micro_kwh")
    return (
        stretches.with_columns(
            slot=pl.int_ranges(
                # One slot early: its end is where the first wanted slot begins.
                pl.max_horizontal("first_end_held", pl.lit(slots_from - 1)),
                pl.min_horizontal("last_end_held", pl.lit(slots_to - 1)) + 1,
            )
        )
        # Dropped before `explode` would repeat them for every slot.
        .drop("first_end_held", "last_end_held")
        .explode("slot")
        .with_columns(
            # Exactly the session's energy at the end of the last slot, which may lie beyond the end of the session.
            until=pl.when(slot == pl.col("last_slot"))
            .then(energy)
            .otherwise(_micro_kwh_by_slot_end(_sufficient_integer(stretches)))
        )
        .select(
            "session",
            "slot",
            "is_metered",
            slot_micro_kwh=pl.col("until")
            - pl.when(slot == pl.col("first_slot")).then(0).otherwise(pl.col("until").shift()),
        )
        .filter(slot >= slots_from)
    )


def _micro_kwh_by_slot_end(integer: Integer) -> pl.Expr:
    """The session's energy up to the end of a slot that ends in the stretch, calculated in `integer`."""
    length = pl.col("stretch_end_ms") - pl.col("stretch_start_ms")
    elapsed = (pl.col("slot") + 1) * _SLOT_MS - pl.col("stretch_start_ms")
    metered_in_stretch = pl.col("metered_at_end") - pl.col("metered_at_start")
    # The metered energy up to there, times the stretch's length so that it stays a whole number.
    metered = pl.col("metered_at_start").cast(integer) * length + metered_in_stretch.cast(integer) * elapsed
    metered_in_all = pl.col("metered_in_all").cast(integer) * length
    return share(pl.col("energy_micro_kwh"), metered, metered_in_all, integer).fill_null(
        pl.when(pl.col("metered_in_all") == 0).then(0)
    )


def _sufficient_integer(stretches: pl.DataFrame) -> Integer:
    """The narrowest integer type that holds every intermediate result for these stretches.

    64 bits are enough for an evenly spread session of ordinary size, 128 for everything.
    """
    length = pl.col("stretch_end_ms") - pl.col("stretch_start_ms")
    metered_in_all = pl.col("metered_in_all").cast(pl.Int128) * length
    fits = stretches.select(share_fits_64_bits(pl.col("energy_micro_kwh"), metered_in_all).all()).item()
    return pl.Int64 if fits else pl.Int128
