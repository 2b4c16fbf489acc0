"""GreenFlux's locations and charge stations: created, edited, put out of service, and changing status.

An edit updates `modified`; a change of status does not.
"""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sandbox.generation.brief import Brief, iso
from sandbox.generation.people import TOWNS, Town, identity
from sandbox.generation.sites import site_count
from sandbox.timeline import Payload
from sandbox.world import World


@dataclass(frozen=True)
class Station:
    """A charge station, with the data that its CDRs repeat."""

    identity: str
    location: Payload
    evses: list[Payload]
    is_fast: bool


def populate_assets(world: World, brief: Brief, chance: random.Random) -> list[Station]:
    """Adds locations and charge stations to `world`; the last station becomes visible only after its first CDRs."""
    stations: list[Station] = []
    for number in range(site_count(brief.fleet)):
        location = _show_location(world, brief, chance, TOWNS[number % len(TOWNS)], number)
        for bay in range(2 + min(40, brief.fleet // 150)):
            stations.append(_show_station(world, brief, chance, location, number, bay))
    latecomer_at = brief.begins_at + (brief.populated_until - brief.begins_at) / 2
    latecomer_at = latecomer_at.replace(microsecond=0)
    stations.append(_show_station(world, brief, chance, stations[0].location, 0, 999, latecomer_at))
    return stations


def _created_at(brief: Brief, chance: random.Random) -> datetime:
    return brief.begins_at - timedelta(days=chance.randrange(5, 700), seconds=chance.randrange(86_400))


def _show_location(world: World, brief: Brief, chance: random.Random, town: Town, number: int) -> Payload:
    created_at = _created_at(brief, chance)
    payload: Payload = {
        "id": identity(chance),
        "type": "PARKING_LOT",
        "publish": True,
        "access_type": "PUBLIC",
        "name": f"Laadplein {town.name} {number + 1}",
        "address": f"Verzonnenweg {chance.randrange(1, 300)}",
        "city": town.name,
        "postal_code": "1234 ZZ",
        "country": town.alpha_3,
        "coordinates": {
            "latitude": f"{town.latitude + chance.uniform(-0.05, 0.05):.6f}",
            "longitude": f"{town.longitude + chance.uniform(-0.05, 0.05):.6f}",
        },
        "operator": {"name": "Sandbox Charging", "phone_number": "+31 00 0000000"},
        "time_zone": town.iana_zone,
        "opening_times": {"twentyfourseven": True},
        "cpo_id": "NL-TST",
        "etag": "0x8D00",
        "created_by": "planner@example.org",
        "created": iso(created_at, digits=0),
        "modified": None,
        "last_updated": None,
    }
    world.show("greenflux", "locations", payload["id"], payload, created_at)
    for edit, at in enumerate(sorted(brief.instant(chance) for _ in range(2)), start=1):
        edited = {
            "name": f"{payload['name']} ({edit})",
            "modified": iso(at, digits=0),
            "last_updated": iso(at, digits=0),
        }
        payload = {**payload, **edited}
        world.show("greenflux", "locations", payload["id"], payload, at)
    return payload


def _show_station(
    world: World,
    brief: Brief,
    chance: random.Random,
    location: Payload,
    site: int,
    bay: int,
    created_at: datetime | None = None,
) -> Station:
    shown_at = created_at or _created_at(brief, chance)
    identifier = f"NL-TST-{site:03d}{bay:03d}"
    is_fast = bay % 4 == 3
    evses = [_evse(identifier, number, is_fast, shown_at) for number in (1, 2)]
    payload: Payload = {
        "charge_station_id": identifier,
        "location_id": location["id"],
        "name": f"{location['city']} {site + 1}-{bay}",
        "deploy_state": "Production",
        "installation_date": iso(shown_at, digits=0),
        "default_charge_station_tariff_id": "T-17",
        "driver_id": None,
        "customer_id": f"customer-{site}",
        "charger_type": "Public",
        "evses": evses,
        "auth_rules": [],
        "etag": "0x8DC0",
        "status": "AVAILABLE",
        "charging_speed": "Rapid" if is_fast else "Fast",
        "connectivity_status": "Online",
        "protocol_version": "Ocpp16",
        "firmware_version": "5.8.1",
        "charge_point_vendor": "Acme",
        "charge_point_model": "Duo22",
        "client_ip_address": f"10.0.{site % 256}.{bay % 256}",
        "iccid": f"8931{chance.randrange(10**12):012d}",
        "imsi": f"2040{chance.randrange(10**10):010d}",
        "endpoint": f"wss://charge.example.org/{identifier}",
        "created": iso(shown_at, digits=0),
        "modified": None,
    }
    world.show("greenflux", "charge_stations", identifier, payload, shown_at)
    _edit(world, chance, payload, sorted(at for at in (brief.instant(chance) for _ in range(4)) if at > shown_at))
    return Station(identifier, location, evses, is_fast)


def _edit(world: World, chance: random.Random, payload: Payload, instants: list[datetime]) -> None:
    for at in instants:
        drawn = chance.random()
        change: dict[str, Any] = {"modified": iso(at, digits=0)}
        if drawn < 0.35:
            change = {"status": chance.choice(("CHARGING", "AVAILABLE", "OUTOFORDER"))}
        elif drawn < 0.6:
            change["firmware_version"] = f"5.{chance.randrange(8, 12)}.{chance.randrange(9)}"
        elif drawn < 0.75:
            first, *others = payload["evses"]
            connectors = [{**connector, "max_electric_power": 11040} for connector in first["connectors"]]
            change["evses"] = [{**first, "connectors": connectors}, *others]
        elif drawn < 0.95:
            change["name"] = f"{payload['name']} b"
        else:
            change["deploy_state"] = "Deprecated"
        payload = {**payload, **change}
        world.show("greenflux", "charge_stations", payload["charge_station_id"], payload, at)


def _evse(station: str, number: int, is_fast: bool, created_at: datetime) -> Payload:
    connector: Payload = {
        "id": "1",
        "standard": "IEC_62196_T2_COMBO" if is_fast else "IEC_62196_T2",
        "format": "CABLE" if is_fast else "SOCKET",
        "power_type": "DC" if is_fast else "AC_3_PHASE",
        "voltage": 400 if is_fast else 230,
        "amperage": 375 if is_fast else 32,
        "max_electric_power": 150_000 if is_fast else 22_080,
        "tariff_id": "T-17",
        "last_updated": iso(created_at, digits=0),
    }
    connectors = [connector]
    if is_fast and number == 1:
        connectors.append({**connector, "id": "2", "standard": "CHADEMO", "max_electric_power": 0})
    return {
        "uid": f"{station}-{number}",
        "evse_id": f"{station.replace('-', '*')}*{number}" if number == 1 else None,
        "evse_sequence_number": number,
        "status": "AVAILABLE",
        "capabilities": ["RFID_READER", "REMOTE_START_STOP_CAPABLE"],
        "connectors": connectors,
    }
