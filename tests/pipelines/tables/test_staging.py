"""What a load changes in the staged tables, which months of the facts it touches, and how its rows are counted."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.personal_data import Cleaner, PersonalData, Pseudonyms
from pipelines.raw.fields import fields_table
from pipelines.raw.positions import Positions
from pipelines.raw.raw_log import FIELDS, READINGS, RawLog
from pipelines.raw.raw_rows import raw_rows
from pipelines.raw.readings import Reading, readings_table
from pipelines.tables.lakes import CONSUMED, Lakes
from pipelines.tables.staging import refuse_other_time_zone, stage
from pipelines.vendors import ENDPOINTS
from pipelines.vendors.paging.pages import Page
from tests.faults.scene import iso
from warehouse.errors import LakeError
from warehouse.tables import (
    LATENESS,
    LOAD_AUDIT,
    STAGED_CHARGE_STATION,
    STAGED_SESSION,
    TOUCHED_MONTH,
    VOCABULARY,
)

AT = datetime(2026, 4, 1, 6, tzinfo=UTC)
JANUARY, FEBRUARY, MARCH = (datetime(2026, month, 19, 8, tzinfo=UTC) for month in (1, 2, 3))
_ENDPOINTS = {endpoint.table: endpoint for endpoints in ENDPOINTS.values() for endpoint in endpoints}


class Staged:
    """A raw log and the lake that is staged from it. Every load is a run of its own, an hour after the one before."""

    def __init__(self, data: Path) -> None:
        self.raw_log, self.lakes = RawLog(data), Lakes.below(data)
        self._runs = 0

    def load(
        self,
        table: str,
        *objects: Any,
        scope: str = "all",
        kind: str = "refresh",
        as_of: datetime | None = None,
        stages: bool = True,
    ) -> None:
        """Load one answer of one list, read from the middle of January to the middle of February, and stage it."""
        self._runs += 1
        endpoint, as_of = _ENDPOINTS[table], as_of or AT + self._runs * timedelta(hours=1)
        cleaner = Cleaner(PersonalData(), Pseudonyms(endpoint.vendor, b"key"), keep_signed_readings=False)
        rows = raw_rows([Page(objects, as_of)], endpoint, scope, cleaner, as_of, self.run_id).table
        place = (endpoint.vendor, endpoint.name, scope)
        reading = Reading(self.run_id, as_of, *place, kind, "complete", JANUARY, FEBRUARY, rows_received=len(objects))
        fields = fields_table(endpoint.vendor, cleaner.take_new_fields(), as_of, self.run_id)
        tables = {table: [rows], READINGS: [readings_table([reading])], FIELDS: [fields]}
        self.raw_log.append(tables, Positions(), [endpoint.vendor])
        if stages:
            stage(self.raw_log, self.lakes, "UTC", as_of, self.run_id)

    @property
    def run_id(self) -> str:
        """The run of the newest load."""
        return f"run-{self._runs}"

    def sessions(self, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of every staged session, sorted."""
        return sorted(self.lakes.staging.scan(STAGED_SESSION).select(*columns).collect().iter_rows())

    def touched(self) -> set[tuple[str, str]]:
        """The months that the newest run touched, and why."""
        rows = self.lakes.published.scan(TOUCHED_MONTH).filter(pl.col("run_id") == self.run_id)
        return set(rows.select("month", "reason").collect().iter_rows())

    def vocabulary(self) -> dict[str, datetime]:
        """The names that are noted, each with when it was first seen."""
        return dict(self.lakes.published.scan(VOCABULARY).select("name", "first_seen_at").collect().iter_rows())

    def counted(self, run: int) -> dict[str, int]:
        """The counts of a run that are not zero: the rows received, and what became of them."""
        [row] = self.lakes.published.scan(LOAD_AUDIT).filter(pl.col("run_id") == f"run-{run}").collect().to_dicts()
        counts = {name: row[f"rows_{name}"] for name in ("received", "new", "changed", "unchanged", "rejected")}
        return {name: count for name, count in counts.items() if count}


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    return Staged(tmp_path)


