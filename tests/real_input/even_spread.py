"""In which months the energy of a session falls if it is spread evenly from its start to its end, exactly."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.real_input.sources import RealSession


def micro_kwh(energy_kwh: Decimal) -> int:
    """Whole millionths of a kWh, half up."""
    return int((energy_kwh * 1_000_000).to_integral_value(ROUND_HALF_UP))


def month_of(instant: datetime, zone: ZoneInfo) -> str:
    """YYYY-MM of an instant on the clock of `zone`."""
    return f"{instant.astimezone(zone):%Y-%m}"


def micro_kwh_by_month(session: RealSession, zone: ZoneInfo) -> dict[str, Fraction]:
    """The millionths of a kWh that fall into each month the session touches."""
    if session.ended_at is None:
        raise ValueError("a session without an end cannot be spread")
    energy = micro_kwh(session.energy_kwh)
    if session.ended_at == session.started_at:
        return {month_of(session.started_at, zone): Fraction(energy)}
    length = _milliseconds(session.ended_at - session.started_at)
    return {
        month_of(begin, zone): Fraction(energy * _milliseconds(end - begin), length)
        for begin, end in _stretches(session.started_at, session.ended_at, zone)
    }


def _stretches(started_at: datetime, ended_at: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """[started_at, ended_at) cut where months begin."""
    begin = started_at
    while begin < ended_at:
        local = begin.astimezone(zone)
        year, month = (local.year + 1, 1) if local.month == 12 else (local.year, local.month + 1)
        end = min(ended_at, datetime(year, month, 1, tzinfo=zone).astimezone(UTC))
        yield begin, end
        begin = end


def _milliseconds(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
