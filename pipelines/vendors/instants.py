"""Instants as the vendors write and read them, parsed to UTC and sent as UTC."""

import re
from datetime import UTC, datetime

_EPOCH_MILLISECONDS = re.compile(r"\d+(?:\.0*)?", re.ASCII)
_BLANK_BEFORE_ZONE = re.compile(r"\s+(?=[Zz+-])")


def iso_milliseconds(instant: datetime) -> str:
    """`2026-03-01T07:15:00.000Z`, which every vendor that takes ISO 8601 understands."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_milliseconds(instant: datetime) -> int:
    """Whole milliseconds since 1970."""
    return round(instant.timestamp() * 1000)


def parsed_instant(value: str | None) -> datetime | None:
    """An instant out of a vendor's object: ISO 8601 (without a zone: UTC) or epoch milliseconds; None if unreadable.

    Good enough to know where to begin reading; the transforms decide what a session's times are.
    """
    if value is None:
        return None
    text = value.strip()
    try:
        if _EPOCH_MILLISECONDS.fullmatch(text):
            return datetime.fromtimestamp(int(text.partition(".")[0]) / 1000, UTC)
        instant = datetime.fromisoformat(_BLANK_BEFORE_ZONE.sub("", text.upper()))
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
