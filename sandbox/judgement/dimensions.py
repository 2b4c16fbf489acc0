"""The dimensions with their history: what each vendor's objects publish, and from when on.

A version is valid from the vendor's modification time on. If there is none, or if it equals that of the previous
version, the version is valid from the refresh that first saw it.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sandbox.countries import alpha_2
from sandbox.judgement.seen import Seen, all_seen_versions
from sandbox.readings import exact_number, instant_of_text, text
from sandbox.timeline import Payload
from sandbox.world import World

Published = dict[str, Any]
"""The published columns of one version of an object, without validity."""

Pseudonym = Callable[[str, str, str], str]
"""Maps (vendor, `user` or `token`, the vendor's id) to what is published in its place."""


def dimensions(world: World, refreshes: list[datetime], pseudonym: Pseudonym) -> dict[str, list[Published]]:
    """The rows of the five dimension tables after the refreshes."""

    def vehicle(payload: Payload) -> list[Published]:
        return _vehicle(payload, pseudonym)

    def user(payload: Payload) -> list[Published]:
        return _user(payload, pseudonym)

    def rows(vendor: str, endpoint: str, publish: Callable[[Payload], list[Published]], *key: str) -> list[Published]:
        return list(_history(world, refreshes, vendor, endpoint, publish, key))

    return {
        "dim_location": [
            *rows("zaptec", "installations", _installation, "location_id"),
            *rows("jedlix", "charging_locations", _charging_location, "location_id"),
            *rows("greenflux", "locations", _location, "location_id"),
        ],
        "dim_charge_station": [
            *rows("zaptec", "chargers", _charger, "station_id"),
            *rows("greenflux", "charge_stations", _charge_station, "station_id"),
        ],
        "dim_connector": rows("greenflux", "charge_stations", _connectors, "station_id", "evse_uid", "connector_id"),
        "dim_vehicle": rows("jedlix", "vehicles", vehicle, "vehicle_id"),
        "dim_user": rows("jedlix", "users", user, "user_id"),
    }


def _history(
    world: World,
    refreshes: list[datetime],
    vendor: str,
    endpoint: str,
    publish: Callable[[Payload], list[Published]],
    key: tuple[str, ...],
) -> Iterable[Published]:
    for timeline in world.timelines(vendor, endpoint):
        histories: dict[tuple[Any, ...], list[tuple[datetime, Published]]] = {}
        every = all_seen_versions(timeline, refreshes, vendor, endpoint)
        for seen, begins_at in zip(every, _beginnings(every), strict=True):
            for columns in publish(seen.payload):
                if columns[key[0]] is None:
                    continue
                versions = histories.setdefault(tuple(columns[name] for name in key), [])
                if versions and versions[-1][0] == begins_at:
                    versions.pop()
                if not versions or versions[-1][1] != columns:
                    versions.append((begins_at, columns))
        for versions in histories.values():
            ends = [valid_from for valid_from, _ in versions[1:]] + [None]
            for (valid_from, columns), valid_to in zip(versions, ends, strict=True):
                yield {
                    "vendor": vendor,
                    **columns,
                    "valid_from": valid_from,
                    "valid_to": valid_to,
                    "is_current": valid_to is None,
                }


def _beginnings(versions: Sequence[Seen]) -> Iterable[datetime]:
    """From when on each version is valid, in the order of the vendor's clock."""
    for position, seen in enumerate(versions):
        if seen.clock is None:
            yield seen.read_at
            continue
        stood_still = position > 0 and versions[position - 1].clock == seen.clock
        later = [each.clock for each in versions[position:] if each.clock is not None and each.clock > seen.clock]
        begins_at = max(seen.clock, seen.read_at)
        yield begins_at if stood_still and (not later or begins_at < later[0]) else seen.clock


def _degrees(value: object) -> float | None:
    number = exact_number(value)
    return None if number is None else float(number)


def _rounded(value: object) -> float | None:
    """Degrees of a home, rounded to 2 decimals, so that they identify the neighbourhood and not the house."""
    degrees = _degrees(value)
    return None if degrees is None else round(degrees, 2)


def _installation(payload: Payload) -> list[Published]:
    return [
        {
            "location_id": text(payload.get("Id")),
            "name": text(payload.get("Name")),
            "city": text(payload.get("City")),
            "country": alpha_2(text(payload.get("CountryCode"))),
            "latitude": _degrees(payload.get("Latitude")),
            "longitude": _degrees(payload.get("Longitude")),
            "time_zone": text(payload.get("TimeZoneIanaName")),
        }
    ]


def _charging_location(payload: Payload) -> list[Published]:
    address, coordinates = payload.get("address") or {}, payload.get("coordinates") or {}
    return [
        {
            "location_id": text(payload.get("id")),
            "name": None,
            "city": text(address.get("city")),
            "country": alpha_2(text(address.get("country"))),
            "latitude": _rounded(coordinates.get("latitude")),
            "longitude": _rounded(coordinates.get("longitude")),
            "time_zone": None,
        }
    ]


def _location(payload: Payload) -> list[Published]:
    coordinates = payload.get("coordinates") or {}
    return [
        {
            "location_id": text(payload.get("id")),
            "name": text(payload.get("name")),
            "city": text(payload.get("city")),
            "country": alpha_2(text(payload.get("country"))),
            "latitude": _degrees(coordinates.get("latitude")),
            "longitude": _degrees(coordinates.get("longitude")),
            "time_zone": text(payload.get("time_zone")),
        }
    ]


def _charger(payload: Payload) -> list[Published]:
    return [
        {
            "station_id": text(payload.get("Id")),
            "location_id": text(payload.get("InstallationId")),
            "name": text(payload.get("Name")),
            "deploy_state": None,
            "firmware_version": None,
        }
    ]


def _charge_station(payload: Payload) -> list[Published]:
    return [
        {
            "station_id": text(payload.get("charge_station_id")),
            "location_id": text(payload.get("location_id")),
            "name": text(payload.get("name")),
            "deploy_state": text(payload.get("deploy_state")),
            "firmware_version": text(payload.get("firmware_version")),
        }
    ]


def _connectors(payload: Payload) -> list[Published]:
    rows: list[Published] = []
    for evse in payload.get("evses") or []:
        uid = text(evse.get("uid"))
        for connector in evse.get("connectors") or []:
            watts = exact_number(connector.get("max_electric_power"))
            rows.append(
                {
                    "station_id": text(payload.get("charge_station_id")),
                    "evse_uid": uid,
                    "evse_id": text(evse.get("evse_id")) or uid,
                    "connector_id": text(connector.get("id")),
                    "standard": text(connector.get("standard")),
                    "power_type": text(connector.get("power_type")),
                    "max_power_kw": float(watts / 1000) if watts is not None and watts > 0 else None,
                }
            )
    return rows


def _vehicle(payload: Payload, pseudonym: Pseudonym) -> list[Published]:
    details, owner = payload.get("details") or {}, text(payload.get("userId"))
    return [
        {
            "vehicle_id": text(payload.get("id")),
            "user_id": None if owner is None else pseudonym("jedlix", "user", owner),
            "brand": text(details.get("brand")),
            "model": text(details.get("model")),
            "version": text(details.get("version")),
        }
    ]


def _user(payload: Payload, pseudonym: Pseudonym) -> list[Published]:
    user = text(payload.get("id"))
    return [
        {
            "user_id": None if user is None else pseudonym("jedlix", "user", user),
            "created_at": instant_of_text(payload.get("createdAt")),
        }
    ]
