"""Jedlix's part of a world: users, their cars and homes, and sessions that are already listed while they run.

Jedlix derives times from telemetry, so they lag by minutes. Users and vehicles have no modification time; locations do.
"""

import random
from datetime import datetime, timedelta

from sandbox.generation.brief import Brief, iso
from sandbox.generation.oddities import oddity, spoiled
from sandbox.generation.people import TOWNS, Person, identity, people
from sandbox.generation.visits import AIRPORT, NIGHT, NOISE, SHOPPING, Visit, visits
from sandbox.timeline import Payload
from sandbox.world import World

_HABITS = {NIGHT: 6.0, SHOPPING: 1.5, NOISE: 0.5, AIRPORT: 0.2}
_CARS = (("Renault", "Zoe"), ("Tesla", "Model 3"), ("Kia", "e-Niro"), ("Volkswagen", "ID.3"), ("Volvo", "EX30"))


class _Driver:
    """A user with their car and home."""

    def __init__(self, chance: random.Random, person: Person) -> None:
        self.user = person.identity
        self.vehicle = identity(chance)
        self.location = identity(chance)


def populate(world: World, brief: Brief) -> None:
    """Adds Jedlix's users, vehicles, charging locations and sessions to `world`."""
    chance = brief.chance("jedlix")
    drivers: list[_Driver] = []
    for person in people(chance, max(3, brief.fleet // 60), "jedlix"):
        driver = _Driver(chance, person)
        joined_at = brief.begins_at - timedelta(
            days=chance.randrange(1, 400), milliseconds=chance.randrange(86_400_000)
        )
        _show_user(world, person, joined_at)
        _show_vehicle(world, brief, chance, driver, joined_at)
        _show_location(world, brief, chance, driver, joined_at)
        drivers.append(driver)
    zone = TOWNS[0].zone
    for visit in visits(
        chance, _HABITS, zone, brief.begins_at, brief.populated_until, brief.sessions, brief.continues_days
    ):
        _show_session(world, brief, chance, visit, chance.choice(drivers))


def _show_user(world: World, person: Person, joined_at: datetime) -> None:
    payload: Payload = {
        "id": person.identity,
        "createdAt": iso(joined_at),
        "email": person.email,
        "firstName": person.first_name,
        "lastName": person.last_name,
        "locale": "nl",
    }
    world.show("jedlix", "users", person.identity, payload, joined_at)


def _show_vehicle(world: World, brief: Brief, chance: random.Random, driver: _Driver, joined_at: datetime) -> None:
    brand, model = chance.choice(_CARS)
    payload: Payload = {
        "id": driver.vehicle,
        "userId": driver.user,
        "createdAt": iso(joined_at),
        "details": {"brand": brand, "model": model, "version": None},
        "isConnected": True,
        "isConnectable": True,
        "capabilities": ["chargeState", "startStopCharging"],
        "chargeState": None,
    }
    world.show("jedlix", "vehicles", driver.vehicle, payload, joined_at)
    upgraded = chance.random() < 0.5
    for number, at in enumerate(sorted(brief.instant(chance) for _ in range(4))):
        level = chance.randrange(10, 100)
        state = {"batteryLevel": level, "range": level * 4, "chargeState": "Charging", "updatedAt": iso(at)}
        version = "2" if upgraded and number >= 1 else None
        payload = {**payload, "chargeState": state, "details": {"brand": brand, "model": model, "version": version}}
        world.show("jedlix", "vehicles", driver.vehicle, payload, at)


def _show_location(world: World, brief: Brief, chance: random.Random, driver: _Driver, joined_at: datetime) -> None:
    town = TOWNS[chance.randrange(0, 3)]
    payload: Payload = {
        "id": driver.location,
        "userId": driver.user,
        "coordinates": {
            "latitude": round(town.latitude + chance.uniform(-0.08, 0.08), 6),
            "longitude": round(town.longitude + chance.uniform(-0.08, 0.08), 6),
        },
        "address": {
            "street": "Voorbeeldkade",
            "postalCode": "1234 ZZ",
            "houseNumber": f"{chance.randrange(1, 300)}-bis",
            "city": town.name,
            "region": None,
            "country": town.alpha_2,
            "area": None,
        },
        "createdAt": iso(joined_at),
        "updatedAt": iso(joined_at),
    }
    world.show("jedlix", "charging_locations", driver.location, payload, joined_at)
    if chance.random() < 0.4:
        moved_at = brief.instant(chance)
        moved = {
            **payload,
            "address": {**payload["address"], "city": f"{town.name}-Noord"},
            "coordinates": {
                "latitude": round(town.latitude + 0.125, 6),
                "longitude": payload["coordinates"]["longitude"],
            },
            "updatedAt": iso(moved_at),
        }
        world.show("jedlix", "charging_locations", driver.location, moved, moved_at)


def _show_session(world: World, brief: Brief, chance: random.Random, visit: Visit, driver: _Driver) -> None:
    kind = oddity(visit)
    visit = spoiled(visit, kind)
    session = identity(chance)
    battery = chance.randrange(8, 60)
    payload: Payload = {
        "id": session,
        "userId": driver.user,
        "vehicleId": driver.vehicle,
        "chargingLocationId": driver.location if chance.random() < 0.85 else None,
        "isManaged": chance.random() < 0.7,
        "status": "Active",
        "calibrationState": "InProgress",
        "startTime": iso(visit.started_at),
        "endTime": None,
        "energyCharged": None,
        "startBatteryLevel": battery,
        "endBatteryLevel": None,
    }
    if kind == "no_start":
        payload["startTime"] = None
    elif kind == "unparseable_start":
        payload["startTime"] = "n/a"
    elif kind is None:
        world.show("jedlix", "sessions", session, payload, visit.started_at + _lag(chance))
    closed = {
        **payload,
        "status": _status(chance, visit),
        "calibrationState": None,
        "endTime": iso(visit.ended_at),
        "energyCharged": "n/a" if kind == "unparseable_energy" else visit.energy_kwh,
        "endBatteryLevel": min(100, battery + int(abs(visit.energy_kwh))),
    }
    # Never shown before the open version, however short the session was.
    closed_at = max(visit.started_at, visit.ended_at) + timedelta(minutes=10) + _lag(chance)
    _show_closed(world, brief, chance, visit, closed, closed_at)


def _show_closed(
    world: World, brief: Brief, chance: random.Random, visit: Visit, closed: Payload, closed_at: datetime
) -> None:
    drawn = chance.random()
    later = max(closed_at, brief.correction_at(chance, visit.ended_at))
    if drawn < 0.04:
        unknown = {**closed, "energyCharged": None}
        world.show("jedlix", "sessions", closed["id"], unknown, closed_at)
        if drawn < 0.02:
            world.show("jedlix", "sessions", closed["id"], closed, later)
        return
    world.show("jedlix", "sessions", closed["id"], closed, closed_at)
    if drawn < 0.07 and isinstance(closed["energyCharged"], float) and closed["energyCharged"] > 0:
        recalculated = {**closed, "energyCharged": round(closed["energyCharged"] * 0.97, 2)}
        world.show("jedlix", "sessions", closed["id"], recalculated, later)


def _lag(chance: random.Random) -> timedelta:
    """Telemetry is pulled every few minutes."""
    return timedelta(seconds=chance.randrange(20, 540))


def _status(chance: random.Random, visit: Visit) -> str:
    if visit.number % 97 == 13:
        return "Paused"
    drawn = chance.random()
    return "Complete" if drawn < 0.85 else "ForceEnded" if drawn < 0.97 else "Active"
