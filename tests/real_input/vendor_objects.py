"""The real records as objects of the four APIs, in the sandbox's files."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import orjson

from tests.real_input.sources import RealLocation, RealSession, dutch_locations

Object = dict[str, Any]

PARKS = {"caltech": "101", "jpl": "102", "Trondheim": "103"}
"""Smappee's service location of each site."""

CALIFORNIAN_SITES = {"caltech": ("Pasadena", 34.1377, -118.1253), "jpl": ("La Cañada Flintridge", 34.2013, -118.1714)}
"""City, latitude and longitude in degrees."""

# The site whose Smappee chargers report meter readings only; the others report the energy.
_METERED_SITE = "jpl"
_MICRO = Decimal("0.000001")


def write_objects(sessions: Iterable[RealSession], folder: Path, *, with_dutch_locations: bool = True) -> None:
    """Writes the sessions, and the places they need, as `{vendor}/{endpoint}.ndjson` below `folder`."""
    chosen = list(sessions)
    by_vendor: dict[str, list[RealSession]] = defaultdict(list)
    for session in chosen:
        by_vendor[session.vendor].append(session)
    zaptec, greenflux = by_vendor["zaptec"], by_vendor["greenflux"]
    _write(folder, "zaptec", "installations", map(_installation, sorted({each.site for each in zaptec})))
    _write(folder, "zaptec", "chargers", map(_charger, sorted({(each.site, each.station) for each in zaptec})))
    _write(folder, "zaptec", "sessions", map(_archived_session, zaptec))
    _write(folder, "jedlix", "charging_locations", map(_charging_location, CALIFORNIAN_SITES))
    _write(folder, "jedlix", "sessions", map(_jedlix_session, by_vendor["jedlix"]))
    _write(
        folder, "greenflux", "charge_stations", map(_station, sorted({(each.site, each.station) for each in greenflux}))
    )
    _write(folder, "greenflux", "cdrs", map(_cdr, greenflux))
    workplaces = map(_workplace, sorted({each.site for each in greenflux}))
    _write(folder, "greenflux", "locations", _and(workplaces, with_dutch_locations))
    _write(folder, "smappee", "service_locations", ({"serviceLocationId": int(park)} for park in PARKS.values()))
    _write_park_sessions(folder, by_vendor["smappee"])


def expected_locations(sessions: Iterable[RealSession]) -> Iterator[RealLocation]:
    """Every location that `write_objects` writes, as it must be published."""
    chosen = list(sessions)
    for garage in sorted({each.site for each in chosen if each.vendor == "zaptec"}):
        yield RealLocation("zaptec", garage, f"Garage {garage}", "Trondheim", "NO", None, None)
    for site, (city, latitude, longitude) in CALIFORNIAN_SITES.items():
        # A charging location of Jedlix is a home: it has no name, and its coordinates have 2 decimals.
        yield RealLocation("jedlix", site, None, city, "US", round(latitude, 2), round(longitude, 2))
    for workplace in sorted({each.site for each in chosen if each.vendor == "greenflux"}):
        yield RealLocation("greenflux", workplace, f"Workplace {workplace}", None, "US", None, None)
    for location in dutch_locations():
        place = location["coordinates"]
        latitude, longitude = float(place["latitude"]), float(place["longitude"])
        yield RealLocation("greenflux", location["id"], location["name"], location["city"], "NL", latitude, longitude)


def _installation(garage: str) -> Object:
    return {
        "Id": garage,
        "Name": f"Garage {garage}",
        "City": "Trondheim",
        "CountryCode": "NOR",
        "TimeZoneIanaName": "Europe/Oslo",
        "Active": True,
    }


def _charger(place: tuple[str, str]) -> Object:
    garage, station = place
    return {"Id": f"{garage}/{station}", "Name": station, "InstallationId": garage, "Active": True}


def _archived_session(session: RealSession) -> Object:
    return {
        "id": session.session_id,
        "externalId": None,
        "chargerId": f"{session.site}/{session.station}",
        "deviceName": session.station,
        "startDateTime": _zulu(session.started_at),
        "endDateTime": None if session.ended_at is None else _zulu(session.ended_at),
        "energy": float(session.energy_kwh),
        "authorizedUser": {"id": session.driver, "email": None, "fullName": None},
        "voided": False,
        "aborted": False,
        "offline": False,
    }


def _charging_location(site: str) -> Object:
    city, latitude, longitude = CALIFORNIAN_SITES[site]
    return {
        "id": site,
        "userId": None,
        "coordinates": {"latitude": latitude, "longitude": longitude},
        "address": {
            "street": None,
            "postalCode": None,
            "houseNumber": None,
            "city": city,
            "region": "CA",
            "country": "US",
        },
        "createdAt": "2019-01-01T00:00:00.000Z",
        "updatedAt": "2019-01-01T00:00:00.000Z",
    }


