"""What becomes of a session, and of what it names: F56 to F61."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.faults.scene import CHARGER, INSTALLATION, PARK, STATION, Scene, iso
from tests.faults.verdict import Walk

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = datetime(2026, 3, 12, 6, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
REFRESHES = [FIRST, FIRST + 2 * DAY, FIRST + 4 * DAY]
BETWEEN = [FIRST + DAY, FIRST + 3 * DAY]


def scene() -> Scene:
    made = Scene(BEGINS_AT - timedelta(days=60))
    started_at, ended_at = FIRST - 2 * DAY, FIRST - 2 * DAY + HOUR
    # Voided, replaced, replaced by one that never comes.
    for name, changes in (
        ("void", {"voided": True}),
        ("replaced", {"replacedBySessionId": "replacement"}),
        ("orphan", {"voided": False, "replacedBySessionId": "never-came"}),
    ):
        made.zaptec(name, started_at, ended_at)
        made.again("zaptec", name, BETWEEN[0], **changes)
    made.zaptec("replacement", started_at, ended_at, 9.0, at=BETWEEN[0])
    # Open, then closed; a closed one that vanishes from the list.
    made.jedlix("open-then-closed", FIRST - HOUR, None)
    made.again("jedlix", "open-then-closed", BETWEEN[0], endTime=iso(FIRST), status="Complete", energyCharged=5.0)
    made.smappee(1, FIRST - HOUR, None)
    closed = {"to": int(FIRST.timestamp() * 1000), "status": "STOPPED", "energy": 5.0}
    made.again("smappee", "1", BETWEEN[0], **closed)
    made.zaptec("purged", started_at, ended_at)
    made.again("zaptec", "purged", BETWEEN[0], endDateTime=None)
    # A station that is renamed, moved, removed and set up again; a charger that moves.
    made.greenflux("before-the-move", started_at, ended_at)
    made.station(STATION, "evse-1", BETWEEN[0], name="Renamed", location_id="place-2")
    made.station(STATION, "evse-1", BETWEEN[0] + HOUR, name="Renamed", location_id="place-2", deploy_state="Removed")
    made.station(STATION, "evse-1", BETWEEN[1], name="Back", location_id="place-1")
    made.installation("house-2")
    made.charger("charger-2", INSTALLATION)
    made.charger("charger-2", "house-2", BETWEEN[1], Name="Moved")
    # A session of a station that is not known yet.
    made.greenflux("unknown-station", started_at, ended_at, evse="evse-9")
    made.station("station-9", "evse-9", BETWEEN[0])
    return made


class Lived:
    """A walk, and the stations of the CDRs after each of its refreshes."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.stations: list[dict[str, str | None]] = []

    def refresh(self, instant: datetime, expecting: int = command.DONE) -> None:
        self.walk.refresh(instant, expecting=expecting)
        stations = self.walk.house.query("SELECT session_id, station_id FROM fact_session WHERE vendor = 'greenflux'")
        self.stations.append(dict(stations))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    with Sandbox(scene().world, FIRST) as sandbox:
        met = Lived(Walk(tmp_path_factory.mktemp("data"), sandbox, "2026-03"))
        for instant in REFRESHES:
            met.refresh(instant)
        yield met


def test_the_world_that_was_lived_through_equals_the_truth(lived: Lived) -> None:
    assert lived.walk.differences() == {}


@pytest.mark.parametrize("session", ["open-then-closed", "1"])
def test_f56_open_then_closed_is_one_row_and_no_longer_open(lived: Lived, session: str) -> None:
    house = lived.walk.house
    counted = house.query(f"SELECT count(*), sum(energy_kwh) FROM fact_session WHERE session_id = '{session}'")
    assert counted == [(1, 5)]
    assert house.query(f"SELECT count(*) FROM open_session WHERE session_id = '{session}'") == [(0,)]


