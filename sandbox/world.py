"""A world: everything that the four vendors will ever show, and when each version becomes visible."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, datetime
from threading import RLock

from sandbox.timeline import Payload, Timeline, Version

ENDPOINTS: dict[str, tuple[str, ...]] = {
    "zaptec": ("installations", "chargers", "sessions"),
    "jedlix": ("users", "vehicles", "charging_locations", "sessions"),
    "greenflux": ("locations", "charge_stations", "cdrs"),
    "smappee": ("service_locations", "sessions"),
}
"""Every vendor and its endpoints, by the names used throughout the sandbox."""

SESSION_ENDPOINTS: dict[str, str] = {
    "zaptec": "sessions",
    "jedlix": "sessions",
    "greenflux": "cdrs",
    "smappee": "sessions",
}
"""The endpoint of each vendor that lists charging sessions."""


class Shelf:
    """The timelines of one endpoint, and a revision number that increases with every edit."""

    def __init__(self) -> None:
        self.timelines: dict[str, Timeline] = {}
        self.revision = 0
        self._instants: list[datetime] = []
        self._instants_revision = -1

    def epoch(self, instant: datetime) -> tuple[int, int]:
        """A key that is equal for two instants if no version becomes visible between them. Every edit changes it."""
        if self._instants_revision != self.revision:
            self._instants = sorted(version.shown_from for line in self.timelines.values() for version in line.versions)
            self._instants_revision = self.revision
        return self.revision, bisect_right(self._instants, instant)


class World:
    """What the vendors show. Safe to edit from one thread while the server reads it in another."""

    def __init__(self) -> None:
        self.lock = RLock()
        self._shelves = {(vendor, endpoint): Shelf() for vendor, names in ENDPOINTS.items() for endpoint in names}
        self._parks: list[str] = []
        self._parks_revisions = (-1, -1)

    def shelf(self, vendor: str, endpoint: str) -> Shelf:
        """The timelines of an endpoint. Raises KeyError for an endpoint that no vendor has."""
        return self._shelves[vendor, endpoint]

    def show(
        self,
        vendor: str,
        endpoint: str,
        object_id: str,
        payload: Payload,
        shown_from: datetime,
        scope: str | None = None,
    ) -> None:
        """Adds an object, or a version to one that exists.

        `payload` is kept, not copied. `scope` is the Smappee park of a session, or its Zaptec installation if that is
        not the one of the session's charger; None leaves the scope unchanged. Raises ValueError for a naive instant.
        """
        if shown_from.tzinfo is None:
            raise ValueError(f"shown_from must have a time zone: {shown_from}")
        with self.lock:
            shelf = self.shelf(vendor, endpoint)
            line = shelf.timelines.setdefault(object_id, Timeline(object_id))
            if scope is not None:
                line.scope = scope
            line.add(Version(shown_from.astimezone(UTC), payload))
            shelf.revision += 1

    def timelines(self, vendor: str, endpoint: str) -> list[Timeline]:
        """All objects of an endpoint, visible or not, in the order in which they were added."""
        with self.lock:
            return list(self.shelf(vendor, endpoint).timelines.values())

    def shown(self, vendor: str, endpoint: str, instant: datetime) -> Iterator[tuple[Timeline, Version]]:
        """The objects that an endpoint shows at `instant`, each with the version shown then."""
        for line in self.timelines(vendor, endpoint):
            version = line.at(instant)
            if version is not None:
                yield line, version

    def parks(self) -> list[str]:
        """The Smappee service locations that are charging parks, including those without a session yet."""
        shelves = [self.shelf("smappee", name) for name in ENDPOINTS["smappee"]]
        with self.lock:
            revisions = (shelves[0].revision, shelves[1].revision)
            if revisions != self._parks_revisions:
                named = set(shelves[0].timelines)
                used = {line.scope for line in shelves[1].timelines.values() if line.scope is not None}
                self._parks = sorted(named | used)
                self._parks_revisions = revisions
            return list(self._parks)
