"""Rows that come late and rows that change: what a refresh finds by itself, and what it takes a reconcile to find."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.faults.scene import Scene, iso
from tests.faults.verdict import Walk

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
FIRST = datetime(2026, 3, 20, 6, tzinfo=UTC)
SECOND = FIRST + 2 * DAY
THIRD = FIRST + 30 * DAY
FOURTH = FIRST + 31 * DAY
FIFTH = FIRST + 32 * DAY
JANUARY = datetime(2026, 1, 10, 9, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, 9, tzinfo=UTC)
VERY_LATE = ("zaptec-very-late", "jedlix-very-late")


def scene() -> Scene:
    """Every way of being late or changing, around four refreshes."""
    made = Scene(datetime(2025, 12, 1, tzinfo=UTC))
    # Within the look-back: uploaded five days after its end.
    made.zaptec("zaptec-late", FIRST - 4 * DAY, FIRST - 4 * DAY + HOUR, at=FIRST + DAY)
    made.jedlix("jedlix-late", FIRST - 4 * DAY, FIRST - 4 * DAY + HOUR, at=FIRST + DAY)
    # Beyond it: uploaded fifty days after its end.
    made.zaptec("zaptec-very-late", FIRST - 40 * DAY, FIRST - 40 * DAY + HOUR, at=FIRST + 10 * DAY)
    made.jedlix("jedlix-very-late", FIRST - 40 * DAY, FIRST - 40 * DAY + HOUR, at=FIRST + 10 * DAY)
    # Energy recalculated, with nothing in the object that tells of it.
    made.zaptec("zaptec-recalculated", FIRST - 3 * DAY, FIRST - 3 * DAY + HOUR, 10.0)
    made.again("zaptec", "zaptec-recalculated", FIRST + DAY, energy=11.5)
    made.jedlix("jedlix-recalculated", FIRST - 3 * DAY, FIRST - 3 * DAY + HOUR, 10.0)
    made.again("jedlix", "jedlix-recalculated", FIRST + DAY, energyCharged=9.25)
    # A CDR issued again, twice, long after its end.
    made.greenflux("cdr-again", FIRST - 25 * DAY, FIRST - 25 * DAY + HOUR, 10.0)
    made.again("greenflux", "cdr-again", FIRST + DAY, total_cost=1.0)
    made.again("greenflux", "cdr-again", FIRST + 20 * DAY, total_energy=8.0, total_cost=0.8)
    # Corrections that move a session to another month: changed dates, and a CDR issued again, out of a month that
    # nothing else touches.
    made.zaptec("zaptec-moved", FIRST - 2 * DAY, FIRST - 2 * DAY + HOUR)
    made.again("zaptec", "zaptec-moved", FIRST + DAY, startDateTime=iso(datetime(2026, 2, 28, 23, tzinfo=UTC)))
    made.greenflux("cdr-moved", JANUARY, JANUARY + 2 * HOUR)
    moved = {"start_date_time": iso(FEBRUARY), "stop_date_time": iso(FEBRUARY + 2 * HOUR)}
    made.again("greenflux", "cdr-moved", FIRST + DAY, **moved)
    # Running at the first refresh, and ending 1, 10 or 21 days after it.
    for days in (1, 10, 21):
        started_at = FIRST - DAY
        made.smappee(days, started_at, None)
        made.again("smappee", str(days), FIRST + days * DAY, status="SUSPENDED")
        closed = {"to": int((FIRST + days * DAY + HOUR).timestamp() * 1000), "status": "STOPPED", "energy": 20.0}
        made.again("smappee", str(days), FIRST + days * DAY + HOUR, **closed)
        made.jedlix(f"jedlix-open-{days}", started_at, None)
        ended = {"endTime": iso(FIRST + days * DAY + HOUR), "status": "Complete", "energyCharged": 20.0}
        made.again("jedlix", f"jedlix-open-{days}", FIRST + days * DAY + HOUR, **ended)
    # New at the last reading, and on time.
    made.zaptec("zaptec-on-time", FOURTH + HOUR, FOURTH + 2 * HOUR)
    _replacements(made)
    return made


def _replacements(made: Scene) -> None:
    """A chain of three, a cycle of two, one that replaces itself, and one whose replacement never comes."""
    started_at, ended_at = FIRST - 2 * DAY, FIRST - 2 * DAY + HOUR
    for name, successor in (
        ("chain-1", "chain-2"),
        ("chain-2", "chain-3"),
        ("chain-3", None),
        ("cycle-1", "cycle-2"),
        ("cycle-2", "cycle-1"),
        ("self", "self"),
        ("orphan", "never-came"),
    ):
        made.zaptec(name, started_at, ended_at)
        if successor is not None:
            made.again("zaptec", name, FIRST + DAY, replacedBySessionId=successor, voided=name == "chain-1")


class Healed:
    """Three refreshes, and the sessions that were open after the second."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.open_at_second = {row for (row,) in walk.house.query("SELECT session_id FROM open_session")}


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Healed]:
    with Sandbox(scene().world, FIRST) as sandbox:
        walk = Walk(tmp_path_factory.mktemp("data"), sandbox, "2026-01")
        walk.refresh(FIRST)
        walk.refresh(SECOND)
        met = Healed(walk)
        walk.refresh(THIRD)
        yield met