def _jedlix_session(session: RealSession) -> Object:
    """With the timestamps as the file has them: a blank between date and time, and an offset at the end."""
    return {
        "id": session.session_id,
        "userId": None,
        "vehicleId": None,
        "chargingLocationId": session.site,
        "isManaged": True,
        "status": "Complete",
        "calibrationState": None,
        "startTime": session.written_start,
        "endTime": session.written_end,
        "energyCharged": float(session.energy_kwh),
    }


def _workplace(site: str) -> Object:
    return {
        "id": site,
        "name": f"Workplace {site}",
        "city": None,
        "country": "USA",
        "coordinates": None,
        "time_zone": "America/Chicago",
        "created": "2014-11-01T00:00:00Z",
        "modified": None,
    }


def _and(workplaces: Iterable[Object], with_dutch_locations: bool) -> Iterator[Object]:
    yield from workplaces
    if with_dutch_locations:
        for location in dutch_locations():
            yield {**location, "modified": location["last_updated"]}


def _station(place: tuple[str, str]) -> Object:
    site, station = place
    connector = {"id": "1", "standard": "IEC_62196_T1", "power_type": "AC_1_PHASE", "max_electric_power": None}
    return {
        "charge_station_id": station,
        "location_id": site,
        "name": f"Station {station}",
        "deploy_state": "Production",
        "evses": [{"uid": f"{station}-1", "evse_id": None, "status": "AVAILABLE", "connectors": [connector]}],
        "created": "2014-11-01T00:00:00Z",
        "modified": None,
    }


def _cdr(session: RealSession) -> Object:
    if session.ended_at is None:
        raise ValueError(f"a CDR is written when a session has ended, and {session.session_id} has not")
    seconds = int((session.ended_at - session.started_at).total_seconds())
    return {
        "id": session.session_id,
        "start_date_time": _zulu(session.started_at),
        "stop_date_time": _zulu(session.ended_at),
        "auth_id": session.driver,
        "token_uid": session.driver,
        "auth_method": "AUTH_REQUEST",
        "location": {
            "id": session.site,
            "country": "USA",
            "evses": [{"uid": f"{session.station}-1", "evse_id": None, "connectors": [{"id": "1"}]}],
        },
        "currency": "USD",
        "charging_periods": [],
        "total_cost": float(session.cost or 0),
        "total_energy": float(session.energy_kwh),
        "total_time": seconds / 3600,
        "last_updated": _zulu(session.ended_at),
    }


def _write_park_sessions(folder: Path, sessions: Iterable[RealSession]) -> None:
    """Every second serial number that can be a number is one, the rest are text; each station's register runs on."""
    registers: dict[str, Decimal] = defaultdict(Decimal)
    lines: list[bytes] = []
    for number, session in enumerate(sorted(sessions, key=lambda each: (each.started_at, each.session_id))):
        serial: str | int = session.station
        if session.station.isdigit() and number % 2:
            serial = int(session.station)
        payload: Object = {
            "id": int(session.session_id),
            "serialNumber": serial,
            "connector": 1,
            "authenticationType": "RFID",
            "csmsTransactionId": "",
            "from": _epoch_milliseconds(session.started_at),
            "status": "CHARGING" if session.is_running else "STOPPED",
            "range": 100,
            "duration": 2,
        }
        if session.ended_at is not None:
            payload["to"] = _epoch_milliseconds(session.ended_at)
        if session.site == _METERED_SITE:
            payload["startReading"] = float(registers[session.station])
            registers[session.station] += session.energy_kwh.quantize(_MICRO, ROUND_HALF_UP)
            payload["stopReading"] = float(registers[session.station])
        else:
            payload["energy"] = float(session.energy_kwh)
        lines.append(orjson.dumps({"object": payload, "scope": PARKS[session.site]}))
    _write_lines(folder, "smappee", "sessions", lines)


def _write(folder: Path, vendor: str, endpoint: str, objects: Iterable[Object]) -> None:
    _write_lines(folder, vendor, endpoint, (orjson.dumps({"object": each}) for each in objects))


def _write_lines(folder: Path, vendor: str, endpoint: str, lines: Iterable[bytes]) -> None:
    path = folder / vendor / f"{endpoint}.ndjson"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.writelines(line + b"\n" for line in lines)


def _zulu(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ") if not instant.microsecond else _with_milliseconds(instant)


def _with_milliseconds(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond // 1000:03d}Z"


def _epoch_milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)
