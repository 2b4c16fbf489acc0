"""Jedlix's running sessions, in a list that is not read to its end: none is missed, whatever misleads the reader."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from pipelines.vendors import jedlix
from pipelines.vendors.contract import Window
from sandbox.server import Sandbox
from tests.faults.scene import Scene, iso
from tests.faults.verdict import Walk

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = datetime(2026, 3, 12, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
CLOSED = 20
PAGE = 3
NEWEST = FIRST - HOUR
# On the last page but one.
EARLY = BEGINS_AT + 35 * HOUR


@contextmanager
def refreshed(
    tmp_path: Path,
    running_since: datetime,
    *,
    closed_like: Mapping[str, Any] | None = None,
    mislead: Callable[[Scene, Sandbox], None] = lambda scene, sandbox: None,
) -> Iterator[Walk]:
    """A refresh of many closed sessions and one that runs. `closed_like`: fields of the newest of the closed ones."""
    made = Scene(BEGINS_AT - timedelta(days=60))
    for number in range(CLOSED):
        started_at = BEGINS_AT + (number + 1) * 10 * HOUR
        fields = closed_like if closed_like and number == CLOSED - 1 else {}
        made.jedlix(f"closed-{number}", started_at, started_at + HOUR, **fields)
    made.jedlix("running", running_since, None)
    with pytest.MonkeyPatch.context() as patched, Sandbox(made.world, FIRST) as sandbox:
        patched.setattr(jedlix, "PAGE_SIZE", PAGE)
        mislead(made, sandbox)
        walk = Walk(tmp_path, sandbox, "2026-03")
        walk.refresh(FIRST, vendors=["jedlix"])
        yield walk


def asked_by_start(walk: Walk) -> list[dict[str, list[str]]]:
    queries = [parse_qs(request.query) for request in walk.requests("jedlix", "sessions")]
    return [query for query in queries if "startTimeFrom" in query]


def assert_found(walk: Walk) -> None:
    assert walk.house.query("SELECT session_id FROM open_session") == [("running",)]
    assert walk.gaps() == {}


def test_the_list_is_turned_no_further_than_to_the_running_one_and_its_end_is_looked_at(tmp_path: Path) -> None:
    with refreshed(tmp_path, NEWEST) as walk:
        assert_found(walk)
        first, last, count = asked_by_start(walk)
        assert (first["pageIndex"], last["pageIndex"]) == (["1"], [str(-(-(CLOSED + 1) // PAGE))])
        assert "endTimeFrom" in count


def test_a_session_that_has_run_for_longer_than_the_look_back_does_not_have_the_recent_list_turned_to_its_end(
    tmp_path: Path,
) -> None:
    long_ago = FIRST - timedelta(days=7, hours=12)
    with refreshed(tmp_path, long_ago) as walk:
        at_first = len(asked_by_start(walk))
        walk.refresh(FIRST + HOUR, vendors=["jedlix"])
        assert_found(walk)
        around, *recent = asked_by_start(walk)[at_first:]
        assert around["startTimeFrom"] == [iso(long_ago - HOUR)]
        assert [query["startTimeFrom"] for query in recent] == [[iso(FIRST - timedelta(days=7))]] * 3
        first, last, count = recent
        assert (first["pageIndex"], last["pageIndex"]) == (["1"], ["4"])
        assert "endTimeFrom" in count


@pytest.mark.parametrize("start", ["2026-03-05", "20260305T080000Z", 1772697600000, "soon", None])
def test_a_closed_one_whose_start_the_vendor_reads_otherwise_hides_no_running_one(tmp_path: Path, start: Any) -> None:
    with refreshed(tmp_path, EARLY, closed_like={"startTime": start}) as walk:
        assert_found(walk)


def test_a_closed_one_that_leaves_the_list_before_it_is_turned_hides_no_running_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds = jedlix._bounds
    corrected: list[str] = []

    def mislead(made: Scene, sandbox: Sandbox) -> None:
        def correcting(clock: str, window: Window) -> dict[str, str | int]:
            if clock == "startTime" and not corrected:
                corrected.append("closed-0")
                made.again("jedlix", "closed-0", FIRST, startTime=iso(FIRST - 100 * 24 * HOUR))
            return bounds(clock, window)

        monkeypatch.setattr(jedlix, "_bounds", correcting)

    with refreshed(tmp_path, EARLY, mislead=mislead) as walk:
        assert corrected
        assert_found(walk)


def test_totals_that_are_too_low_hide_no_running_one(tmp_path: Path) -> None:
    def mislead(made: Scene, sandbox: Sandbox) -> None:
        sandbox.faults.arm("lying_total", "jedlix", endpoint="sessions", value=-1, times=None)

    with refreshed(tmp_path, EARLY, mislead=mislead) as walk:
        assert_found(walk)


def test_a_vendor_that_refuses_both_filters_at_once_has_its_list_read_to_the_end(tmp_path: Path) -> None:
    with refreshed(tmp_path / "taken", NEWEST) as walk:
        queries = [parse_qs(request.query) for request in walk.requests("jedlix", "sessions")]
        both = [{"endTimeFrom", "startTimeFrom"} <= query.keys() for query in queries]
        assert both.count(True) == 1

    def mislead(made: Scene, sandbox: Sandbox) -> None:
        sandbox.faults.arm("status", "jedlix", endpoint="sessions", nth=1 + both.index(True), value=400)

    with refreshed(tmp_path / "refused", NEWEST, mislead=mislead) as walk:
        assert_found(walk)
        # The last page is full, so another might follow.
        assert {page for query in asked_by_start(walk) for page in query["pageIndex"]} == {
            str(1 + number) for number in range(1 + (CLOSED + 1) // PAGE)
        }


@pytest.mark.parametrize("days", [50, 61, 120])
def test_a_session_that_has_run_for_months_is_found_at_first_for_three_requests(tmp_path: Path, days: int) -> None:
    """It is the newest of what began more than two months ago, whose rest is known to be closed."""
    as_of = FIRST + timedelta(days=days) - HOUR
    made = Scene(BEGINS_AT - timedelta(days=60))
    for number in range(CLOSED):
        started_at = BEGINS_AT + (number + 1) * 10 * HOUR
        made.jedlix(f"closed-{number}", started_at, started_at + HOUR)
    made.jedlix("running", FIRST, None)
    with pytest.MonkeyPatch.context() as patched, Sandbox(made.world, as_of) as sandbox:
        patched.setattr(jedlix, "PAGE_SIZE", PAGE)
        walk = Walk(tmp_path, sandbox, "2026-03")
        walk.refresh(as_of, vendors=["jedlix"])
        assert_found(walk)
        asked = asked_by_start(walk)
        assert len(asked) <= 4, "the recent ones, of which there are none, and three for the others"