def test_very_late_uploads_are_missed_by_a_refresh_and_healed_by_a_reconcile_that_says_so(refreshed: Healed) -> None:
    walk = refreshed.walk
    expected = walk.differences(["fact_session"])
    missing = [line for lines in expected.values() for line in lines]
    assert len(missing) == 2
    assert all(line.startswith("- ") for line in missing)
    assert all(any(session in line for line in missing) for session in VERY_LATE)
    walk.sandbox.now = FOURTH
    assert walk.run("reconcile", "--months", "4", "--as-of", FOURTH.isoformat()) == command.DONE
    told = {line.split()[0]: line for line in walk.told.splitlines() if "rows received" in line}
    assert " 1 new, 0 changed" in told["zaptec"]
    assert " 1 new, 0 changed" in told["jedlix"]
    assert " 0 new, 0 changed" in told["greenflux"]
    assert " 0 new, 0 changed" in told["smappee"]
    months = walk.house.query(
        "SELECT DISTINCT month FROM fact_session WHERE session_id IN ('{}', '{}')".format(*VERY_LATE)
    )
    assert [line.split() for line in walk.told.partition("Healed\n")[2].splitlines()] == [
        [month, "late"] for (month,) in sorted(months)
    ]
    for instants in walk.read_at.values():
        instants.append(FOURTH)
    assert walk.differences() == {}
    assert walk.run("reconcile", "--months", "4", "--as-of", FOURTH.isoformat()) == command.DONE
    assert "Healed: no session differed from what was known." in walk.told
    walk.sandbox.now = FIFTH
    assert walk.run("reconcile", "--months", "4", "--as-of", FIFTH.isoformat()) == command.DONE
    assert " 1 new, 0 changed" in walk.told
    assert "Healed: no session differed from what was known." in walk.told


@pytest.mark.parametrize("vendor", ["zaptec", "jedlix"])
def test_a_row_within_the_look_back_is_found_by_the_next_refresh(refreshed: Healed, vendor: str) -> None:
    first_read = refreshed.walk.house.query(f"SELECT read_at FROM fact_session WHERE session_id = '{vendor}-late'")
    assert first_read == [(SECOND,)]


def test_energy_recalculated_without_a_timestamp_is_the_newer(refreshed: Healed) -> None:
    energies = refreshed.walk.house.query(
        "SELECT vendor, energy_kwh FROM fact_session WHERE session_id LIKE '%-recalculated' ORDER BY vendor"
    )
    assert [(vendor, float(kwh)) for vendor, kwh in energies] == [("jedlix", 9.25), ("zaptec", 11.5)]


