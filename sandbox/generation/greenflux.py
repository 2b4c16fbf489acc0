"""GreenFlux's part of a world: CDRs, dated by `last_updated` and reissued under the same id when something changes.

Times are whole seconds, durations hours, energies kWh.
"""

import random
from dataclasses import replace
from datetime import timedelta

from sandbox.generation.brief import Brief, iso
from sandbox.generation.greenflux_assets import Station, populate_assets
from sandbox.generation.oddities import oddity, spoiled
from sandbox.generation.people import TOWNS, Person, identity, people
from sandbox.generation.visits import AIRPORT, COMMUTER, FAST, NIGHT, NOISE, SHOPPING, Visit, visits
from sandbox.timeline import Payload
from sandbox.world import World

_HABITS = {COMMUTER: 2.0, SHOPPING: 3.0, NIGHT: 2.0, NOISE: 0.3, AIRPORT: 0.1}
_FAST_HABITS = {FAST: 1.0}
_PRICE_PER_KWH = 0.3719


def populate(world: World, brief: Brief) -> None:
    """Adds GreenFlux's locations, charge stations and CDRs to `world`."""
    chance = brief.chance("greenflux")
    stations = populate_assets(world, brief, chance)
    drivers = people(chance, max(4, brief.fleet // 30), "greenflux")
    slow = [station for station in stations if not station.is_fast]
    fast = [station for station in stations if station.is_fast] or slow
    fast_count = brief.sessions // 4
    for habits, count, pool in ((_HABITS, brief.sessions - fast_count, slow), (_FAST_HABITS, fast_count, fast)):
        for visit in visits(
            chance, habits, TOWNS[0].zone, brief.begins_at, brief.populated_until, count, brief.continues_days
        ):
            _show_cdr(world, brief, chance, visit, chance.choice(pool), chance.choice(drivers))


def _whole_seconds(visit: Visit) -> Visit:
    return replace(
        visit, started_at=visit.started_at.replace(microsecond=0), ended_at=visit.ended_at.replace(microsecond=0)
    )


def _show_cdr(
    world: World, brief: Brief, chance: random.Random, visit: Visit, station: Station, driver: Person
) -> None:
    kind = oddity(visit)
    visit = spoiled(_whole_seconds(visit), kind)
    payload = _cdr(chance, visit, station, driver, kind)
    issued_at = max(visit.started_at, visit.ended_at) + timedelta(seconds=chance.randrange(20, 7200))
    payload["last_updated"] = iso(issued_at, digits=0)
    world.show("greenflux", "cdrs", payload["id"], payload, issued_at)
    if kind is None and chance.random() < 0.05:
        again_at = max(issued_at + timedelta(minutes=5), brief.correction_at(chance, visit.ended_at))
        again_at = again_at.replace(microsecond=0)
        cost = round((payload["total_cost"] or 0) * 0.9, 4)
        again = {**payload, "total_cost": cost, "remark": "issued again", "last_updated": iso(again_at, digits=0)}
        if chance.random() < 0.5:
            again["total_energy"] = round(visit.energy_kwh * 0.98, 3)
        world.show("greenflux", "cdrs", payload["id"], again, again_at)


def _cdr(chance: random.Random, visit: Visit, station: Station, driver: Person, kind: str | None) -> Payload:
    evse = chance.choice(station.evses)
    location = station.location
    hours = (visit.ended_at - visit.started_at).total_seconds() / 3600
    parked = (visit.ended_at - visit.charged_until).total_seconds() / 3600 if visit.energy_kwh >= 0 else 0.0
    cost = round(max(0.0, visit.energy_kwh) * _PRICE_PER_KWH, 4)
    payload: Payload = {
        "id": f"CDR-{identity(chance)}",
        "start_date_time": iso(visit.started_at, digits=0),
        "stop_date_time": iso(visit.ended_at, digits=0),
        "session_id": identity(chance),
        "auth_id": driver.card,
        "token_uid": driver.card if chance.random() < 0.8 else None,
        "token_visual_number": f"NL-TST-{driver.card}",
        "auth_method": "WHITELIST",
        "location": {
            "id": location["id"],
            "name": location["name"],
            "address": location["address"],
            "city": location["city"],
            "postal_code": location["postal_code"],
            "country": location["country"],
            "coordinates": location["coordinates"],
            "evses": [
                {"uid": evse["uid"], "evse_id": evse["evse_id"], "connectors": [chance.choice(evse["connectors"])]}
            ],
        },
        "meter_id": f"M-{station.identity}",
        "currency": "EUR",
        "charging_periods": [],
        "total_cost": cost if chance.random() < 0.95 else None,
        "total_cost_incl_vat": round(cost * 1.21, 4),
        "total_energy": visit.energy_kwh,
        "total_time": round(hours, 4),
        "remark": None,
        "driver_external_id": driver.identity if chance.random() < 0.6 else None,
        "customer_external_id": f"customer of {driver.email}",
        "emsp_country_code": "NL",
        "emsp_party_id": "TST",
        "cpo_id": "NL-TST",
        "charger_type": "Public",
    }
    if chance.random() < 0.9:
        payload["total_parking_time"] = round(max(0.0, parked), 4)
    if kind is None and chance.random() < 0.6:
        payload["charging_periods"] = _charging_periods(chance, visit)
    if kind == "no_start":
        payload["start_date_time"] = None
    elif kind == "unparseable_start":
        payload["start_date_time"] = "n/a"
    elif kind == "unparseable_energy":
        payload["total_energy"] = "n/a"
    return payload


def _charging_periods(chance: random.Random, visit: Visit) -> list[Payload]:
    """Periods of half an hour to two hours; some series lack ENERGY, some do not add up to the session's energy."""
    step = timedelta(minutes=chance.choice((30, 60, 120)))
    drawn = chance.random()
    factor = 0.9 if drawn < 0.1 else 1.0
    periods: list[Payload] = []
    at, delivered = visit.started_at, 0.0
    while at < visit.ended_at or not periods:
        until = min(at + step, visit.ended_at)
        reached = visit.energy_kwh if until == visit.ended_at else round(visit.energy_until(until), 3)
        volume = round((reached - delivered) * factor, 3)
        dimensions = [{"type": "TIME", "volume": round((until - at).total_seconds() / 3600, 4)}]
        if drawn >= 0.15:
            dimensions.insert(0, {"type": "ENERGY", "volume": volume})
        elif drawn < 0.1:
            dimensions.append({"type": "ENERGY", "volume": volume})
        periods.append({"start_date_time": iso(at, digits=0), "dimensions": dimensions})
        at, delivered = at + step, reached
    return periods
