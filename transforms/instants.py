"""The vendors' times into UTC instants, to the millisecond. What cannot be a time of a charging session is NULL."""

import polars as pl

INSTANT = pl.Datetime("us", "UTC")

# Epoch seconds read as milliseconds would fall into 1970; a year far ahead is a placeholder for "never".
_YEAR = r"(?:197[1-9]|19[89]\d|2[01]\d\d|2200)"
_YEAR_2201_MILLISECONDS = 7_289_654_400_000

# Separators and zones as met in the field: blank or T, comma or dot (OCMF), `Z`, +01:00, +0100, +01 (PostgreSQL), or
# none at all. Java leaves out seconds of 0.
_ISO_8601 = (
    rf"^\s*(?P<date>{_YEAR}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d)"
    r"(?::(?P<seconds>\d\d)(?:[.,](?P<fraction>\d{0,9}))?)?"
    r"\s*(?:[Zz]|(?P<sign>[+-])(?P<hours>0\d|1[0-4])(?::?(?P<minutes>[0-5]\d))?)?\s*$"
)
_EPOCH_MILLISECONDS = r"^\s*(\d{12,13})(?:\.0*)?\s*$"


def instant_from_iso(text: pl.Expr) -> pl.Expr:
    """UTC instant, cut to the millisecond, of ISO 8601 text; naive text means UTC (OCPI 2.1.1, Zaptec, Jedlix).

    With or without seconds and 0 to 9 fraction digits after a comma or a dot, with or without zone, which may be of
    hours only. NULL when not a time or outside 1971 to 2200.
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
    """UTC instant of milliseconds since 1970 in digits. NULL for anything else, and for what must be seconds."""
    milliseconds = text.str.extract(_EPOCH_MILLISECONDS).cast(pl.Int64)
    instant = pl.from_epoch(milliseconds, time_unit="ms").cast(INSTANT)
    return pl.when(milliseconds < _YEAR_2201_MILLISECONDS).then(instant)