def test_a_cdr_issued_again_replaces_the_older_one(refreshed: Healed) -> None:
    rows = refreshed.walk.house.query("SELECT energy_kwh, cost_amount FROM fact_session WHERE session_id = 'cdr-again'")
    assert [(float(kwh), float(cost)) for kwh, cost in rows] == [(8.0, 0.8)]


@pytest.mark.parametrize(("session", "month"), [("zaptec-moved", "2026-02"), ("cdr-moved", "2026-02")])
def test_a_session_that_a_correction_moves_stands_in_exactly_one_month(
    refreshed: Healed, session: str, month: str
) -> None:
    house = refreshed.walk.house
    assert house.query(f"SELECT month FROM fact_session WHERE session_id = '{session}'") == [(month,)]
    ((total, slots, distinct),) = house.query(
        "SELECT sum(energy_kwh), count(*), count(DISTINCT slot_start_at) FROM fact_energy "
        f"WHERE session_id = '{session}'"
    )
    assert float(total) == 10.0
    assert slots == distinct


def test_f57_chains_and_cycles_of_replacement_end_and_count_once(refreshed: Healed) -> None:
    house = refreshed.walk.house
    names = "('chain-1', 'chain-2', 'chain-3', 'cycle-1', 'cycle-2', 'self', 'orphan')"
    rejected = house.query(f"SELECT session_id, reason FROM rejected_session WHERE session_id IN {names}")
    assert dict(rejected) == {
        "chain-1": "void",
        "chain-2": "replaced",
        "cycle-1": "replaced",
        "cycle-2": "replaced",
        "self": "replaced",
        "orphan": "replaced",
    }
    assert house.query(f"SELECT session_id FROM fact_session WHERE session_id IN {names}") == [("chain-3",)]


def test_f56_a_session_that_ran_for_three_weeks_moves_from_open_to_one_row(refreshed: Healed) -> None:
    assert refreshed.open_at_second == {"10", "21", "jedlix-open-10", "jedlix-open-21"}
    house = refreshed.walk.house
    assert house.query("SELECT count(*) FROM open_session") == [(0,)]
    closed = house.query(
        "SELECT vendor, count(*), count(DISTINCT session_id), sum(energy_kwh) FROM fact_session "
        "WHERE vendor = 'smappee' OR session_id LIKE 'jedlix-open-%' GROUP BY vendor ORDER BY vendor"
    )
    assert [(vendor, rows, ids, float(kwh)) for vendor, rows, ids, kwh in closed] == [
        ("jedlix", 3, 3, 60.0),
        ("smappee", 3, 3, 60.0),
    ]


def test_f48_a_session_that_runs_since_a_month_that_was_backfilled_is_read_when_it_ends(tmp_path: Path) -> None:
    started_at, ended_at = FIRST - 150 * DAY, FIRST + 2 * DAY
    made = Scene(started_at - DAY)
    made.smappee(1, started_at, None)
    closed = {"to": int(ended_at.timestamp() * 1000), "status": "STOPPED", "energy": 20.0}
    made.again("smappee", "1", ended_at, **closed)
    with Sandbox(made.world, FIRST) as sandbox:
        walk = Walk(tmp_path, sandbox, "2025-12")
        walk.refresh(FIRST, vendors=["smappee"])
        assert walk.house.query("FROM open_session") == []
        backfill = ("backfill", "--from", "2025-10", "--to", "2025-11", "--as-of", FIRST.isoformat())
        assert walk.run(*backfill, "--vendor", "smappee") == command.DONE, walk.told
        assert walk.house.query("SELECT session_id FROM open_session") == [("1",)]
        walk.refresh(FIRST + 3 * DAY, vendors=["smappee"])
        assert walk.house.query("SELECT session_id, energy_kwh::DOUBLE FROM fact_session") == [("1", 20.0)]
        assert walk.gaps() == {}