def zaptec(name: str, started_at: datetime | None, **fields: Any) -> dict[str, Any]:
    """An archived session of an hour."""
    ended_at = (started_at or MARCH) + timedelta(hours=1)
    times = {"startDateTime": started_at and iso(started_at), "endDateTime": iso(ended_at)}
    return {"id": name, "chargerId": "c", **times, "energy": 5.0, "voided": False, "aborted": False, **fields}


def jedlix(name: str, started_at: datetime, *, is_closed: bool = True) -> dict[str, Any]:
    ended_at = iso(started_at + timedelta(hours=1)) if is_closed else None
    return {"id": name, "startTime": iso(started_at), "endTime": ended_at, "energyCharged": 5.0}


def cdr(name: str, started_at: datetime, evse: str) -> dict[str, Any]:
    times = {"start_date_time": iso(started_at), "stop_date_time": iso(started_at + timedelta(hours=1))}
    evses = [{"uid": evse, "connectors": [{"id": "1"}]}]
    return {"id": name, **times, "location": {"id": "p", "evses": evses}, "total_energy": 5.0, "last_updated": iso(AT)}


def station(name: str, evse: str) -> dict[str, Any]:
    evses = [{"uid": evse, "connectors": [{"id": "1"}]}]
    return {"charge_station_id": name, "location_id": "p", "evses": evses, "modified": iso(AT)}


def charger(name: str | None, installation: str = "i") -> dict[str, Any]:
    return {"Id": name, "InstallationId": installation}


def test_the_same_id_of_two_vendors_is_two_sessions(staged: Staged) -> None:
    staged.load("zaptec_sessions", zaptec("a", MARCH))
    staged.load("jedlix_sessions", jedlix("a", MARCH))
    assert staged.touched() == {("2026-03", "new")}
    staged.load("zaptec_sessions", zaptec("a", MARCH, energy=6.0))
    assert staged.sessions("vendor", "session_id", "energy_kwh") == [("jedlix", "a", 5.0), ("zaptec", "a", 6.0)]
    assert staged.touched() == {("2026-03", "corrected")}
    assert [staged.counted(run) for run in (1, 2, 3)] == [
        {"received": 1, "new": 1},
        {"received": 1, "new": 1},
        {"received": 1, "changed": 1},
    ]


def test_a_session_that_moves_leaves_the_month_where_it_stood(staged: Staged) -> None:
    staged.load("zaptec_sessions", zaptec("a", MARCH), zaptec("b", MARCH), zaptec("c", FEBRUARY))
    staged.load("zaptec_sessions", zaptec("a", FEBRUARY), zaptec("b", MARCH))
    assert staged.sessions("session_id", "month") == [("a", "2026-02"), ("b", "2026-03"), ("c", "2026-02")]
    assert staged.touched() == {("2026-02", "corrected"), ("2026-03", "corrected")}
    assert staged.counted(2) == {"received": 2, "changed": 1, "unchanged": 1}


def test_a_session_without_a_start_stands_without_a_month_until_it_has_one(staged: Staged) -> None:
    staged.load("zaptec_sessions", zaptec("a", None), zaptec("b", None))
    assert staged.sessions("session_id", "month") == [("a", None), ("b", None)]
    assert staged.touched() == {("none", "new")}
    staged.load("zaptec_sessions", zaptec("a", None))
    assert staged.touched() == set()
    staged.load("zaptec_sessions", zaptec("a", MARCH))
    assert staged.sessions("session_id", "month") == [("a", "2026-03"), ("b", None)]
    assert staged.touched() == {("none", "corrected"), ("2026-03", "corrected")}
    assert [staged.counted(run) for run in (1, 2, 3)] == [
        {"received": 2, "new": 2, "rejected": 2},
        {"received": 1, "unchanged": 1, "rejected": 1},
        {"received": 1, "changed": 1},
    ]


def test_a_session_that_comes_again_as_it_was_touches_nothing_and_one_of_another_park_its_month(staged: Staged) -> None:
    milliseconds = int(MARCH.timestamp() * 1000)
    session = {"id": 1, "from": milliseconds, "to": milliseconds + 3_600_000, "status": "STOPPED", "energy": 5.0}
    staged.load("smappee_sessions", session, scope="park:1")
    staged.load("smappee_sessions", session, scope="park:1")
    assert staged.touched() == set()
    staged.load("smappee_sessions", session, scope="park:2")
    assert staged.touched() == {("2026-03", "corrected")}
    assert staged.sessions("session_id", "location_id") == [("1", "2")]


