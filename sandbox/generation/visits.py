"""How people charge: commuters by day, cars at home by night, depots, fast chargers, and the odd ones."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Habit:
    """A way to charge: arrival between two local hours, stay in hours, need in kWh, possible charger powers in kW."""

    name: str
    arrival: tuple[float, float]
    stay: tuple[float, float]
    need: tuple[float, float]
    powers: tuple[float, ...]
    weekdays_only: bool = False


COMMUTER = Habit("commuter", (6.5, 10.0), (4.0, 9.8), (6.0, 40.0), (3.7, 7.4, 11.0), weekdays_only=True)
NIGHT = Habit("night", (16.5, 22.5), (7.0, 14.0), (4.0, 52.0), (3.7, 7.4, 11.0))
DEPOT = Habit("depot", (17.0, 21.0), (8.0, 12.5), (25.0, 95.0), (11.0, 22.0))
FAST = Habit("fast", (6.0, 22.0), (0.2, 0.9), (8.0, 75.0), (50.0, 150.0))
SHOPPING = Habit("shopping", (9.0, 19.0), (0.3, 2.5), (1.0, 20.0), (11.0, 22.0))
NOISE = Habit("noise", (7.0, 22.0), (0.02, 0.1), (0.0, 0.4), (7.4,))
AIRPORT = Habit("airport", (4.0, 20.0), (30.0, 480.0), (20.0, 70.0), (11.0,))


@dataclass(frozen=True)
class Visit:
    """One stay at a charger, to the millisecond: charging from `started_at` at `power_kw` until the need is met."""

    started_at: datetime
    ended_at: datetime
    energy_kwh: float
    power_kw: float
    number: int

    @property
    def charged_until(self) -> datetime:
        """When the car was full, or left."""
        return min(self.ended_at, self.started_at + timedelta(hours=self.energy_kwh / self.power_kw))

    def energy_until(self, instant: datetime) -> float:
        """Energy in kWh delivered from the start up to `instant`."""
        hours = (instant - self.started_at).total_seconds() / 3600
        return max(0.0, min(self.energy_kwh, hours * self.power_kw))


def visits(
    chance: random.Random,
    habits: dict[Habit, float],
    zone: ZoneInfo,
    begins_at: datetime,
    populated_until: datetime,
    count: int,
    continues_days: int,
) -> Iterator[Visit]:
    """About `count` visits that begin between two instants, and more at the same daily rate for `continues_days` after.

    `habits` gives each habit's weight. Every visit gets a number, which decides whether and how it is invalid.
    """
    days = max(1, (populated_until - begins_at) // timedelta(days=1))
    per_day = count / days
    names, weights = list(habits), list(habits.values())
    number = 0
    owed = 0.0
    for day in range(days + continues_days):
        owed += per_day
        while owed >= 1:
            owed -= 1
            habit = chance.choices(names, weights)[0]
            yield _visit(chance, habit, zone, (begins_at + timedelta(days=day)).date(), begins_at, number)
            number += 1


def _visit(chance: random.Random, habit: Habit, zone: ZoneInfo, day: date, begins_at: datetime, number: int) -> Visit:
    if habit.weekdays_only and day.weekday() >= 5:
        day += timedelta(days=2)
    hour = chance.uniform(*habit.arrival)
    local = datetime.combine(day, time.min, zone) + timedelta(milliseconds=int(hour * 3_600_000))
    started_at = max(local.astimezone(begins_at.tzinfo), begins_at)
    ended_at = started_at + timedelta(milliseconds=int(chance.uniform(*habit.stay) * 3_600_000))
    power = chance.choice(habit.powers)
    hours = (ended_at - started_at).total_seconds() / 3600
    energy = round(min(chance.uniform(*habit.need), 0.97 * power * hours), 3)
    if number % 71 == 5:
        ended_at, energy = started_at, 0.0
    return Visit(started_at, ended_at, energy, power, number)
