"""The specification of a world."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Brief:
    """The arguments of a world: sessions per vendor between two instants, and how many days it continues afterwards.

    `very_late` is the share of late rows and corrections that come only 20 to 60 days after the end of their session.
    There are as many sites, stations and drivers as fit `fleet_sessions` in a few months; by default `sessions`.
    """

    seed: int
    begins_at: datetime
    populated_until: datetime
    sessions: int
    continues_days: int
    very_late: float
    fleet_sessions: int | None = None

    @property
    def fleet(self) -> int:
        """The number of sessions that determines how many sites, stations and drivers there are."""
        return self.sessions if self.fleet_sessions is None else self.fleet_sessions

    @property
    def ends_at(self) -> datetime:
        """The instant after which the world has no new sessions."""
        return self.populated_until + timedelta(days=self.continues_days)

    def chance(self, vendor: str) -> random.Random:
        """The vendor's own random generator, so that no vendor's world depends on another's."""
        return random.Random(f"{self.seed}-{vendor}")

    def instant(self, chance: random.Random) -> datetime:
        """A random whole second within the lifetime of the world."""
        return self.begins_at + timedelta(
            seconds=int((self.ends_at - self.begins_at).total_seconds() * chance.random())
        )

    def correction_at(self, chance: random.Random, ended_at: datetime) -> datetime:
        """When a late row or a correction of a session becomes visible: within 6 days of its end, or very late."""
        if chance.random() < self.very_late:
            return ended_at + timedelta(seconds=int(chance.uniform(20, 60) * 86_400))
        return ended_at + timedelta(seconds=int(chance.uniform(0.05, 5.8) * 86_400))


def iso(instant: datetime, digits: int = 3) -> str:
    """ISO 8601 in UTC with `Z` and 0 or 3 fraction digits."""
    text = instant.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{instant.microsecond // 1000:03d}Z" if digits else f"{text}Z"
