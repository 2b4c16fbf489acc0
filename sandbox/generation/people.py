"""Invented people and their cards, and the towns where they charge; e-mail addresses end in example.org."""

import random
import uuid
from dataclasses import dataclass
from zoneinfo import ZoneInfo

_FIRST_NAMES = ("Ada", "Bo", "Cleo", "Dag", "Eef", "Finn", "Gro", "Hans", "Ine", "Jip", "Kari", "Lars", "Mees", "Noor")
_LAST_NAMES = ("Invented", "Fictional", "Sample", "Placeholder", "Specimen", "Imaginary", "Pretend", "Madeup")


@dataclass(frozen=True)
class Person:
    """Somebody who charges."""

    identity: str
    first_name: str
    last_name: str
    email: str
    card: str


@dataclass(frozen=True)
class Town:
    """A town: its country code in two and three letters, its time zone under both names, its coordinates in degrees."""

    name: str
    alpha_2: str
    alpha_3: str
    iana_zone: str
    windows_zone: str
    latitude: float
    longitude: float

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.iana_zone)


TOWNS = (
    Town("Utrecht", "NL", "NLD", "Europe/Amsterdam", "W. Europe Standard Time", 52.0907, 5.1214),
    Town("Oslo", "NO", "NOR", "Europe/Oslo", "W. Europe Standard Time", 59.9139, 10.7522),
    Town("Gent", "BE", "BEL", "Europe/Brussels", "Romance Standard Time", 51.0543, 3.7174),
    Town("Bremen", "DE", "DEU", "Europe/Berlin", "W. Europe Standard Time", 53.0793, 8.8017),
    Town("Malmö", "SE", "SWE", "Europe/Stockholm", "W. Europe Standard Time", 55.605, 13.0038),
    Town("Leeds", "GB", "GBR", "Europe/London", "GMT Standard Time", 53.8008, -1.5491),
)


def identity(chance: random.Random) -> str:
    """A random version 4 UUID."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def card(chance: random.Random) -> str:
    """The uid of a charging card."""
    return f"{chance.getrandbits(32):08X}"


def people(chance: random.Random, count: int, vendor: str) -> list[Person]:
    """`count` persons known to one vendor."""
    return [
        Person(
            identity(chance),
            chance.choice(_FIRST_NAMES),
            chance.choice(_LAST_NAMES),
            f"{vendor}.driver{number}@example.org",
            card(chance),
        )
        for number in range(1, count + 1)
    ]
