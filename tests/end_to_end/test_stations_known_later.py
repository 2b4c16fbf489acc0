"""Stations that become known, or move, after their sessions: increments give the same result as a rebuild."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.end_to_end.published import Chargehouse
from tests.faults.scene import CHARGER, EVSE, INSTALLATION, PLACE, STATION, Scene, iso

FIRST = datetime(2026, 4, 2, 6, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Chargehouse]:
    """A warehouse after two refreshes. Between them a station moved, of which a CDR names an EVSE but no location; and
    a charger moved, with a running session and one voided while it ran, both read by charger."""
    scene = Scene(datetime(2026, 1, 1, tzinfo=UTC))
    started_at = FIRST - timedelta(days=1)
    scene.greenflux("no-location", started_at, started_at + HOUR, location={"evses": [{"uid": EVSE}]})
    scene.station(STATION, EVSE, FIRST + HOUR, location_id="place-2")
    scene.greenflux("after-the-move", FIRST + 2 * HOUR, FIRST + 3 * HOUR, location={"evses": [{"uid": EVSE}]})
    # Too long ago to be read a second time.
    ended_at = f'"endDateTime":"{iso(FIRST - timedelta(days=19))}"'
    for name, is_voided in (("running", False), ("voided", True)):
        scene.zaptec(name, FIRST - timedelta(days=20), FIRST - timedelta(days=19), voided=is_voided)
        scene.on_the_wire("zaptec", "sessions", name, ended_at, '"endDateTime":null')
    scene.installation("house-2")
    scene.charger(CHARGER, "house-2", FIRST + HOUR)
    with Sandbox(scene.world, now=FIRST) as sandbox:
        house = Chargehouse(tmp_path, sandbox, CHARGEHOUSE_FIRST_MONTH="2026-03", ZAPTEC_CHARGER_IDS=CHARGER)
        for instant in (FIRST, SECOND):
            sandbox.now = instant
            assert house.run("refresh", "--as-of", instant.isoformat()) == command.DONE
        yield house


def located(house: Chargehouse) -> list[tuple[str, ...]]:
    return house.query(
        "SELECT 'fact_session', station_id, location_id FROM fact_session "
        "UNION ALL SELECT DISTINCT 'fact_energy', station_id, location_id FROM fact_energy "
        "UNION ALL SELECT 'open_session', station_id, location_id FROM open_session "
        "UNION ALL SELECT 'rejected_session', station_id, location_id FROM rejected_session ORDER BY ALL"
    )


def test_sessions_stay_where_their_station_stood_when_they_began_as_after_a_rebuild(house: Chargehouse) -> None:
    by_increments = located(house)
    assert by_increments == [
        ("fact_energy", STATION, PLACE),
        ("fact_energy", STATION, "place-2"),
        ("fact_session", STATION, PLACE),
        ("fact_session", STATION, "place-2"),
        ("open_session", CHARGER, INSTALLATION),
        ("rejected_session", CHARGER, INSTALLATION),
    ]
    assert house.run("rebuild") == command.DONE
    assert located(house) == by_increments
