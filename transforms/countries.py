"""Converts country codes into ISO 3166-1 alpha-2."""

import polars as pl
import pycountry

_ALPHA_2_BY_CODE: dict[str, str] = {
    code: country.alpha_2 for country in pycountry.countries for code in (country.alpha_2, country.alpha_3)
}


def country_alpha_2(code: pl.Expr) -> pl.Expr:
    """ISO 3166-1 alpha-2 code of an alpha-3 or alpha-2 code in any case. NULL for a code that ISO does not know."""
    return (
        code.str.strip_chars().str.to_uppercase().replace_strict(_ALPHA_2_BY_CODE, default=None, return_dtype=pl.String)
    )
