"""Turns a session's meter points into stretches of time with the energy at both ends.

Cumulative energy is a piecewise linear function of time: from 0 at started_at to the series' total at ended_at, with a
knot at every usable meter point. Energies are whole micro-kWh as the meter gave them; scaling them to the session's
energy is left to the one place that rounds. Times are whole milliseconds since 1970.
"""

import polars as pl

from transforms.micro_kwh import micro_kwh

# One watt-hour, the unit in which registers count: rounding alone may make a value fall by this much.
_GREATEST_FALL_MICRO_KWH = 1_000
# No vendor says how exactly a series adds up. A series that misses the session's energy by more than both of these
# belongs to another session, or is not understood; a smaller miss is scaled away.
_GREATEST_MISS_MICRO_KWH = 10_000
_GREATEST_MISS_PER_CENT = 1
# Far above any session, while the sum of millions of points stays below what 64 bits hold.
_GREATEST_POINT_KWH = 1_000_000.0


def metered_stretches(sessions: pl.DataFrame) -> pl.DataFrame:
    """The stretches of every session whose meter series is usable; the other sessions are left out.

    `sessions`: session (a row number), start_ms, end_ms, energy_micro_kwh, meter_series, meter_series_kind. Columns:
    session, stretch_start_ms, stretch_end_ms, metered_at_start, metered_at_end, metered_in_all (micro-kWh by the
    meter), in time order within each session, from its start to its end without a gap. A stretch of zero length is a
    jump in energy.
    """
    points = _cumulative(_points(sessions))
    total, energy = pl.col("cumulative").last().over("session"), pl.col("energy_micro_kwh")
    miss = (total - energy).abs()
    is_missed = (miss > energy * _GREATEST_MISS_PER_CENT // 100) & (miss > _GREATEST_MISS_MICRO_KWH)
    knots = (
        # A series without energy can only be scaled to a session without energy.
        points.filter(((total > 0) | (energy == 0)) & ~is_missed).with_columns(
            metered_in_all=total,
            # A point outside the session has a wrong clock: it still says how much, but not when.
            at_ms=pl.col("at_ms").clip("start_ms", "end_ms"),
        )
    )
    up_to_points = knots.select(
        "session",
        stretch_start_ms=_point_before("at_ms", pl.col("start_ms")),
        stretch_end_ms="at_ms",
        metered_at_start=_point_before("cumulative", pl.lit(0)),
        metered_at_end="cumulative",
        metered_in_all="metered_in_all",
    )
    after_last_point = knots.unique("session", keep="last", maintain_order=True).select(
        "session",
        stretch_start_ms="at_ms",
        stretch_end_ms="end_ms",
        metered_at_start="cumulative",
        metered_at_end="cumulative",
        metered_in_all="metered_in_all",
    )
    # The stretches after the last points are appended, and the stable sort keeps each the last of its session.
    return pl.concat([up_to_points, after_last_point]).sort("session", maintain_order=True)


def _points(sessions: pl.DataFrame) -> pl.DataFrame:
    """The points of those sessions whose points are all readable, in time order; `value` in micro-kWh."""
    energy_kwh = pl.col("meter_series").struct.field("energy_kwh")
    points = (
        sessions.filter(pl.col("energy_micro_kwh").is_not_null() & (pl.col("meter_series").list.len() > 0))
        .explode("meter_series")
        .select(
            "session",
            "start_ms",
            "end_ms",
            "energy_micro_kwh",
            "meter_series_kind",
            at_ms=pl.col("meter_series").struct.field("at").dt.epoch("ms"),
            value=micro_kwh(pl.when(energy_kwh.abs() <= _GREATEST_POINT_KWH).then(energy_kwh)),
        )
    )
    is_readable = pl.col("at_ms").is_not_null() & pl.col("value").is_not_null()
    return points.filter(is_readable.all().over("session")).sort("session", "at_ms", maintain_order=True)


def _cumulative(points: pl.DataFrame) -> pl.DataFrame:
    """`cumulative` energy at each point, never falling; sessions whose energy falls by more than noise are left out.

    Zaptec's details may be energy per interval or cumulative. Each session is read in the way that comes closer to its
    energy, and as cumulative on a tie (a single point is the same either way).
    """
    summed = pl.col("value").cum_sum().over("session")
    energy = pl.col("energy_micro_kwh")
    sum_is_closer = (pl.col("value").sum() - energy.first()).abs() < (pl.col("value").last() - energy.first()).abs()
    is_interval = (pl.col("meter_series_kind") == "interval") | sum_is_closer.over("session")
    given = pl.when(is_interval).then(summed).otherwise("value")
    return (
        points.with_columns(given=given)
        .with_columns(cumulative=pl.col("given").cum_max().over("session").clip(lower_bound=0))
        # Measured from the highest value so far: many small falls add up to a large one.
        .filter((pl.col("cumulative") - pl.col("given") <= _GREATEST_FALL_MICRO_KWH).all().over("session"))
    )


def _point_before(column: str, first: pl.Expr) -> pl.Expr:
    """The column's value at the session's previous point; `first` at its first point. Needs rows ordered by session."""
    is_first = pl.col("session").ne_missing(pl.col("session").shift())
    return pl.when(is_first).then(first).otherwise(pl.col(column).shift())
