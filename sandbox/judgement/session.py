"""Reads one API object of a session into the common vocabulary of the warehouse, with one reader per vendor."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sandbox.fields import is_stopped
from sandbox.fields import object_id as id_of
from sandbox.readings import exact_number, instant_of_epoch_milliseconds, instant_of_text, text
from sandbox.timeline import Payload
from sandbox.world import SESSION_ENDPOINTS

_JEDLIX_STATUSES = {"complete": "completed", "forceended": "forced_end", "active": "completed"}


@dataclass(frozen=True)
class Session:
    """A session as described by one version of its object. Energies in kWh; ids as the vendor writes them.

    `unreadable` says that a start, end or energy is given but cannot be read, or that the id or the start is missing.
    """

    vendor: str
    session_id: str | None
    started_at: datetime | None
    ended_at: datetime | None
    closed: bool
    energy_kwh: Decimal | None
    energy_source: str | None
    unreadable: bool
    payload: Payload
    voided: bool = False
    replaced: bool = False
    status: str = "completed"
    vendor_status: str | None = None
    charging_seconds: float | None = None
    station_id: str | None = None
    evse_uid: str | None = None
    connector_id: str | None = None
    location_id: str | None = None
    vehicle_id: str | None = None
    user_id: str | None = None
    token_id: str | None = None
    cost_amount: Decimal | None = None
    currency: str | None = None


def read_session(vendor: str, payload: Payload, scope: str | None) -> Session:
    """Reads one object of a vendor's session endpoint; `scope` is the installation or park it is listed under."""
    read = {"zaptec": _zaptec, "jedlix": _jedlix, "greenflux": _greenflux, "smappee": _smappee}[vendor]
    return read(payload, scope)


def _iso_times(vendor: str, payload: Payload, start: str, end: str, energy: str) -> dict[str, Any]:
    """The fields common to the three vendors with ISO 8601 times and one energy field; closed means it has an end."""
    session_id = id_of(vendor, SESSION_ENDPOINTS[vendor], payload)
    given = _without_empty(payload)
    started_at, ended_at = instant_of_text(given.get(start)), instant_of_text(given.get(end))
    energy_kwh = exact_number(given.get(energy))
    closed = given.get(end) is not None
    return {
        "vendor": vendor,
        "session_id": session_id,
        "started_at": started_at,
        "ended_at": ended_at,
        "closed": closed,
        "energy_kwh": energy_kwh,
        "energy_source": None if energy_kwh is None else "reported",
        "unreadable": (
            session_id is None
            or started_at is None
            or (closed and ended_at is None)
            or (given.get(energy) is not None and energy_kwh is None)
        ),
        "payload": payload,
    }


def _without_empty(payload: Payload) -> Payload:
    """The object without its empty texts: vendors write an absent value as `""` as well as null."""
    return {name: value for name, value in payload.items() if value != ""}


def _zaptec(payload: Payload, scope: str | None) -> Session:
    return Session(
        **_iso_times("zaptec", payload, "startDateTime", "endDateTime", "energy"),
        voided=bool(payload.get("voided")),
        replaced=payload.get("replacedBySessionId") is not None,
        status="aborted" if payload.get("aborted") else "completed",
        station_id=text(payload.get("chargerId")),
        location_id=scope,
        user_id=text((payload.get("authorizedUser") or {}).get("id")),
        token_id=text(payload.get("tokenName")),
    )


def _jedlix(payload: Payload, scope: str | None) -> Session:
    word = text(payload.get("status"))
    return Session(
        **_iso_times("jedlix", payload, "startTime", "endTime", "energyCharged"),
        status=_JEDLIX_STATUSES.get((word or "").lower(), "unknown"),
        vendor_status=word,
        location_id=text(payload.get("chargingLocationId")),
        vehicle_id=text(payload.get("vehicleId")),
        user_id=text(payload.get("userId")),
    )


def _first(items: object) -> Payload:
    return items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}


def _greenflux(payload: Payload, scope: str | None) -> Session:
    location = payload.get("location") or {}
    evse = _first(location.get("evses"))
    total, parking = exact_number(payload.get("total_time")), exact_number(payload.get("total_parking_time"))
    return Session(
        **_iso_times("greenflux", payload, "start_date_time", "stop_date_time", "total_energy"),
        charging_seconds=None if total is None or parking is None else float((total - parking) * 3600),
        evse_uid=text(evse.get("uid")),
        connector_id=text(_first(evse.get("connectors")).get("id")),
        location_id=text(location.get("id")),
        user_id=text(payload.get("driver_external_id")),
        token_id=text(payload.get("token_uid")) or text(payload.get("auth_id")),
        cost_amount=exact_number(payload.get("total_cost")),
        currency=text(payload.get("currency")),
    )


def _smappee(payload: Payload, scope: str | None) -> Session:
    given = _without_empty(payload)
    started_at = instant_of_epoch_milliseconds(given.get("from"))
    ended_at = instant_of_epoch_milliseconds(given.get("to"))
    closed = is_stopped(payload)
    energy_kwh, source, energy_readable = _smappee_energy(given)
    return Session(
        vendor="smappee",
        session_id=text(payload.get("id")),
        started_at=started_at,
        ended_at=ended_at,
        closed=closed,
        energy_kwh=energy_kwh,
        energy_source=source,
        unreadable=(
            text(payload.get("id")) is None
            or started_at is None
            or ((closed or given.get("to") is not None) and ended_at is None)
            or not energy_readable
        ),
        payload=payload,
        vendor_status=text(payload.get("status")),
        station_id=text(payload.get("serialNumber")),
        connector_id=text(payload.get("connector")),
        location_id=scope,
        user_id=text(payload.get("userId")),
        token_id=text(payload.get("rfid")),
    )


def _smappee_energy(payload: Payload) -> tuple[Decimal | None, str | None, bool]:
    """Energy, its source, and whether the given values can be read. `energy`, if present, wins over the readings."""
    if payload.get("energy") is not None:
        energy = exact_number(payload["energy"])
        return energy, None if energy is None else "reported", energy is not None
    given = [payload[name] for name in ("startReading", "stopReading") if payload.get(name) is not None]
    readings_kwh = [reading for reading in map(exact_number, given) if reading is not None]
    if len(readings_kwh) < len(given):
        return None, None, False
    if len(readings_kwh) < 2:
        return None, None, True
    start_kwh, stop_kwh = readings_kwh
    return stop_kwh - start_kwh, "meter_readings", True
