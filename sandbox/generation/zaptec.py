"""Zaptec's part of a world: installations, chargers, and sessions that are archived only once they have ended.

Offline chargers upload days late. A correction voids a session and points to the one that replaces it, sometimes in a
chain. A recalculation changes the energy and leaves no trace. One `Charger` is one charge point.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sandbox.generation.brief import Brief, iso
from sandbox.generation.oddities import oddity, spoiled
from sandbox.generation.people import TOWNS, Person, Town, identity, people
from sandbox.generation.sites import site_count
from sandbox.generation.visits import AIRPORT, COMMUTER, DEPOT, NIGHT, NOISE, Visit, visits
from sandbox.generation.zaptec_details import energy_details, ocmf
from sandbox.timeline import Payload
from sandbox.world import World

_HABITS = {COMMUTER: 4.0, NIGHT: 3.0, DEPOT: 1.5, NOISE: 0.6, AIRPORT: 0.15}


@dataclass(frozen=True)
class Charger:
    """A charger and its installation."""

    identity: str
    device: str
    name: str
    firmware: str
    installation: str


def populate(world: World, brief: Brief) -> None:
    """Adds Zaptec's installations, chargers and sessions to `world`."""
    chance = brief.chance("zaptec")
    towns = [TOWNS[(number + 1) % len(TOWNS)] for number in range(site_count(brief.fleet))]
    chargers: list[Charger] = []
    for number, town in enumerate(towns):
        installation = identity(chance)
        name = f"Parkhouse {town.name} {number + 1}"
        _show_installation(world, brief, chance, installation, name, town)
        for bay in range(1, 4 + min(60, brief.fleet // (120 * len(towns)))):
            charger = Charger(
                identity(chance), f"ZPR{chance.randrange(100_000, 999_999)}", f"Bay {bay:02d}", "4.1.0.2", installation
            )
            chargers.append(charger)
            _show_charger(world, brief, chance, charger, name)
    drivers = people(chance, max(4, brief.fleet // 40), "zaptec")
    for visit in visits(
        chance, _HABITS, towns[0].zone, brief.begins_at, brief.populated_until, brief.sessions, brief.continues_days
    ):
        _show_session(world, brief, chance, visit, chance.choice(chargers), chance.choice(drivers))


def _show_installation(
    world: World, brief: Brief, chance: random.Random, installation: str, name: str, town: Town
) -> None:
    payload: Payload = {
        "Id": installation,
        "Name": name,
        "Address": f"Inventedstreet {chance.randrange(1, 200)}",
        "ZipCode": f"{chance.randrange(1000, 9999)}",
        "City": town.name,
        "CountryId": identity(chance),
        "CountryCode": town.alpha_2,
        "Latitude": round(town.latitude + chance.uniform(-0.05, 0.05), 6),
        "Longitude": round(town.longitude + chance.uniform(-0.05, 0.05), 6),
        "InstallationType": 0,
        "MaxCurrent": 125.0,
        "Active": True,
        "TimeZoneName": town.windows_zone,
        "TimeZoneIanaName": town.iana_zone,
        "ContactEmail": "caretaker@example.org",
    }
    world.show("zaptec", "installations", installation, payload, brief.begins_at - timedelta(days=30))
    renamed = {**payload, "Name": f"{name} (extended)", "MaxCurrent": 250.0}
    world.show("zaptec", "installations", installation, renamed, brief.instant(chance))


def _show_charger(world: World, brief: Brief, chance: random.Random, charger: Charger, site: str) -> None:
    payload: Payload = {
        "Id": charger.identity,
        "DeviceId": charger.device,
        "SerialNo": charger.device,
        "Name": charger.name,
        "InstallationId": charger.installation,
        "InstallationName": site,
        "CircuitId": identity(chance),
        "Active": True,
        "IsOnline": True,
        "OperatingMode": 1,
        "CreatedOnDate": iso(brief.begins_at - timedelta(days=40), digits=0).removesuffix("Z"),
        "DeviceType": 4,
        "Pin": f"{chance.randrange(1000, 9999)}",
    }
    world.show("zaptec", "chargers", charger.identity, payload, brief.begins_at - timedelta(days=30))
    charging = {**payload, "OperatingMode": 3, "IsOnline": chance.random() < 0.9}
    world.show("zaptec", "chargers", charger.identity, charging, brief.instant(chance))
    if chance.random() < 0.3:
        renamed = {**charging, "Name": f"{charger.name} visitors"}
        world.show("zaptec", "chargers", charger.identity, renamed, brief.instant(chance))


def _show_session(
    world: World, brief: Brief, chance: random.Random, visit: Visit, charger: Charger, driver: Person
) -> None:
    kind = oddity(visit)
    visit = spoiled(visit, kind)
    offline = chance.random() < 0.08
    learned_at = visit.ended_at + timedelta(seconds=chance.randrange(2, 90))
    if offline:
        learned_at = brief.correction_at(chance, visit.ended_at) - timedelta(hours=1)
    payload = _session(chance, visit, charger, driver, kind, learned_at, offline)
    _show(world, charger, payload, learned_at)
    drawn = chance.random()
    if kind is None and drawn < 0.045:
        _correct(world, brief, chance, visit, charger, payload, learned_at, length=2 if drawn < 0.008 else 1)
    elif kind is None and drawn < 0.06:
        recalculated = {**payload, "energy": round(visit.energy_kwh * 1.004, 3)}
        _show(world, charger, recalculated, max(learned_at, brief.correction_at(chance, visit.ended_at)))


def _show(world: World, charger: Charger, payload: Payload, shown_from: datetime) -> None:
    world.show("zaptec", "sessions", payload["id"], payload, shown_from, charger.installation)


def _correct(
    world: World,
    brief: Brief,
    chance: random.Random,
    visit: Visit,
    charger: Charger,
    payload: Payload,
    shown_at: datetime,
    length: int,
) -> None:
    """Replaces a session with another one, `length` times. Not every replaced row is flagged as voided."""
    for _ in range(length):
        corrected_at = max(shown_at, brief.correction_at(chance, visit.ended_at))
        successor = identity(chance)
        drawn = chance.random()
        old: dict[str, Any] = {**payload, "voided": drawn < 0.7}
        if drawn >= 0.1:
            old["replacedBySessionId"] = successor
        _show(world, charger, old, corrected_at)
        corrected = replace(visit, energy_kwh=round(visit.energy_kwh * chance.uniform(0.9, 0.99), 3))
        payload = {
            **payload,
            "id": successor,
            "energy": corrected.energy_kwh,
            "energyDetails": energy_details(chance, corrected),
            "recognizedDateTime": iso(corrected_at),
        }
        _show(world, charger, payload, corrected_at)
        shown_at = corrected_at


def _session(
    chance: random.Random,
    visit: Visit,
    charger: Charger,
    driver: Person,
    kind: str | None,
    learned_at: datetime,
    offline: bool,
) -> Payload:
    session = identity(chance)
    payload: Payload = {
        "id": session,
        "externalId": None,
        "chargerId": charger.identity,
        "deviceId": charger.device,
        "deviceName": charger.name,
        "chargerFirmwareVersion": charger.firmware,
        "startDateTime": iso(visit.started_at),
        "endDateTime": iso(visit.ended_at),
        "recognizedDateTime": iso(learned_at),
        "energy": visit.energy_kwh,
        "authorizedUser": None,
        "tokenName": None,
        "offline": offline,
        "reliableClock": not offline,
        "stoppedByRfid": chance.random() < 0.1,
        "signed": True,
        "voided": False,
        "aborted": kind is None and visit.number % 41 == 7,
        "ocppNative": False,
        "externallyAbandoned": False,
        "sessionSignature": ocmf(visit, driver.card) if chance.random() < 0.5 else None,
    }
    if chance.random() < 0.85:
        full_name = f"{driver.first_name} {driver.last_name}"
        payload["authorizedUser"] = {"id": driver.identity, "email": driver.email, "fullName": full_name}
    if chance.random() < 0.5:
        payload["tokenName"] = f"card of {driver.first_name} {driver.card[-4:]}"
    if kind is None and chance.random() < 0.75:
        payload["energyDetails"] = energy_details(chance, visit)
    if kind == "no_start":
        del payload["startDateTime"]
    elif kind == "unparseable_start":
        payload["startDateTime"] = "n/a"
    elif kind == "unparseable_energy":
        payload["energy"] = "n/a"
    return payload
