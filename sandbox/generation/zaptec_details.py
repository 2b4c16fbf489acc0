"""Zaptec's energy series within a session, in every form seen so far, and its signed readings."""

import random
from datetime import datetime, timedelta
from itertools import pairwise

import orjson

from sandbox.generation.visits import Visit

Details = list[dict[str, object]]


def energy_details(chance: random.Random, visit: Visit) -> Details:
    """The series of one session: a marker at the start, a point at every full hour, one at the end.

    Mostly energy per interval; sometimes cumulative, sometimes with a sum that is off by a little or a lot, sometimes
    with points outside the session, sometimes empty.
    """
    drawn = chance.random()
    if drawn < 0.04:
        return []
    ends = _interval_ends(visit)
    cumulative = [round(visit.energy_until(instant), 3) for instant in ends]
    cumulative[-1] = visit.energy_kwh
    values = [round(later - earlier, 3) for earlier, later in pairwise([0.0, *cumulative])]
    times = [visit.started_at, *ends]
    energies: list[float] = [0, *values]
    if drawn < 0.20:
        energies = [0, *cumulative]
    elif drawn < 0.27:
        energies = [round(energy * 0.9, 3) for energy in energies]
    elif drawn < 0.35:
        energies[-1] = round(energies[-1] + visit.energy_kwh * 0.003, 3)
    elif drawn < 0.42:
        times[0] -= timedelta(seconds=37)
        times[-1] += timedelta(seconds=95)
    return [
        {"timestamp": _offset_form(instant), "energy": energy} for instant, energy in zip(times, energies, strict=True)
    ]


def _interval_ends(visit: Visit) -> list[datetime]:
    """Every full hour inside the session, and its end."""
    ends: list[datetime] = []
    hour = visit.started_at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    while hour < visit.ended_at:
        ends.append(hour)
        hour += timedelta(hours=1)
    return [*ends, visit.ended_at]


def _offset_form(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")


def ocmf(visit: Visit, card: str) -> str:
    """Signed readings as OCMF text, including the card id, with a dummy signature."""
    readings = [
        {"TM": _ocmf_time(visit.started_at), "TX": "B", "RV": 1000.0, "RU": "kWh", "ST": "G"},
        {"TM": _ocmf_time(visit.ended_at), "TX": "E", "RV": 1000.0 + visit.energy_kwh, "RU": "kWh", "ST": "G"},
    ]
    content = {"FV": "1.0", "GI": "Sandbox", "IS": True, "IT": "ISO14443", "ID": card, "RD": readings}
    return f'OCMF|{orjson.dumps(content).decode()}|{{"SD":"00"}}'


def _ocmf_time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S,") + f"{instant.microsecond // 1000:03d}+00:00 R"
