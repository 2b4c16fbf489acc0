"""Faults of paging: F14 to F23. Pages are made small, so that small lists have several."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from pipelines import command
from pipelines.vendors import greenflux, jedlix, zaptec
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.cursor import read_cursor_pages
from pipelines.vendors.paging.pages import CursorPage, Page
from sandbox.faults import Fault
from sandbox.server import Sandbox
from sandbox.world import World
from tests.faults.scene import INSTALLATION, Scene
from tests.faults.verdict import Walk

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = datetime(2026, 3, 12, 6, tzinfo=UTC)
# Longer after the first than any look-back: a watermark that had moved past a gap would leave it open.
SECOND = FIRST + timedelta(days=40)
HOUR = timedelta(hours=1)
PAGE = 3


def scene() -> Scene:
    """Ten sessions of each vendor, nine chargers, six locations and seven stations; two more installations."""
    made = Scene(BEGINS_AT - timedelta(days=60))
    for number in range(2, 5):
        made.installation(f"house-{number}")
        made.charger(f"charger-{number}", f"house-{number}")
    for number in range(2, 7):
        made.place(f"place-{number}")
    for number in range(2, 8):
        made.station(f"station-{number}", f"evse-{number}", BEGINS_AT + number * HOUR)
    for number in range(10):
        started_at = BEGINS_AT + number * 20 * HOUR
        for house in ("", "-2", "-3", "-4"):
            charger = f"charger{house or '-1'}"
            made.zaptec(f"zaptec-{number}{house}", started_at, started_at + HOUR, chargerId=charger)
        made.jedlix(f"jedlix-{number}", started_at, started_at + HOUR)
        made.greenflux(f"cdr-{number}", started_at, started_at + HOUR)
        made.smappee(number, started_at, started_at + HOUR)
    return made


@contextmanager
def walking(made: Scene, data: Path) -> Iterator[Walk]:
    with pytest.MonkeyPatch.context() as patched, Sandbox(made.world, FIRST) as sandbox:
        patched.setattr(zaptec, "LIST_PAGE_SIZE", PAGE)
        patched.setattr(zaptec, "ARCHIVE_PAGE_SIZES", (PAGE, PAGE - 1))
        patched.setattr(jedlix, "PAGE_SIZE", PAGE)
        patched.setattr(greenflux, "LIMIT", PAGE)
        patched.setattr(limits, "MOST_PAGES", 40)
        yield Walk(data, sandbox, "2026-03")


def offsets(walk: Walk, endpoint: str) -> list[int]:
    """The offsets that a GreenFlux list was asked for, in order."""
    return [int(parse_qs(request.query)["offset"][0]) for request in walk.requests("greenflux", endpoint)]


class Moved:
    """A refresh of moving lists and the quiet one after it, and the rows that were missing after the first."""

    def __init__(self, walk: Walk, faults: dict[str, Fault]) -> None:
        self.walk = walk
        self.faults = faults
        found = walk.differences(["fact_session", "dim_charge_station", "dim_location"])
        self.lost = [line for lines in found.values() for line in lines if line.startswith("- ")]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    with walking(scene(), tmp_path_factory.mktemp("data")) as walk:
        faults = walk.sandbox.faults
        armed = {
            "jedlix sessions": faults.arm("stir", "jedlix", endpoint="sessions", nth=2, times=2),
            "greenflux charge_stations": faults.arm("stir", "greenflux", endpoint="charge_stations", times=2),
            "greenflux cdrs": faults.arm("stir", "greenflux", endpoint="cdrs", nth=2, times=2),
        }
        walk.refresh(FIRST)
        met = Moved(walk, armed)
        faults.clear()
        walk.refresh(FIRST + timedelta(days=1))
        yield met


def test_f14_rows_that_appear_at_the_head_of_a_newest_first_list_push_none_out(moved: Moved) -> None:
    assert moved.faults["jedlix sessions"].fired == 2
    assert not [line for line in moved.lost if "jedlix" in line]
    assert moved.walk.differences(vendors=["jedlix"]) == {}


def test_f15_a_row_that_leaves_an_offset_list_takes_no_neighbour_along(moved: Moved) -> None:
    assert moved.faults["greenflux charge_stations"].fired == 2
    assert moved.faults["greenflux cdrs"].fired == 2
    assert not [line for line in moved.lost if "greenflux" in line]
    assert moved.walk.differences(vendors=["greenflux"]) == {}


def test_f21_a_total_that_falls_is_stepped_back_over(moved: Moved) -> None:
    assert any(later < earlier for earlier, later in pairwise(offsets(moved.walk, "charge_stations")))
    assert moved.walk.gaps() == {}


def test_f16_ties_on_the_edge_of_a_page_are_all_read(tmp_path: Path) -> None:
    made = Scene(BEGINS_AT - timedelta(days=60))
    for number in range(2 * PAGE + 1):
        started_at, ended_at = BEGINS_AT + HOUR, BEGINS_AT + 2 * HOUR
        made.zaptec(f"zaptec-{number}", started_at, ended_at)
        made.jedlix(f"jedlix-{number}", started_at, ended_at)
        made.greenflux(f"cdr-{number}", started_at, ended_at)
        made.smappee(number, started_at, ended_at)
    with walking(made, tmp_path) as walk:
        walk.refresh(FIRST)
        assert len(walk.requests("zaptec", "sessions")) > 2
        assert walk.differences() == {}
        assert walk.house.query("SELECT count(*) FROM fact_session") == [(4 * (2 * PAGE + 1),)]


@pytest.mark.parametrize("ordered", [True, False])
def test_f17_a_short_page_is_not_taken_for_the_last_where_nothing_tells_the_end(tmp_path: Path, ordered: bool) -> None:
    with walking(scene(), tmp_path) as walk:
        settings = walk.sandbox.settings.greenflux
        settings.page_cap, settings.ordered = PAGE - 1, ordered
        settings.link_header = settings.total_count_header = settings.limit_header = False
        walk.refresh(FIRST, vendors=["greenflux"])
        assert walk.differences(vendors=["greenflux"]) == {}


def test_f22_a_server_that_caps_its_pages_below_the_limit_is_followed_by_rows_received(tmp_path: Path) -> None:
    with walking(scene(), tmp_path) as walk:
        walk.sandbox.settings.greenflux.page_cap = PAGE - 1
        walk.sandbox.settings.greenflux.bare_array = True
        walk.refresh(FIRST, vendors=["greenflux"])
        assert walk.differences(vendors=["greenflux"]) == {}
        steps = [later - earlier for earlier, later in pairwise(offsets(walk, "locations"))]
        assert steps
        assert max(steps) < PAGE, "the limit asked for would have jumped over rows"


class Broken:
    """A refresh of lists whose paging is broken for good, then one of lists that are whole again."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.gaps = walk.gaps()
        self.requests = list(walk.sandbox.requests)
        self.facts = {session for (session,) in walk.house.query("SELECT session_id FROM fact_session")}

    def count(self, vendor: str, endpoint: str, fault: str) -> int:
        return sum((each.vendor, each.endpoint, each.fault) == (vendor, endpoint, fault) for each in self.requests)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Sandbox]:
    """Another host, on another port: it must never be asked anything."""
    with Sandbox(World(), FIRST) as other:
        yield other


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, elsewhere: Sandbox) -> Iterator[Broken]:
    with walking(scene(), tmp_path_factory.mktemp("data")) as walk:
        faults = walk.sandbox.faults

        def arm(kind: Any, vendor: str, endpoint: str, **details: Any) -> None:
            faults.arm(kind, vendor, endpoint=endpoint, times=None, **details)

        arm("repeated_cursor", "zaptec", "sessions", scope=INSTALLATION, nth=2)
        arm("endless_cursor", "zaptec", "sessions", scope="house-2")
        arm("cursor_missing", "zaptec", "sessions", scope="house-3", nth=2)
        # The answer to an expired cursor.
        arm("status", "zaptec", "sessions", scope="house-4", nth=2, value=400)
        arm("lying_total", "jedlix", "vehicles")
        arm("lying_total", "jedlix", "sessions")
        arm("next_link", "greenflux", "locations", value=f"{elsewhere.url}/greenflux/api/2.0/Locations?offset=3")
        arm("next_link", "greenflux", "charge_stations", value="//elsewhere.example.net/api/2.0/ChargeStations")
        with_user = walk.sandbox.url.replace("http://", "http://somebody:secret@")
        arm("next_link", "greenflux", "cdrs", value=f"{with_user}/greenflux/api/1.0/cdrs?offset=3")
        walk.refresh(FIRST, expecting=command.INCOMPLETE)
        assert all(fault.fired for fault in faults.armed())
        met = Broken(walk)
        faults.clear()
        walk.refresh(SECOND)
        yield met


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ("house-1", "the cursor repeats"),
        ("house-2", "refused with HTTP 400"),
        ("house-3", "more pages follow, but the response has no cursor"),
        ("house-4", "refused with HTTP 400"),
    ],
)
def test_f19_a_cursor_that_repeats_never_ends_goes_missing_or_expires_is_a_gap(
    broken: Broken, scope: str, message: str
) -> None:
    assert message in broken.gaps[f"zaptec sessions installation:{scope}"]
    assert not [session for session in broken.facts if session.startswith("zaptec")]
    assert broken.walk.differences(["fact_session", "fact_energy"], ["zaptec"]) == {}


