"""The worlds that are served: a history up to one instant, and one day of news after it.

After that instant only the news changes the world. A long history has as much news as a short one, so that the cost of
a day's refresh can be compared.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import orjson

from sandbox.fields import is_stopped
from sandbox.generation import greenflux, jedlix, smappee, zaptec
from sandbox.generation.brief import Brief
from sandbox.timeline import Payload, Timeline
from sandbox.world import ENDPOINTS, SESSION_ENDPOINTS, World
from tests.real_input import sources
from tests.real_input.real_world import real_world

DAY = timedelta(days=1)
_SEED = 7

_ZAPTEC_ARCHIVE_PAGE, _LIST_PAGE = 200, 100
"""The largest page sizes that the vendors accept."""

_LISTED_BY = {
    *("Id", "InstallationId", "chargerId", "endDateTime"),  # Zaptec
    *("startTime", "endTime", "createdAt"),  # Jedlix
    *("created", "modified", "last_updated"),  # GreenFlux
    *("from", "status"),  # Smappee
}
"""The fields by which the sandbox filters and orders its lists."""


@dataclass(frozen=True)
class WorldPlan:
    """What to serve: the real data, or about `sessions` invented sessions in the `days` before `as_of`.

    The fleet fits `fleet_sessions` sessions. `news` sessions of each vendor close within the day after `as_of`.
    """

    kind: Literal["real", "generated"]
    as_of: datetime
    sessions: int
    fleet_sessions: int
    days: int
    news: int


class _LeanWorld(World):
    """A world that keeps of every object only its JSON and the fields that lists need: a million sessions must fit."""

    def __init__(self, shown_until: datetime) -> None:
        super().__init__()
        self._shown_until = shown_until

    def show(
        self,
        vendor: str,
        endpoint: str,
        object_id: str,
        payload: Payload,
        shown_from: datetime,
        scope: str | None = None,
    ) -> None:
        if shown_from <= self._shown_until:
            lean = {name: payload[name] for name in _LISTED_BY & payload.keys()}
            super().show(vendor, endpoint, object_id, lean, shown_from, scope)
            line = self.shelf(vendor, endpoint).timelines[object_id]
            shown = next(version for version in line.versions if version.payload is lean)
            # Encoded now, so that no client waits for it; copied, because orjson's bytes take several times their size.
            shown.encoded = bytes(memoryview(orjson.dumps(payload)))


def planned_world(plan: WorldPlan) -> World:
    """The world of a plan. Raises ValueError if fewer sessions close on the day of news than the plan requires."""
    if plan.kind == "real":
        with tempfile.TemporaryDirectory() as folder:
            return _encoded(real_world(sources.sessions(), Path(folder)))
    world = _LeanWorld(plan.as_of + DAY)
    begins_at = plan.as_of - plan.days * DAY
    share, fleet = plan.sessions // 4, plan.fleet_sessions // 4
    brief = Brief(_SEED, begins_at, plan.as_of, share, 1, very_late=0.0, fleet_sessions=fleet)
    # As `sandbox.generate.generate_world` does, but into this world.
    for vendor in (zaptec, jedlix, greenflux, smappee):
        vendor.populate(world, brief)
    for name, endpoints in ENDPOINTS.items():
        for endpoint in endpoints:
            _stand_still(world, name, endpoint, plan)
    return world


def _encoded(world: World) -> World:
    """The world, with every object serialised."""
    for vendor, endpoints in ENDPOINTS.items():
        for endpoint in endpoints:
            for line in world.timelines(vendor, endpoint):
                for version in line.versions:
                    assert version.encoded
    return world


def _stand_still(world: World, vendor: str, endpoint: str, plan: WorldPlan) -> None:
    """Keeps the version of `as_of` of every object, and of the first `news` sessions also those of the day after."""
    shelf = world.shelf(vendor, endpoint)
    closing = _closing(vendor, shelf.timelines, plan) if SESSION_ENDPOINTS[vendor] == endpoint else iter(())
    news = {line.object_id for line, _ in zip(closing, range(plan.news), strict=False)}
    if SESSION_ENDPOINTS[vendor] == endpoint and len(news) < plan.news:
        raise ValueError(
            f"the day of news needs {plan.news} sessions of each vendor, but {vendor} has only {len(news)}"
        )
    kept: dict[str, Timeline] = {}
    for line in shelf.timelines.values():
        old = line.at(plan.as_of)
        new = [version for version in line.versions if plan.as_of < version.shown_from <= plan.as_of + DAY]
        versions = ([] if old is None else [old]) + (new if line.object_id in news else [])
        if versions:
            kept[line.object_id] = Timeline(line.object_id, line.scope, versions)
    shelf.timelines = kept
    shelf.revision += 1


def _closing(vendor: str, timelines: dict[str, Timeline], plan: WorldPlan) -> Iterator[Timeline]:
    """The sessions that close on the day of news."""
    for line in timelines.values():
        before, after = line.at(plan.as_of), line.at(plan.as_of + DAY)
        was_closed = before is not None and _is_closed(vendor, before.payload)
        if after is not None and _is_closed(vendor, after.payload) and not was_closed:
            yield line


def _is_closed(vendor: str, session: Payload) -> bool:
    if vendor == "jedlix":
        return session["endTime"] is not None
    return vendor != "smappee" or is_stopped(session)


def objects_shown(world: World, now: datetime) -> int:
    """How many objects all endpoints show at `now`."""
    return sum(
        1
        for vendor, endpoints in ENDPOINTS.items()
        for endpoint in endpoints
        for _ in world.shown(vendor, endpoint, now)
    )


def least_requests(world: World, now: datetime) -> dict[str, int]:
    """Per vendor, the fewest requests in which everything it shows at `now` can be read once.

    This assumes the largest pages, no page of a list twice, one request to sign in, and for every park one list of
    completed and one of running sessions.
    """
    shown = {
        (vendor, endpoint): [line for line, _ in world.shown(vendor, endpoint, now)]
        for vendor, endpoints in ENDPOINTS.items()
        for endpoint in endpoints
    }
    by_installation = dict.fromkeys((line.object_id for line in shown["zaptec", "installations"]), 0)
    for line in shown["zaptec", "sessions"]:
        assert line.scope is not None
        by_installation[line.scope] += 1
    lists = {place: _pages(len(lines), _LIST_PAGE) for place, lines in shown.items()}
    archive = sum(_pages(count, _ZAPTEC_ARCHIVE_PAGE) for count in by_installation.values())
    return {
        "zaptec": 1 + lists["zaptec", "installations"] + lists["zaptec", "chargers"] + archive,
        "jedlix": 1 + sum(lists["jedlix", endpoint] for endpoint in ENDPOINTS["jedlix"]),
        "greenflux": sum(lists["greenflux", endpoint] for endpoint in ENDPOINTS["greenflux"]),
        "smappee": 1 + 2 * len(world.parks()),
    }


def _pages(rows: int, size: int) -> int:
    return max(1, -(-rows // size))