def test_a_running_session_that_comes_again_as_it_was_was_seen_again(staged: Staged) -> None:
    for _ in range(2):
        staged.load("jedlix_open_sessions", jedlix("a", MARCH, is_closed=False))
    hour = timedelta(hours=1)
    assert staged.sessions("session_id", "first_read_at", "read_at") == [("a", AT + hour, AT + 2 * hour)]


def test_objects_of_a_list_are_counted_by_what_they_were_before(staged: Staged) -> None:
    staged.load("greenflux_charge_stations", station("a", "e"))
    # Two runs that are staged together; the second changes what the first brought.
    staged.load("zaptec_chargers", charger("a"), charger("b"), charger(None), stages=False)
    staged.load("zaptec_chargers", charger("a", "other"), charger("b"))
    staged.load("zaptec_chargers", charger("a", "other"), charger("b", "other"), charger("b", "third"), charger("c"))
    assert [staged.counted(run) for run in (2, 3, 4)] == [
        {"received": 3, "new": 2, "unchanged": 1, "rejected": 1},
        {"received": 2, "changed": 1, "unchanged": 1},
        {"received": 4, "new": 1, "changed": 2, "unchanged": 1},
    ]


def test_an_object_that_an_answer_shows_twice_is_new_once(staged: Staged) -> None:
    staged.load("zaptec_chargers", charger("a"), charger("b"), charger("a"))
    assert staged.counted(1) == {"received": 3, "new": 2, "unchanged": 1}


def test_a_station_that_becomes_known_touches_the_months_of_its_sessions(staged: Staged) -> None:
    staged.load("greenflux_charge_stations", station("known", "e-1"))
    staged.load("greenflux_cdrs", cdr("a", FEBRUARY, "e-9"), cdr("b", MARCH, "e-1"))
    staged.load("greenflux_charge_stations", station("known", "e-1"), station("late", "e-9"))
    assert staged.touched() == {("2026-02", "station")}
    staged.load("greenflux_charge_stations", station("known", "e-1"), station("late", "e-9"))
    assert staged.touched() == set()


def test_a_charger_that_becomes_known_touches_the_months_of_its_sessions(staged: Staged) -> None:
    staged.load("zaptec_chargers", charger("other"))
    staged.load("zaptec_sessions", zaptec("a", FEBRUARY), zaptec("b", MARCH, chargerId="other"))
    staged.load("zaptec_chargers", charger("c"), charger("other"))
    assert staged.touched() == {("2026-02", "station")}


def test_a_charger_that_moves_touches_the_months_of_the_sessions_since_then(staged: Staged) -> None:
    staged.load("zaptec_chargers", charger("c"), as_of=JANUARY)
    staged.load("zaptec_sessions", zaptec("a", FEBRUARY), zaptec("b", MARCH))
    staged.load("zaptec_chargers", charger("c", "new"), as_of=MARCH)
    assert staged.touched() == {("2026-03", "station")}


def test_a_charger_that_moves_touches_no_session_that_names_its_own_location(staged: Staged) -> None:
    staged.load("zaptec_chargers", charger("c"))
    staged.load("zaptec_sessions", zaptec("a", FEBRUARY), scope="installation:i")
    staged.load("zaptec_chargers", charger("c", "new"))
    assert staged.touched() == set()


def test_fields_and_words_are_noted_once_each_with_when_it_was_first_seen(staged: Staged) -> None:
    staged.load("jedlix_sessions", {"id": "a", "status": "Paused"}, {"id": "b", "status": "Complete"})
    staged.load("jedlix_sessions", {"id": "a", "status": "Paused", "battery": {"level": 7}})
    first, second = AT + timedelta(hours=1), AT + timedelta(hours=2)
    assert staged.vocabulary() == {
        **dict.fromkeys(("id", "status", "status=Paused"), first),
        **dict.fromkeys(("battery", "battery.level"), second),
    }