@pytest.mark.parametrize("place", ["jedlix vehicles all", "jedlix sessions all"])
def test_f21_a_total_that_lies_fails_the_completeness_check(broken: Broken, place: str) -> None:
    assert "totals are wrong" in broken.gaps[place]
    assert broken.walk.differences(["fact_session", "fact_energy"], ["jedlix"]) == {}


def test_f21_a_total_that_is_counted_no_further_than_to_a_limit_hides_no_row(tmp_path: Path) -> None:
    with walking(scene(), tmp_path) as walk:
        capped = walk.sandbox.faults.arm("lying_total", "jedlix", endpoint="sessions", value=2 * PAGE - 10, times=None)
        walk.refresh(FIRST, vendors=["jedlix"])
        assert capped.fired
        assert walk.differences(vendors=["jedlix"]) == {}


@pytest.mark.parametrize("endpoint", ["locations", "charge_stations", "cdrs"])
def test_f20_a_next_link_to_another_host_port_or_user_is_refused(
    broken: Broken, elsewhere: Sandbox, endpoint: str
) -> None:
    assert broken.gaps[f"greenflux {endpoint} all"] == (
        "the link to the next page leads to another host, which is not allowed."
    )
    assert broken.count("greenflux", endpoint, "next_link") == 1
    assert not elsewhere.requests
    assert broken.walk.differences(["fact_session", "fact_energy"], ["greenflux"]) == {}


