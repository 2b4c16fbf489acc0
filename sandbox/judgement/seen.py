"""Which versions of an object a series of refreshes has seen, and which of them is the newest."""

from dataclasses import dataclass
from datetime import datetime

from sandbox.fields import listing_clock
from sandbox.readings import instant_of_text, text
from sandbox.timeline import BEGINNING_OF_TIME, Payload, Timeline, Version
from sandbox.world import SESSION_ENDPOINTS, World


@dataclass(frozen=True)
class Seen:
    """A version of an object, the refresh that first saw it, and the vendor's own clock for it, if it has one."""

    payload: Payload
    read_at: datetime
    clock: datetime | None


def seen_versions(
    timeline: Timeline, refreshes: list[datetime], vendor: str, endpoint: str, first_read_at: datetime | None = None
) -> list[Seen]:
    """The versions that some refresh saw and that count, oldest first: by the vendor's clock, then by the refresh.

    Of several versions with the same clock only the one read last counts. `first_read_at` is where the first refresh
    began to read sessions, on the endpoint's own clock.
    """
    seen = all_seen_versions(timeline, refreshes, vendor, endpoint, first_read_at)
    return [
        each
        for position, each in enumerate(seen)
        if each.clock is None or position + 1 == len(seen) or seen[position + 1].clock != each.clock
    ]


def all_seen_versions(
    timeline: Timeline, refreshes: list[datetime], vendor: str, endpoint: str, first_read_at: datetime | None = None
) -> list[Seen]:
    """Every version that some refresh saw, oldest first: by the vendor's clock, then by the refresh."""
    seen: list[Seen] = []
    last: Version | None = None
    for refresh in refreshes:
        version = timeline.at(refresh)
        if version is None or version is last:
            continue
        if _is_listed(vendor, endpoint, version.payload, refresh, first_read_at):
            last = version
            seen.append(Seen(version.payload, refresh, _vendor_clock(vendor, endpoint, version.payload)))
    return sorted(seen, key=lambda each: (each.clock or BEGINNING_OF_TIME, each.read_at))


def _vendor_clock(vendor: str, endpoint: str, payload: Payload) -> datetime | None:
    if vendor == "greenflux":
        return listing_clock(vendor, endpoint, payload)
    if (vendor, endpoint) == ("jedlix", "charging_locations"):
        return instant_of_text(payload.get("updatedAt"))
    return None


def _is_listed(vendor: str, endpoint: str, payload: Payload, refresh: datetime, first_read_at: datetime | None) -> bool:
    """Whether the list that a refresh reads, from `first_read_at` up to the refresh itself, holds an object.

    Upper bounds are exclusive, except for Jedlix, where they are inclusive.
    """
    if endpoint != SESSION_ENDPOINTS[vendor]:
        clock = listing_clock(vendor, endpoint, payload) if vendor == "greenflux" else None
        return clock is None or clock < refresh
    clock = listing_clock(vendor, endpoint, payload)
    if vendor == "jedlix" and payload.get("endTime") is not None:
        clock = instant_of_text(payload["endTime"]) or clock
    if clock is None or clock > refresh or (clock == refresh and vendor != "jedlix"):
        return False
    return first_read_at is None or clock >= first_read_at


def installations_of_chargers(world: World, refreshes: list[datetime]) -> dict[str | None, str | None]:
    """The Zaptec installation of every charger, as shown at the last refresh."""
    return {
        text(version.payload.get("Id")): text(version.payload.get("InstallationId"))
        for _, version in world.shown("zaptec", "chargers", refreshes[-1])
    }
