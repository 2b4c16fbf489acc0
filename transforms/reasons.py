"""Why a session cannot count: one word, the first that applies."""

import polars as pl

from transforms.micro_kwh import micro_kwh

REASONS = ("void", "replaced", "negative_energy", "ends_before_start", "implausible_energy", "unreadable")

# Five MWh and one megawatt are more than any vehicle takes in one session: anything above is a meter fault.
_GREATEST_ENERGY_KWH = 5_000.0
# The greatest average power: one megawatt, as whole micro-kWh per whole milliseconds.
_MEGAWATT_MICRO_KWH, _MEGAWATT_MILLISECONDS = 5_000, 18
# Below a minute the clocks' own error dominates the average.
_SHORTEST_JUDGED_SECONDS = 60.0


def seconds_between(start: pl.Expr, end: pl.Expr) -> pl.Expr:
    """Seconds from one instant to another, to the millisecond."""
    return ((end - start).dt.total_milliseconds() / 1000).round(3)


def first_reason(*, is_void: pl.Expr, is_replaced: pl.Expr, is_closed: pl.Expr, is_unreadable: pl.Expr) -> pl.Expr:
    """The first of REASONS that applies to a row with `started_at`, `ended_at` and `energy_kwh`; NULL if none does.

    Energy and end are judged on closed sessions only: those of a running one are not final.
    """
    energy_kwh = pl.col("energy_kwh")
    seconds = seconds_between(pl.col("started_at"), pl.col("ended_at"))
    # In whole numbers: as floats, exactly one megawatt could come out above or below the limit by the last bit.
    milliseconds = (pl.col("ended_at") - pl.col("started_at")).dt.total_milliseconds()
    energy_micro_kwh = micro_kwh(energy_kwh.clip(0, _GREATEST_ENERGY_KWH))
    exceeds_power = (seconds >= _SHORTEST_JUDGED_SECONDS) & (
        energy_micro_kwh * _MEGAWATT_MILLISECONDS > milliseconds * _MEGAWATT_MICRO_KWH
    )
    return (
        pl.when(is_void)
        .then(pl.lit("void"))
        .when(is_replaced)
        .then(pl.lit("replaced"))
        .when(is_closed & (energy_kwh < 0))
        .then(pl.lit("negative_energy"))
        .when(is_closed & (seconds < 0))
        .then(pl.lit("ends_before_start"))
        .when(is_closed & ((energy_kwh > _GREATEST_ENERGY_KWH) | exceeds_power))
        .then(pl.lit("implausible_energy"))
        .when(is_unreadable)
        .then(pl.lit("unreadable"))
    )
