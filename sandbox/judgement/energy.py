"""A session's energy by quarter-hour, exactly: cumulative energy is a piecewise linear function of time.

Its value at every quarter-hour boundary is rounded half up to a whole micro-kWh, and a slot holds the difference of two
neighbouring values. So the slots add up to the session's energy, whatever the shape of the function.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from sandbox.judgement.session import Session
from sandbox.readings import epoch_milliseconds, exact_number, instant_of_text

SLOT_MILLISECONDS = 15 * 60 * 1000
_GREATEST_FALL_KWH = Decimal("0.001")
_GREATEST_MISS_KWH = Decimal("0.01")
_GREATEST_MISS_SHARE = Decimal("0.01")


@dataclass(frozen=True)
class Slots:
    """Energy per quarter-hour: `first` is the start of the first slot in epoch milliseconds, energies in micro-kWh."""

    first: int
    micro_kwh: list[int | None]
    method: str


Points = list[tuple[int, Decimal]]
"""Cumulative energy in kWh at instants in epoch milliseconds, ordered by time; neither ever decreases."""


def micro(kwh: Decimal) -> int:
    """Energy in whole micro-kWh, rounded half up."""
    numerator, denominator = kwh.as_integer_ratio()
    return _half_up(numerator * 1_000_000, denominator)


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)


def slots(session: Session) -> Slots:
    """The quarter-hours of a closed, valid session: all that overlap it, or one for a session of zero length."""
    assert session.started_at is not None
    assert session.ended_at is not None
    start, end = epoch_milliseconds(session.started_at), epoch_milliseconds(session.ended_at)
    first = start // SLOT_MILLISECONDS * SLOT_MILLISECONDS
    count = max(1, -(-(end - first) // SLOT_MILLISECONDS))
    if session.energy_kwh is None:
        return Slots(first, [None] * count, "even")
    points = _usable_series(session, start, end)
    method = "even" if points is None else "metered"
    total = micro(session.energy_kwh)
    boundaries = range(first + SLOT_MILLISECONDS, first + count * SLOT_MILLISECONDS, SLOT_MILLISECONDS)
    values = [0, *_values(points or [(start, Decimal(0)), (end, Decimal(1))], boundaries, total), total]
    return Slots(first, [later - earlier for earlier, later in pairwise(values)], method)


def _values(points: Points, boundaries: range, total: int) -> list[int]:
    """Cumulative micro-kWh just before each boundary, with the series scaled to end at `total`.

    Energy of an interval of zero length belongs to the slot that begins with it: a boundary at the same instant does
    not count it yet.
    """
    digits = max(max(0, -int(kwh.as_tuple().exponent)) for _, kwh in points)
    exact = [(at, int(kwh.scaleb(digits))) for at, kwh in points]
    greatest = exact[-1][1]
    if greatest == 0:
        return [0 for _ in boundaries]
    values: list[int] = []
    index = 1
    for boundary in boundaries:
        while index < len(exact) and exact[index][0] < boundary:
            index += 1
        if index == len(exact):
            values.append(total)
            continue
        (before, low), (after, high) = exact[index - 1], exact[index]
        length = after - before
        reached = low * length + (high - low) * (boundary - before)
        values.append(_half_up(reached * total, greatest * length))
    return values


def _usable_series(session: Session, start: int, end: int) -> Points | None:
    """The vendor's series as cumulative energy within the session, or None if there is no reliable one."""
    assert session.energy_kwh is not None
    if session.vendor == "zaptec":
        steps = _zaptec_series(session)
    elif session.vendor == "greenflux":
        steps = _greenflux_series(session, end)
    else:
        return None
    if steps is None:
        return None
    points: Points = [(start, Decimal(0))]
    highest = Decimal(0)
    for at, kwh in steps:
        if highest - kwh > _GREATEST_FALL_KWH:
            return None
        highest = max(highest, kwh)
        points.append((min(max(at, start), end), highest))
    miss = abs(highest - session.energy_kwh)
    if miss > _GREATEST_MISS_KWH and miss > session.energy_kwh * _GREATEST_MISS_SHARE:
        return None
    if highest == 0 and session.energy_kwh > 0:
        return None
    return points


def _zaptec_series(session: Session) -> Points | None:
    """Zaptec's energyDetails as cumulative energy, in order of time.

    A point's time ends the interval that began at the previous point. The values are per interval if their sum is
    closer to the session's energy than the last value is; otherwise they are already cumulative.
    """
    details = session.payload.get("energyDetails")
    if not isinstance(details, list) or not details:
        return None
    points: Points = []
    for point in details:
        at, kwh = instant_of_text(point.get("timestamp")), exact_number(point.get("energy"))
        if at is None or kwh is None:
            return None
        points.append((epoch_milliseconds(at), kwh))
    points.sort(key=lambda point: point[0])
    assert session.energy_kwh is not None
    total, last = sum((kwh for _, kwh in points), Decimal(0)), points[-1][1]
    if abs(total - session.energy_kwh) < abs(last - session.energy_kwh):
        return _summed(points)
    return points


def _greenflux_series(session: Session, end: int) -> Points | None:
    """A CDR's ENERGY dimensions as cumulative energy: each spans from its period's start to the next period's start."""
    periods = session.payload.get("charging_periods")
    if not isinstance(periods, list):
        return None
    starts: Points = []
    metered = False
    for period in periods:
        at = instant_of_text(period.get("start_date_time"))
        if at is None:
            return None
        energy = Decimal(0)
        for dimension in period.get("dimensions") or []:
            if str(dimension.get("type")).upper() == "ENERGY":
                volume = exact_number(dimension.get("volume"))
                if volume is None:
                    return None
                energy += volume
                metered = True
        starts.append((epoch_milliseconds(at), energy))
    if not metered:
        return None
    starts.sort(key=lambda point: point[0])
    ends = [at for at, _ in starts[1:]] + [max(end, starts[-1][0])]
    return [(starts[0][0], Decimal(0)), *_summed([(at, kwh) for at, (_, kwh) in zip(ends, starts, strict=True)])]


def _summed(points: Points) -> Points:
    total = Decimal(0)
    summed: Points = []
    for at, kwh in points:
        total += kwh
        summed.append((at, total))
    return summed
