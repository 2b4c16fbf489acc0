"""Parses the vendors' times into UTC instants, to the millisecond; NULL for what cannot be the time of a session."""

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

# Epoch seconds read as milliseconds would fall into 1970; a year far ahead is a placeholder for "never".
_YEAR = "(?:197[1-9]|19[89][0-9]|2[01][0-9][0-9]|2200)"
_YEAR_2201_MILLISECONDS = 7_289_654_400_000

# Separators and zones as met in the field: blank or T, comma or dot (OCMF), `Z`, +01:00, +0100, +01 (PostgreSQL), or
# none at all. Java leaves out seconds of 0.
# Not `\d`, which means the digits of every script.
_ISO_8601 = (
    rf"^\s*(?P<date>{_YEAR}-[0-9]{{2}}-[0-9]{{2}})[Tt ](?P<time>[0-9]{{2}}:[0-9]{{2}})"
    r"(?::(?P<seconds>[0-9]{2})(?:[.,](?P<fraction>[0-9]{0,9}))?)?"
    r"\s*(?:[Zz]|(?P<sign>[+-])(?P<hours>0[0-9]|1[0-4])(?::?(?P<minutes>[0-5][0-9]))?)?\s*$"
)
_EPOCH_MILLISECONDS = r"^\s*([0-9]{12,13})(?:\.0*)?\s*$"


def instant_from_iso(text: pl.Expr) -> pl.Expr:
    """UTC instant, truncated to the millisecond, of ISO 8601 text; naive text means UTC (OCPI 2.1.1, Zaptec, Jedlix).

    Seconds, their fraction (0 to 9 digits after a comma or a dot) and the zone are optional; the zone may have hours
    only. NULL when not a time or outside 1971 to 2200.
    """
    local = (pl.field("date") + "T" + pl.field("time") + ":" + pl.field("seconds").fill_null("00")).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S", time_unit="us", time_zone="UTC", strict=False
    )
    milliseconds = pl.field("fraction").fill_null("").str.pad_end(3, "0").str.slice(0, 3).cast(pl.Int64)
    minutes_from_utc = pl.field("hours").cast(pl.Int64) * 60 + pl.field("minutes").fill_null("0").cast(pl.Int64)
    minutes_ahead = pl.when(pl.field("sign") == "-").then(-minutes_from_utc).otherwise(minutes_from_utc).fill_null(0)
    instant = local + pl.duration(milliseconds=milliseconds) - pl.duration(minutes=minutes_ahead)
    return text.str.extract_groups(_ISO_8601).struct.with_fields(instant=instant).struct.field("instant")


def instant_from_epoch_milliseconds(text: pl.Expr) -> pl.Expr:
    """UTC instant of text with milliseconds since 1970. NULL for anything else, and for values that must be seconds."""
    milliseconds = text.str.extract(_EPOCH_MILLISECONDS).cast(pl.Int64)
    instant = pl.from_epoch(milliseconds, time_unit="ms").cast(INSTANT)
    return pl.when(milliseconds < _YEAR_2201_MILLISECONDS).then(instant)
