"""Smappee's part of a world: parks, and sessions that are in the list of open sessions until the instant they end.

Times are epoch milliseconds. The serial number is text or a number; energy is a number, text or absent.
"""

import random
from datetime import datetime, timedelta
from itertools import chain, count

from sandbox.generation.brief import Brief
from sandbox.generation.oddities import oddity, spoiled
from sandbox.generation.people import TOWNS, Person, people
from sandbox.generation.sites import site_count
from sandbox.generation.visits import AIRPORT, COMMUTER, DEPOT, NIGHT, NOISE, Visit, visits
from sandbox.readings import epoch_milliseconds
from sandbox.timeline import Payload
from sandbox.world import World

_HABITS = {COMMUTER: 4.0, DEPOT: 2.0, NIGHT: 1.0, NOISE: 0.4, AIRPORT: 0.5}
_ODDITIES = (
    "negative_energy",
    "falling_reading",
    "ends_before_start",
    "over_5_mwh",
    "over_1_mw",
    "unparseable_energy",
    "no_end",
)
Occupied = dict[tuple[int, int], list[tuple[datetime, datetime]]]
"""When somebody is plugged in, by charger and connector."""

_OPEN_STATUSES = ("INITIAL", "STARTED", "CHARGING", "SUSPENDED", "STOPPING")


def populate(world: World, brief: Brief) -> None:
    """Adds Smappee's service locations and park sessions to `world`."""
    chance = brief.chance("smappee")
    parks = [1200 + number for number in range(1, site_count(brief.fleet) + 1)]
    for park in parks:
        _show_park(world, brief, park)
    chargers = [(park, 5_820_000_000 + park * 100 + number) for park in parks for number in range(4)]
    drivers = people(chance, max(3, brief.fleet // 40), "smappee")
    registers = {serial: round(chance.uniform(10, 4000), 2) for _, serial in chargers}
    occupied: Occupied = {}
    for visit in visits(
        chance, _HABITS, TOWNS[2].zone, brief.begins_at, brief.populated_until, brief.sessions, brief.continues_days
    ):
        park, serial = chance.choice(chargers)
        _show_session(world, chance, visit, park, serial, occupied, registers, chance.choice(drivers))


def _show_park(world: World, brief: Brief, park: int) -> None:
    payload: Payload = {
        "serviceLocationId": park,
        "serviceLocationUuid": f"00000000-0000-4000-8000-{park:012d}",
        "name": f"Invented park {park}",
        "deviceSerialNumber": None,
    }
    world.show("smappee", "service_locations", str(park), payload, brief.begins_at - timedelta(days=365))


def _show_session(
    world: World,
    chance: random.Random,
    visit: Visit,
    park: int,
    serial: int,
    occupied: Occupied,
    registers: dict[int, float],
    driver: Person,
) -> None:
    planned = visit
    kind = oddity(visit, _ODDITIES)
    visit = spoiled(visit, kind)
    number = 40_000 + len(world.shelf("smappee", "sessions").timelines)
    reading = registers[serial]
    payload: Payload = {
        "id": number,
        "serialNumber": serial if chance.random() < 0.5 else str(serial),
        "connector": _free_connector(occupied, serial, chance.choice((1, 2)), planned),
        "authenticationType": "RFID",
        "csmsTransactionId": "",
        "from": epoch_milliseconds(visit.started_at),
        "status": chance.choice(_OPEN_STATUSES),
        "suspendedByUser": False,
        "smartMode": "NORMAL",
        "priority": 100,
        "minimumExcessPercentage": 0,
        "maxAmperes": [16, 16, 16],
        "range": 100,
        "duration": 2,
        "startReading": reading,
    }
    if chance.random() < 0.8:
        payload["rfid"] = driver.card
    if chance.random() < 0.5:
        payload["userId"] = int(driver.card[:4], 16)
    if visit.ended_at > visit.started_at:
        _show_open(world, chance, visit, payload, park)
    closed = _closed(chance, visit, payload, kind, reading)
    if kind is None:
        registers[serial] = round(reading + visit.energy_kwh, 2)
    shown_from = max(visit.started_at, visit.ended_at)
    world.show("smappee", "sessions", str(number), closed, shown_from, str(park))


def _free_connector(occupied: Occupied, serial: int, wanted: int, visit: Visit) -> int:
    """The wanted connector of the charger if it is free during the visit, else the first one that is."""
    for connector in chain([wanted], count(1)):
        stays = occupied.setdefault((serial, connector), [])
        if all(visit.ended_at <= begun or ended <= visit.started_at for begun, ended in stays):
            stays.append((visit.started_at, visit.ended_at))
            return connector
    raise AssertionError("unreachable: connectors are counted without an end")


def _show_open(world: World, chance: random.Random, visit: Visit, payload: Payload, park: int) -> None:
    identity = str(payload["id"])
    world.show("smappee", "sessions", identity, payload, visit.started_at, str(park))
    middle: datetime = visit.started_at + (visit.ended_at - visit.started_at) // 2
    middle = middle.replace(microsecond=0)
    if chance.random() < 0.3 and middle > visit.started_at:
        suspended = {**payload, "status": "SUSPENDED"}
        world.show("smappee", "sessions", identity, suspended, middle, str(park))


def _closed(chance: random.Random, visit: Visit, payload: Payload, kind: str | None, reading: float) -> Payload:
    closed = {
        **payload,
        "to": epoch_milliseconds(visit.ended_at),
        "status": "STOPPED",
        "stopReading": round(reading + visit.energy_kwh, 2),
    }
    drawn = chance.random()
    if kind == "falling_reading":
        closed["stopReading"] = round(reading - 0.5, 2)
    elif kind == "unparseable_energy":
        closed["energy"] = "n/a"
    elif kind == "no_end":
        del closed["to"]
    elif drawn < 0.6:
        closed["energy"] = visit.energy_kwh
    elif drawn < 0.7:
        closed["energy"] = f"{visit.energy_kwh:.3f}"
    return closed
