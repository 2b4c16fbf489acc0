"""A running session that cannot be read is rejected and touches the facts only once, however often it is seen."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.end_to_end.published import Chargehouse
from tests.faults.scene import Scene, iso

FIRST = datetime(2026, 4, 2, 6, tzinfo=UTC)
STARTED = FIRST - timedelta(hours=5)


@pytest.fixture
def scene() -> Scene:
    made = Scene(datetime(2026, 1, 1, tzinfo=UTC))
    made.jedlix("running", STARTED, None)
    made.on_the_wire("jedlix", "sessions", "running", iso(STARTED), "soon")
    return made


def test_a_running_session_that_cannot_be_read_is_no_news_when_it_is_seen_again(scene: Scene, tmp_path: Path) -> None:
    with Sandbox(scene.world, now=FIRST) as sandbox:
        house = Chargehouse(tmp_path, sandbox, CHARGEHOUSE_FIRST_MONTH="2026-04")
        for day in range(3):
            sandbox.now = FIRST + timedelta(days=day)
            assert house.run("refresh", "--as-of", sandbox.now.isoformat()) == command.DONE
    assert house.query("SELECT session_id, reason, month FROM rejected_session") == [("running", "unreadable", None)]
    assert house.query("SELECT month, reason, touched_at FROM ops.touched_month") == [("none", "new", FIRST)]
    seen = "SELECT sum(rows_new), sum(rows_changed) FROM ops.load_audit WHERE endpoint IN ('sessions', 'open_sessions')"
    assert house.query(seen) == [(1, 0)]
