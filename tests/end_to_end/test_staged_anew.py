"""The staged tables are lost just before a refresh brings corrections: every session still ends in one table only."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import command
from pipelines.tables.lakes import Lakes
from pipelines.tables.staging import discard_staged
from sandbox.server import Sandbox
from tests.end_to_end.published import Chargehouse
from tests.faults.scene import Scene, iso

FIRST = datetime(2026, 4, 2, 6, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)
BETWEEN = FIRST + timedelta(hours=6)
HOUR = timedelta(hours=1)
STARTED = FIRST - timedelta(days=1)
LAST_NIGHT_OF_FEBRUARY = datetime(2026, 2, 28, 23, 15, tzinfo=UTC)


@pytest.fixture
def scene() -> Scene:
    """An unreadable start and a clock that is a year ahead, both corrected; a voided session alone in its month."""
    made = Scene(datetime(2026, 1, 1, tzinfo=UTC))
    made.jedlix("unreadable", STARTED, STARTED + HOUR, startTime="soon")
    made.zaptec("wrong-clock", STARTED, STARTED + HOUR, startDateTime="2027-03-05T10:00:00Z")
    made.again("jedlix", "unreadable", BETWEEN, startTime=iso(STARTED))
    made.again("zaptec", "wrong-clock", BETWEEN, startDateTime=iso(STARTED))
    made.zaptec("voided", LAST_NIGHT_OF_FEBRUARY, LAST_NIGHT_OF_FEBRUARY + HOUR, voided=True)
    return made


@pytest.fixture
def house(scene: Scene, tmp_path: Path) -> Iterator[Chargehouse]:
    with Sandbox(scene.world, now=FIRST) as sandbox:
        house = Chargehouse(tmp_path, sandbox, CHARGEHOUSE_FIRST_MONTH="2026-02")
        assert house.run("refresh", "--as-of", FIRST.isoformat()) == command.DONE
        assert tables(house) == {
            ("jedlix", "unreadable"): ["rejected in None"],
            ("zaptec", "wrong-clock"): ["rejected in 2027-03"],
            ("zaptec", "voided"): ["rejected in 2026-02"],
        }
        sandbox.now = SECOND
        yield house


def tables(house: Chargehouse) -> dict[tuple[str, str], list[str]]:
    """The tables and months in which each session is."""
    rows = house.query(
        "SELECT vendor, session_id, 'counted', month FROM fact_session UNION ALL "
        "SELECT vendor, session_id, 'rejected', month FROM rejected_session"
    )
    found: dict[tuple[str, str], list[str]] = {}
    for vendor, session_id, table, month in rows:
        found.setdefault((vendor, session_id), []).append(f"{table} in {month}")
    return found


@pytest.mark.parametrize("zone", ["UTC", "Europe/Brussels"])
def test_a_session_that_leaves_the_rejected_ones_is_not_left_among_them(house: Chargehouse, zone: str) -> None:
    discard_staged(Lakes.below(house.data))
    as_of = SECOND.isoformat()
    assert house.run("refresh", "--as-of", as_of, CHARGEHOUSE_TIME_ZONE=zone) == command.DONE
    assert tables(house) == {
        ("jedlix", "unreadable"): ["counted in 2026-04"],
        ("zaptec", "wrong-clock"): ["counted in 2026-04"],
        ("zaptec", "voided"): ["rejected in 2026-02" if zone == "UTC" else "rejected in 2026-03"],
    }