def test_f18_a_last_page_that_is_exactly_full_ends_the_list(tmp_path: Path) -> None:
    made = Scene(BEGINS_AT - timedelta(days=60))
    for number in range(2, 2 * PAGE + 1):
        made.place(f"place-{number}")
    for number in range(2 * PAGE):
        made.zaptec(f"zaptec-{number}", BEGINS_AT, BEGINS_AT + HOUR + number * timedelta(minutes=1))
        made.jedlix(f"jedlix-{number}", BEGINS_AT, BEGINS_AT + HOUR + number * timedelta(minutes=1))
    with walking(made, tmp_path) as walk:
        walk.refresh(FIRST, vendors=["zaptec", "jedlix", "greenflux"])
        assert len(walk.requests("zaptec", "sessions")) == 2
        assert len(walk.requests("jedlix", "sessions")) == 6, "three for the closed ones, three for the open ones"
        assert len(walk.requests("greenflux", "locations")) <= 4, "pages overlap by a row; one more may prove the end"
        assert walk.differences(vendors=["zaptec", "jedlix", "greenflux"]) == {}


def test_f23_an_empty_page_before_the_last_does_not_end_the_list() -> None:
    # None of the four vendors is known to send one, and nothing here filters pages, so only the reader is tested.
    pages = {
        None: CursorPage(Page(["a"], FIRST), "1", has_more=True),
        "1": CursorPage(Page([], FIRST), "2", has_more=True),
        "2": CursorPage(Page(["b"], FIRST), None, has_more=False),
    }
    assert [list(page.objects) for page in read_cursor_pages(lambda cursor: pages[cursor])] == [["a"], [], ["b"]]
