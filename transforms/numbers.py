"""Numbers out of text."""

import polars as pl


def finite_number(text: pl.Expr) -> pl.Expr:
    """The number that the text holds, as Float64. NULL for text that is no number, for NaN and for infinities."""
    number = text.str.strip_chars().cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)