def test_f57_voided_and_replaced_sessions_are_rejected_and_the_replacement_counts(lived: Lived) -> None:
    house = lived.walk.house
    assert dict(house.query("SELECT session_id, reason FROM rejected_session")) == {
        "void": "void",
        "replaced": "replaced",
        "orphan": "replaced",
    }
    assert house.query("SELECT energy_kwh FROM fact_session WHERE session_id = 'replacement'") == [(9,)]


def test_f59_what_vanishes_from_a_list_stays_as_it_was(lived: Lived) -> None:
    assert lived.walk.house.query("SELECT count(*) FROM fact_session WHERE session_id = 'purged'") == [(1,)]


@pytest.mark.parametrize("table", ["dim_charge_station", "dim_location", "dim_connector"])
def test_f60_versions_touch_and_never_overlap_and_one_is_current(lived: Lived, table: str) -> None:
    key = {"dim_location": "location_id", "dim_charge_station": "station_id"}.get(
        table, "station_id || evse_id || connector_id"
    )
    rows = lived.walk.house.query(
        f"SELECT vendor || {key}, valid_from, valid_to, is_current FROM {table} ORDER BY 1, 2"
    )
    for identity in {name for name, *_ in rows}:
        versions = [row[1:] for row in rows if row[0] == identity]
        assert [valid_to for _, valid_to, _ in versions] == [*(valid_from for valid_from, *_ in versions[1:]), None]
        assert [is_current for *_, is_current in versions] == [False] * (len(versions) - 1) + [True]


def test_f60_a_station_moved_renamed_removed_and_set_up_again_keeps_what_a_refresh_saw_of_it(lived: Lived) -> None:
    versions = lived.walk.house.query(
        "SELECT name, location_id, deploy_state FROM dim_charge_station "
        f"WHERE station_id = '{STATION}' ORDER BY valid_from"
    )
    assert versions == [
        ("Station station-1", "place-1", "Production"),
        ("Renamed", "place-2", "Removed"),
        ("Back", "place-1", "Production"),
    ]
    assert lived.stations[-1]["before-the-move"] == STATION


def test_f61_a_session_of_an_unknown_station_counts_and_is_filled_in_once_it_is_known(lived: Lived) -> None:
    assert [stations["unknown-station"] for stations in lived.stations] == [None, "station-9", "station-9"]
    slots = lived.walk.house.query("SELECT DISTINCT station_id FROM fact_energy WHERE session_id = 'unknown-station'")
    assert slots == [("station-9",)]


def test_f60_a_charger_that_moves_takes_the_sessions_along_that_are_read_again_at_its_new_place(
    tmp_path: Path,
) -> None:
    made = Scene(BEGINS_AT - timedelta(days=60))
    made.zaptec("moved-along", FIRST - DAY, FIRST - DAY + HOUR)
    made.installation("house-2")
    made.charger(CHARGER, "house-2", BETWEEN[0])
    with Sandbox(made.world, FIRST) as sandbox:
        walk = Walk(tmp_path, sandbox, "2026-03")
        walk.refresh(FIRST, vendors=["zaptec"])
        walk.refresh(REFRESHES[1], vendors=["zaptec"])
        assert walk.differences(vendors=["zaptec"]) == {}


@pytest.mark.parametrize("status", [404, 410])
def test_f59_an_endpoint_that_is_removed_is_a_gap_and_its_facts_stay(lived: Lived, status: int) -> None:
    walk = lived.walk
    before = walk.house.query("SELECT * FROM fact_session ORDER BY vendor, session_id")
    gone = walk.sandbox.faults.arm("status", "smappee", endpoint="sessions", value=status, times=None)
    lived.refresh(REFRESHES[-1] + timedelta(minutes=status), expecting=command.INCOMPLETE)
    walk.sandbox.faults.clear()
    assert gone.fired == 1
    assert str(status) in walk.gaps()[f"smappee open_sessions park:{PARK}"]
    assert walk.house.query("SELECT * FROM fact_session ORDER BY vendor, session_id") == before
