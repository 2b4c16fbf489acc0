"""Counts what each month of the facts holds, and how much of it violates what a reader takes for granted.

A session is identified by vendor and session_id, a connector by vendor, station_id and connector_id.
"""

from dataclasses import dataclass

import polars as pl

from transforms.micro_kwh import kwh
from transforms.touched import NO_MONTH
from warehouse.tables.operations import MonthQuality

SESSION_COLUMNS = (
    "vendor",
    "session_id",
    "month",
    "started_at",
    "ended_at",
    "energy_kwh",
    "status",
    "station_id",
    "connector_id",
    "location_id",
)
"""The columns of a session that the counts need."""

_SESSION = ["vendor", "session_id"]
_STATION = ["vendor", "station_id"]
_LOCATION = ["vendor", "location_id"]
_CONNECTOR = ["vendor", "station_id", "connector_id"]
_MONTH = ["month", "vendor"]


@dataclass(frozen=True)
class Places:
    """The stations, locations and connectors that the vendors have shown, each once.

    `stations`: vendor, station_id. `locations`: vendor, location_id. `connectors`: vendor, station_id, connector_id and
    `evses`, the number of the station's EVSEs that have a connector with that id, which is unique only inside an EVSE.
    """

    stations: pl.DataFrame
    locations: pl.DataFrame
    connectors: pl.DataFrame


def places(stations: pl.DataFrame, locations: pl.DataFrame) -> Places:
    """The places of all StagedChargeStation and StagedLocation rows."""
    connector = pl.col("connectors").struct
    connectors = (
        stations.explode("connectors")
        .group_by("vendor", "station_id", connector_id=connector.field("connector_id"))
        .agg(evses=connector.field("evse_uid").n_unique().cast(pl.Int64))
    )
    return Places(stations.select(_STATION).unique(), locations.select(_LOCATION).unique(), connectors)


def repeated_sessions(sessions: pl.LazyFrame) -> pl.DataFrame:
    """The sessions that appear more than once: vendor, session_id. Holds only eight bytes per session in memory."""
    hashed = sessions.select(*_SESSION, hash=pl.col("vendor").hash() ^ pl.col("session_id").hash())
    hashes = hashed.select("hash").collect().to_series()
    suspected = hashes.filter(hashes.is_duplicated()).unique()
    if suspected.is_empty():
        return pl.DataFrame(schema=dict.fromkeys(_SESSION, pl.String))
    return (
        hashed.filter(pl.col("hash").is_in(suspected.implode()))
        .group_by(_SESSION)
        .len()
        .filter(pl.col("len") > 1)
        .select(_SESSION)
        .collect()
    )


def slot_sums(slots: pl.LazyFrame) -> pl.DataFrame:
    """vendor, session_id and slots_micro_kwh of FactEnergy rows, one row per session; NULL where no slot has energy."""
    energy = pl.col("slot_micro_kwh")
    return (
        slots.select(*_SESSION, slot_micro_kwh=_unscaled(pl.col("energy_kwh")))
        .group_by(_SESSION)
        .agg(slots_micro_kwh=pl.when(energy.count() > 0).then(energy.sum()))
        .collect()
    )


def sessions_on_connectors_in_use(sessions: pl.DataFrame, connectors: pl.DataFrame) -> pl.DataFrame:
    """The sessions that begin before an earlier session on the same connector has ended: vendor, session_id.

    Of two sessions the earlier one begins first, or has the smaller session_id if they begin together. A session that
    ends as another begins does not overlap it, and one of zero length never blocks another. Where several EVSEs of a
    station have a connector with the same id, as many may run at once. One without station or connector is not judged.
    """
    placed = _on_suspected_connectors(sessions)
    takes_time = pl.col("ended_at") > pl.col("started_at")
    begins = placed.select(
        *_CONNECTOR, "session_id", at="started_at", is_begin=pl.lit(True), change=takes_time.cast(pl.Int64)
    )
    ends = placed.filter(takes_time).select(
        *_CONNECTOR, "session_id", at="ended_at", is_begin=pl.lit(False), change=pl.lit(-1, dtype=pl.Int64)
    )
    return (
        pl.concat([begins, ends])
        .sort(*_CONNECTOR, "at", "is_begin", "session_id")
        # Every begin on a connector has its end, so the running sum is back at 0 where the next connector begins.
        .with_columns(running=pl.col("change").cum_sum() - pl.col("change"))
        .filter("is_begin")
        .join(connectors, on=_CONNECTOR, how="left")
        .filter(pl.col("running") >= pl.col("evses").fill_null(1))
        .select(_SESSION)
    )


