"""Edits of the world while a client pages through one of its lists.

GreenFlux: an object that was already served is modified, leaves the window that is being read and pulls its neighbours
one place forward. Jedlix: a new session appears at the head of the newest-first list and pushes all others back.
Every edit advances the virtual clock by one millisecond, so that only a later reading of the world shows it.
"""

import uuid
from datetime import datetime, timedelta

from sandbox.timeline import Payload
from sandbox.world import World

STIRRED_ENDPOINTS = (
    ("greenflux", "locations"),
    ("greenflux", "charge_stations"),
    ("greenflux", "cdrs"),
    ("jedlix", "sessions"),
)
"""The lists that can be stirred."""


class Spoon:
    """Remembers what was served of each list, and makes the edits."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._served: dict[tuple[str, str], list[str]] = {}
        self._inserted = 0

    def serve(self, vendor: str, endpoint: str, object_ids: list[str]) -> None:
        """Remembers the objects of a page that went out."""
        self._served.setdefault((vendor, endpoint), []).extend(object_ids)

    def stir(self, vendor: str, endpoint: str, now: datetime) -> datetime:
        """Makes one edit a millisecond after `now`; returns that instant, or `now` if there was nothing to edit."""
        served = self._served.get((vendor, endpoint), [])
        if (vendor, endpoint) not in STIRRED_ENDPOINTS or not served:
            return now
        later = now + timedelta(milliseconds=1)
        timeline = self._world.shelf(vendor, endpoint).timelines[served[0]]
        shown = timeline.at(now)
        if shown is None:
            return now
        if vendor == "jedlix":
            self._insert_session(shown.payload, later)
        else:
            served.pop(0)
            clock = "last_updated" if endpoint == "cdrs" else "modified"
            self._world.show(vendor, endpoint, timeline.object_id, {**shown.payload, clock: _written(later)}, later)
        return later

    def _insert_session(self, like: Payload, later: datetime) -> None:
        self._inserted += 1
        identity = str(uuid.uuid5(uuid.NAMESPACE_URL, f"stirred-{self._inserted}"))
        session = {
            **like,
            "id": identity,
            "status": "Complete",
            "calibrationState": None,
            "startTime": _written(later - timedelta(minutes=30)),
            "endTime": _written(later - timedelta(minutes=5)),
            "energyCharged": 1.5,
        }
        self._world.show("jedlix", "sessions", identity, session, later)


def _written(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
