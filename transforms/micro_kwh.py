"""Energy as whole millionths of a kWh: sums of integers are exact, sums of floats are not."""

from typing import TypeAlias

import polars as pl

ENERGY_KWH = pl.Decimal(14, 6)

Integer: TypeAlias = type[pl.Int64] | type[pl.Int128]

_GREATEST_IN_64_BITS = 2**63 - 1


def micro_kwh(energy_kwh: pl.Expr) -> pl.Expr:
    """kWh as Float64 into whole micro-kWh, half up. The one rounding that energy undergoes."""
    return (energy_kwh * 1_000_000 + 0.5).floor().cast(pl.Int64)


def kwh(energy_micro_kwh: pl.Expr) -> pl.Expr:
    """Whole micro-kWh into kWh as Decimal(14, 6), without rounding."""
    # A decimal is stored as its unscaled integer; with six decimal places that is the number of micro-kWh.
    return energy_micro_kwh.cast(pl.Int128).reinterpret(dtype=ENERGY_KWH)


def share(whole: pl.Expr, part: pl.Expr, parts: pl.Expr, integer: Integer = pl.Int128) -> pl.Expr:
    """whole * part / parts in whole numbers, half up; NULL where `parts` is 0. None of them may be negative.

    Calculated in 128 bits by default: 5 MWh over a month in milliseconds does not fit in 64. 64 bits take less than
    half the time, and are just as exact where `share_fits_64_bits` holds.
    """
    whole, part, parts = (number.cast(integer) for number in (whole, part, parts))
    return ((2 * whole * part + parts) // (2 * parts)).cast(pl.Int64)


def share_fits_64_bits(whole: pl.Expr, parts: pl.Expr) -> pl.Expr:
    """Whether `share` stays within 64 bits for every `part` from 0 to `parts`. NULL where an argument is NULL."""
    whole, parts = whole.cast(pl.Int128), parts.cast(pl.Int128)
    most = pl.max_horizontal((2 * whole + 1) * parts, 2 * parts)
    return most <= _GREATEST_IN_64_BITS
