"""Which field of each endpoint's objects is the id, and which one the API filters by."""

from datetime import datetime

from sandbox.readings import instant_of_epoch_milliseconds, instant_of_text, text
from sandbox.timeline import Payload

_ID_FIELDS: dict[tuple[str, str], str] = {
    ("zaptec", "installations"): "Id",
    ("zaptec", "chargers"): "Id",
    ("zaptec", "sessions"): "id",
    ("jedlix", "users"): "id",
    ("jedlix", "vehicles"): "id",
    ("jedlix", "charging_locations"): "id",
    ("jedlix", "sessions"): "id",
    ("greenflux", "locations"): "id",
    ("greenflux", "charge_stations"): "charge_station_id",
    ("greenflux", "cdrs"): "id",
    ("smappee", "service_locations"): "serviceLocationId",
    ("smappee", "sessions"): "id",
}


def object_id(vendor: str, endpoint: str, payload: Payload) -> str | None:
    """The vendor's id of an object as text; None if it has none."""
    return text(payload.get(_ID_FIELDS[vendor, endpoint]))


def listing_clock(vendor: str, endpoint: str, payload: Payload) -> datetime | None:
    """The instant that orders an endpoint's list and that its range filters compare.

    Zaptec: end of the session. Jedlix: start of the session, creation of anything else. GreenFlux: last modification,
    or creation for an object never modified. Smappee: start. None if the object has no readable one.
    """
    if vendor == "zaptec":
        return instant_of_text(payload.get("endDateTime")) if endpoint == "sessions" else None
    if vendor == "jedlix":
        return instant_of_text(payload.get("startTime" if endpoint == "sessions" else "createdAt"))
    if vendor == "greenflux":
        if endpoint == "cdrs":
            return instant_of_text(payload.get("last_updated"))
        modified = payload.get("modified")
        return instant_of_text(payload.get("created") if modified is None else modified)
    return instant_of_epoch_milliseconds(payload.get("from"))


def is_stopped(payload: Payload) -> bool:
    """Whether a Smappee session has ended: only the status STOPPED marks the end."""
    return str(payload.get("status")).upper() == "STOPPED"