def month_quality(
    sessions: pl.DataFrame,
    earlier: pl.DataFrame,
    slots: pl.DataFrame,
    stray_slots: pl.DataFrame,
    repeated: pl.DataFrame,
    rejected: pl.DataFrame,
    known: Places,
) -> pl.DataFrame:
    """One row per month and vendor, matching MonthQuality, for the months of `sessions`, `stray_slots` and `rejected`.

    `sessions`: all FactSession rows of these months. `earlier`: those of other months that reach into these, used for
    overlaps only. `slots`: the slot_sums of the sessions, over all months. `stray_slots`: vendor, session_id, month and
    energy_kwh of slots in a month that their session does not reach. `repeated`: the keys of repeated_sessions.
    `rejected`: month (NULL where there is none) and vendor of each RejectedSession row.
    """
    charging = pl.concat([earlier.select(SESSION_COLUMNS), sessions.select(SESSION_COLUMNS)])
    # A session that appears twice would overlap itself.
    once = charging.join(repeated, on=_SESSION, how="anti")
    in_use = sessions_on_connectors_in_use(once, known.connectors)
    energy, sums = pl.col("micro_kwh"), pl.col("slots_micro_kwh")
    differs = energy.ne_missing(sums)
    measured = (
        sessions.select(SESSION_COLUMNS)
        .with_columns(micro_kwh=_unscaled(pl.col("energy_kwh")))
        .join(slots, on=_SESSION, how="left")
        .join(_flagged(repeated, "is_repeated"), on=_SESSION, how="left")
        .join(_flagged(in_use, "is_in_use"), on=_SESSION, how="left")
        .join(_flagged(known.stations, "has_station"), on=_STATION, how="left")
        .join(_flagged(known.locations, "has_location"), on=_LOCATION, how="left")
        .group_by(_MONTH)
        .agg(
            sessions=pl.len().cast(pl.Int64),
            energy=energy.sum(),
            newest_end_at=pl.col("ended_at").max(),
            sessions_repeated=pl.col("session_id").filter("is_repeated").n_unique().cast(pl.Int64),
            sessions_slots_differ=_count(differs),
            slots_difference=(energy.fill_null(0) - sums.fill_null(0)).abs().sum(),
            sessions_overlapping=_count(pl.col("is_in_use")),
            sessions_without_station=_count(pl.col("has_station").is_null()),
            sessions_without_location=_count(pl.col("has_location").is_null()),
            sessions_naming_no_location=_count(pl.col("location_id").is_null()),
            sessions_unknown_status=_count(pl.col("status") == "unknown"),
        )
    )
    strays = stray_slots.group_by(_MONTH).agg(
        sessions_stray=pl.col("session_id").n_unique().cast(pl.Int64),
        stray=_unscaled(pl.col("energy_kwh")).sum(),
    )
    rejections = (
        rejected.with_columns(pl.col("month").fill_null(NO_MONTH))
        .group_by(_MONTH)
        .agg(rejected=pl.len().cast(pl.Int64))
    )
    every = pl.concat([measured.select(_MONTH), strays.select(_MONTH), rejections.select(_MONTH)]).unique()
    joined = (
        every.join(measured, on=_MONTH, how="left")
        .join(strays, on=_MONTH, how="left")
        .join(rejections, on=_MONTH, how="left")
        .with_columns(pl.col(pl.Int64).fill_null(0))
        .with_columns(
            energy_kwh=kwh(pl.col("energy")),
            sessions_slots_differ=pl.col("sessions_slots_differ") + pl.col("sessions_stray"),
            slots_difference_kwh=kwh(pl.col("slots_difference") + pl.col("stray")),
        )
    )
    return MonthQuality.cast(joined.select(MonthQuality.column_names())).sort(_MONTH)


def _on_suspected_connectors(sessions: pl.DataFrame) -> pl.DataFrame:
    """The sessions on connectors where any two may overlap, and few others: sorting numbers is cheap, sorting ids not.

    If any two sessions overlap, so do two of which one is the next to begin after the other.
    """
    begins, before = pl.col("started_at"), pl.all().shift()
    placed = sessions.filter(pl.col("station_id").is_not_null() & pl.col("connector_id").is_not_null()).with_columns(
        place=pl.struct(_CONNECTOR).hash()
    )
    suspected = (
        placed.select("place", "started_at", "ended_at")
        .sort("place", "started_at")
        .with_columns(before.name.suffix("_before"))
        .filter(
            pl.col("place") == pl.col("place_before"),
            (begins < pl.col("ended_at_before")) | (begins == pl.col("started_at_before")),
        )
    )
    return placed.join(suspected.select("place").unique(), on="place", how="semi")


def _unscaled(energy_kwh: pl.Expr) -> pl.Expr:
    """kWh as Decimal(14, 6) into whole micro-kWh: the integer as which a decimal is stored."""
    return energy_kwh.to_physical().cast(pl.Int64)


def _flagged(keys: pl.DataFrame, name: str) -> pl.DataFrame:
    return keys.with_columns(pl.lit(True).alias(name))


def _count(condition: pl.Expr) -> pl.Expr:
    return condition.sum().cast(pl.Int64)
