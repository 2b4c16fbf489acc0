"""Exact parsing of the vendors' times and numbers: instants to the millisecond, numbers as Decimal."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

_INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?",
)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
# Epoch seconds read as milliseconds give 1970, and a year far in the future means "never".
_YEARS_OF_CHARGING = range(1971, 2201)


def instant_of_text(value: object) -> datetime | None:
    """An ISO 8601 instant in UTC, truncated to the millisecond; without a zone it is UTC (OCPI 2.1.1, types: DateTime).

    None for anything else.
    """
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    milliseconds = int((fraction or "0").ljust(3, "0")[:3])
    try:
        instant = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), milliseconds * 1000, tzinfo=UTC
        )
        return _plausible(instant - _offset(zone))
    except (ValueError, OverflowError):
        return None


def _plausible(instant: datetime) -> datetime | None:
    return instant if instant.year in _YEARS_OF_CHARGING else None


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone in "Zz":
        return timedelta(0)
    digits = zone[1:].replace(":", "")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or "0"))
    return size if zone[0] == "+" else -size


def instant_of_epoch_milliseconds(value: object) -> datetime | None:
    """An instant given as epoch milliseconds, as a number or as text. None for anything else."""
    number = exact_number(value)
    if number is None or number != number.to_integral_value():
        return None
    try:
        return _plausible(_EPOCH + int(number) * _MILLISECOND)
    except OverflowError:
        return None


def epoch_milliseconds(instant: datetime) -> int:
    """Whole milliseconds since 1970-01-01T00:00:00Z."""
    return (instant - _EPOCH) // _MILLISECOND


def exact_number(value: object) -> Decimal | None:
    """A finite number given as a JSON number or as text, with the digits as written. None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    written = str(value).strip()
    return Decimal(written) if _NUMBER.fullmatch(written) else None


def text(value: object) -> str | None:
    """An id or a word as text, whether the vendor writes it as text or as a number. None if there is none."""
    if value is None or isinstance(value, (dict, list, bool)):
        return None
    return str(value) or None
