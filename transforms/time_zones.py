"""IANA time zones as vendors name them."""

from zoneinfo import available_timezones

import polars as pl

_KNOWN = sorted(available_timezones())


def iana_time_zone(name: pl.Expr) -> pl.Expr:
    """The name where it is a time zone of the IANA database, else NULL (Windows names, offsets, nonsense)."""
    return pl.when(name.is_in(_KNOWN)).then(name)
