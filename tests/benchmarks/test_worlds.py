"""The served worlds: a history that stands still, as much news as asked for, and requests counted from the world."""

from datetime import UTC, datetime

import pytest

from benchmarks.worlds import DAY, WorldPlan, least_requests, objects_shown, planned_world
from sandbox.generate import generate_world
from sandbox.world import ENDPOINTS, SESSION_ENDPOINTS, World

AS_OF = datetime(2026, 4, 15, tzinfo=UTC)


def world(sessions: int, days: int, news: int) -> World:
    return planned_world(WorldPlan("generated", AS_OF, sessions, sessions, days, news))


def changed(served: World, vendor: str, endpoint: str) -> int:
    """How many objects have another version a day later."""
    return sum(line.at(AS_OF) is not line.at(AS_OF + DAY) for line in served.timelines(vendor, endpoint))


@pytest.mark.parametrize(("sessions", "days"), [(2_000, 100), (4_000, 100), (8_000, 200)])
def test_the_news_are_the_same_number_on_every_history(sessions: int, days: int) -> None:
    served = world(sessions, days, 3)
    for vendor, endpoints in ENDPOINTS.items():
        for endpoint in endpoints:
            assert changed(served, vendor, endpoint) == (3 if SESSION_ENDPOINTS[vendor] == endpoint else 0)


def test_too_much_news_is_refused() -> None:
    with pytest.raises(ValueError, match="the day of news needs 50 sessions"):
        world(400, 100, 50)


def test_what_is_served_is_what_the_sandbox_makes_up() -> None:
    lean = world(400, 100, 0)
    whole = generate_world(7, AS_OF - 100 * DAY, AS_OF, 400, continues_days=1)
    for vendor, endpoints in ENDPOINTS.items():
        for endpoint in endpoints:
            texts, expected = (
                {line.object_id: version.encoded for line, version in each.shown(vendor, endpoint, AS_OF)}
                for each in (lean, whole)
            )
            assert texts == expected
    assert objects_shown(lean, AS_OF) == objects_shown(whole, AS_OF)
    assert least_requests(lean, AS_OF) == least_requests(whole, AS_OF)


def test_the_least_requests_are_full_pages() -> None:
    least = least_requests(world(4_000, 100, 0), AS_OF)
    # 1,000 CDRs in pages of 100, plus one page of locations and a few of charge stations.
    assert 11 <= least["greenflux"] <= 15