def test_a_vocabulary_that_was_lost_knows_again_when_each_field_was_first_seen(staged: Staged) -> None:
    staged.load("jedlix_sessions", {"id": "a", "status": "Complete"})
    before = staged.vocabulary()
    staged.lakes.published.forget(VOCABULARY)
    staged.load("jedlix_sessions", {"id": "b", "status": "Complete"})
    assert staged.vocabulary() == before


def test_a_backfill_touches_what_it_asked_for_also_where_nothing_differs(staged: Staged) -> None:
    staged.load("zaptec_sessions", zaptec("a", MARCH))
    staged.load("zaptec_sessions", zaptec("a", MARCH), kind="backfill")
    assert staged.touched() == {("2026-01", "backfill"), ("2026-02", "backfill")}


def test_the_months_to_rebuild_are_touched_and_no_others(staged: Staged) -> None:
    staged.load("zaptec_sessions", zaptec("a", FEBRUARY))
    staged.load("zaptec_sessions", zaptec("b", MARCH), stages=False)
    outcome = stage(staged.raw_log, staged.lakes, "UTC", AT, staged.run_id, rebuilt_months=["2026-02", "none"])
    assert staged.touched() == {("2026-02", "rebuild"), ("none", "rebuild")}
    assert outcome.touched_months == ("2026-02",)
    assert [name for (name,) in staged.sessions("session_id")] == ["a", "b"]


def test_no_file_is_kept_that_the_staged_tables_do_not_name(staged: Staged) -> None:
    for energy in range(3):
        staged.load("zaptec_sessions", zaptec("a", MARCH, energy=energy), zaptec("b", FEBRUARY, energy=energy))
        staged.load("zaptec_chargers", charger(f"c{energy}"))
    staged.load("zaptec_sessions", zaptec("a", JANUARY))
    staging = staged.lakes.staging
    named = {file.path for table in (STAGED_SESSION, STAGED_CHARGE_STATION) for file in staging.files(table)}
    assert {str(path) for path in staging.root.rglob("*.parquet")} == named
    assert len(named) == 2 + 3


def test_each_run_is_told_how_late_its_sessions_came_once(staged: Staged) -> None:
    """Also if two runs are staged together, or a run has an earlier instant than the one before it."""
    days = [AT + timedelta(days=number) for number in range(4)]
    staged.load("zaptec_sessions", zaptec("a", MARCH), as_of=days[0])
    staged.load("zaptec_sessions", zaptec("b", MARCH), as_of=days[2], stages=False)
    staged.load("zaptec_sessions", zaptec("c", MARCH), zaptec("d", MARCH), as_of=days[3])
    staged.load("zaptec_sessions", zaptec("e", MARCH), as_of=days[1])
    rows = staged.lakes.published.scan(LATENESS).select("as_of", "sessions_new").sort("as_of").collect().rows()
    assert rows == [(days[0], 1), (days[1], 1), (days[2], 1), (days[3], 2)]
    assert staged.lakes.published.mark(LATENESS, CONSUMED) == staged.raw_log.newest_load()


@pytest.mark.parametrize(
    ("table", "content"),
    [("zaptec_sessions", zaptec("a", MARCH)), ("zaptec_chargers", charger("a"))],
    ids=["sessions", "objects of a list"],
)
def test_where_the_published_tables_were_lost_everything_is_taken_in_and_counted_again(
    staged: Staged, table: str, content: dict[str, Any]
) -> None:
    staged.load(table, content)
    shutil.rmtree(staged.lakes.published.root)
    stage(staged.raw_log, staged.lakes, "UTC", AT, staged.run_id)
    assert staged.counted(1) == {"received": 1, "new": 1}


def test_months_of_another_time_zone_than_that_of_what_is_staged_are_refused(staged: Staged) -> None:
    refuse_other_time_zone(staged.lakes, "Europe/Berlin")
    staged.load("zaptec_sessions", zaptec("a", FEBRUARY))
    refuse_other_time_zone(staged.lakes, "UTC")
    with pytest.raises(LakeError, match="do not begin in Europe/Berlin"):
        refuse_other_time_zone(staged.lakes, "Europe/Berlin")
