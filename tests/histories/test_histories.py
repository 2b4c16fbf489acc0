"""Any history of changes, runs, faults and interruptions ends equal to the world.

The default run is short. The long one (`-m long`) takes its number of histories, in all, from the variable HISTORIES.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from pipelines import command
from pipelines.orchestration import month_assets, table_assets
from pipelines.raw.raw_log import RawLog
from pipelines.tables import building, staging
from sandbox.server import Sandbox
from tests.faults.scene import SESSIONS, Scene, iso
from tests.faults.verdict import DIMENSIONS, SESSION_TABLES, VENDORS, Walk, differences
from warehouse.lake import Lake

BEGINS_AT = datetime(2026, 2, 20, tzinfo=UTC)
FIRST_MONTH = "2026-01"
MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04")
HOUR = timedelta(hours=1)
STAGES = (
    (RawLog, "append"),
    (table_assets, "stage"),
    (staging, "note_received"),
    (staging, "_write"),
    (staging, "note_lateness"),
    (month_assets, "build_months"),
    (Lake, "replace_months"),
    (table_assets, "build_open_sessions"),
    (building, "publish"),
)
"""Where a run is cut off: as one of these begins, or as it ends."""
assert all(callable(getattr(owner, name)) for owner, name in STAGES)

ENERGY_FIELDS = {"zaptec": "energy", "jedlix": "energyCharged", "greenflux": "total_energy", "smappee": "energy"}
START_FIELDS = {"zaptec": "startDateTime", "jedlix": "startTime", "greenflux": "start_date_time", "smappee": "from"}
PARTS = 4
"""Parts of the long run, so that several processors can share it."""

FAULTS = ("reset_mid_body", "truncated_body", "html", "empty_body", "malformed_json")

vendors = st.sampled_from(VENDORS)
hours = st.integers(1, 60)
numbers = st.integers(0, 30)


class Interrupted(BaseException):
    """What a kill looks like from inside: nothing in the product catches it, and Dagster starts no further step."""


class Histories(RuleBasedStateMachine):
    """A world, a Chargehouse over it, and everything that may happen to either."""

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        folder = Path(self._open.enter_context(TemporaryDirectory(prefix="history-")))
        self.scene = Scene(BEGINS_AT - timedelta(days=90))
        self.sandbox = self._open.enter_context(Sandbox(self.scene.world, BEGINS_AT))
        self.walk = Walk(folder, self.sandbox, FIRST_MONTH)
        self.now = BEGINS_AT
        self.closed: list[tuple[str, str]] = []
        self.running: list[tuple[str, str]] = []
        self.evses = 1
        self.is_glimpsed = False

    @initialize()
    def begin(self) -> None:
        self.closed_session("zaptec", 5, 2)

    # -- the world -----------------------------------------------------------------------------------------------------

    @rule(vendor=vendors, ago=hours, length=hours)
    def closed_session(self, vendor: str, ago: int, length: int) -> None:
        """A session of `length` hours that ended `ago` hours ago."""
        ended_at = self.now - ago * HOUR
        self._add(vendor, ended_at - length * HOUR, ended_at)

    @rule(vendor=st.sampled_from(["jedlix", "smappee"]), ago=hours)
    def running_session(self, vendor: str, ago: int) -> None:
        self.running.append(self._add(vendor, self.now - ago * HOUR, None))

    @precondition(lambda self: self.running)
    @rule(number=numbers)
    def session_ends(self, number: int) -> None:
        vendor, identity = self.running.pop(number % len(self.running))
        ended_at = self.now - HOUR / 2
        if vendor == "jedlix":
            ended: dict[str, Any] = {"endTime": iso(ended_at), "status": "Complete", "energyCharged": 12.0}
        else:
            ended = {"to": _milliseconds(ended_at), "status": "STOPPED", "energy": "12.0"}
        self.scene.again(vendor, identity, self._next_instant(), **ended)
        self.closed.append((vendor, identity))

    @rule(vendor=vendors, days=st.integers(8, 48))
    def very_late_session(self, vendor: str, days: int) -> None:
        ended_at = self.now - timedelta(days=days)
        self._add(vendor, ended_at - HOUR, ended_at)

    @precondition(lambda self: self.closed)
    @rule(number=numbers, kwh=st.integers(0, 40))
    def energy_recalculated(self, number: int, kwh: int) -> None:
        vendor, identity = self._one_closed(number)
        self.scene.again(vendor, identity, self._next_instant(), **{ENERGY_FIELDS[vendor]: kwh / 2})

    @precondition(lambda self: self.closed)
    @rule(number=numbers)
    def energy_becomes_negative(self, number: int) -> None:
        vendor, identity = self._one_closed(number)
        self.scene.again(vendor, identity, self._next_instant(), **{ENERGY_FIELDS[vendor]: -1})

    @precondition(lambda self: self.closed)
    @rule(number=numbers, days=st.sampled_from([-31, -1, 1]))
    def start_moves(self, number: int, days: int) -> None:
        """A correction of the start: into another month, or past the end."""
        vendor, identity = self._one_closed(number)
        started_at = max(self._start_of(vendor, identity) + timedelta(days=days), BEGINS_AT - timedelta(days=50))
        if started_at < self.now:
            written = _milliseconds(started_at) if vendor == "smappee" else iso(started_at)
            self.scene.again(vendor, identity, self._next_instant(), **{START_FIELDS[vendor]: written})

    @precondition(lambda self: any(vendor == "zaptec" for vendor, _ in self.closed))
    @rule(number=numbers, is_voided=st.booleans())
    def replaced(self, number: int, is_voided: bool) -> None:
        names = [identity for vendor, identity in self.closed if vendor == "zaptec"]
        identity = names[number % len(names)]
        old = self.scene.newest("zaptec", identity)
        at = self._next_instant()
        successor = f"{identity}-again"
        self.scene.again("zaptec", identity, at, voided=is_voided, replacedBySessionId=successor)
        self.scene.show("zaptec", "sessions", {**old, "id": successor, "energy": 3.25}, at)
        self.closed.append(("zaptec", successor))

    @rule()
    def station_edited(self) -> None:
        at = self._next_instant()
        self.scene.station("station-1", "evse-1", at, firmware_version=iso(at))

    @rule()
    def charger_renamed(self) -> None:
        at = self._next_instant()
        self.scene.charger("charger-1", "house-1", at, Name=f"Charger of {iso(at)}")

    @rule(ago=hours)
    def cdr_of_an_unknown_station(self, ago: int) -> None:
        self.evses += 1
        ended_at = self.now - ago * HOUR
        self._add("greenflux", ended_at - HOUR, ended_at, evse=f"evse-{self.evses}")

    @rule(number=numbers)
    def station_becomes_known(self, number: int) -> None:
        evse = 1 + number % self.evses
        self.scene.station(f"station-{evse}", f"evse-{evse}", self._next_instant())

    @rule(days=st.sampled_from([1, 3, 9, 25]))
    def days_pass(self, days: int) -> None:
        self.now += timedelta(days=days)

    # -- Chargehouse ---------------------------------------------------------------------------------------------------

    @rule()
    def refresh(self) -> None:
        self._run("refresh")

    @rule(vendor=vendors)
    def refresh_of_one(self, vendor: str) -> None:
        self._run("refresh", "--vendor", vendor)

    @rule(first=st.integers(0, 3), count=st.integers(1, 2))
    def backfill(self, first: int, count: int) -> None:
        begun = [month for month in MONTHS if month <= f"{self.now:%Y-%m}"]
        asked = begun[first % len(begun) :][:count]
        self.is_glimpsed = True
        self._run("backfill", "--from", asked[0], "--to", asked[-1])

    @rule(months=st.integers(1, 3))
    def reconcile(self, months: int) -> None:
        self._run("reconcile", "--months", str(months))

    @rule()
    def rebuild(self) -> None:
        assert self.walk.run("rebuild") == command.DONE, self.walk.told

    # Fewer pending faults than a client's attempts at one request, or it would rightly give up.
    @precondition(lambda self: sum(not fault.fired for fault in self.sandbox.faults.armed()) < 5)
    @rule(kind=st.sampled_from(FAULTS), vendor=vendors, nth=st.integers(1, 4))
    def passing_fault(self, kind: Any, vendor: str, nth: int) -> None:
        self.sandbox.faults.arm(kind, vendor, nth=nth)

    @rule(vendor=vendors)
    def refresh_while_one_is_down(self, vendor: str) -> None:
        """One list fails at every request: it is a gap, and all others are read."""
        endpoint = SESSIONS[vendor]
        down = self.sandbox.faults.arm("status", vendor, endpoint=endpoint, value=404, times=None)
        self._run("refresh", expecting=command.INCOMPLETE)
        assert down.fired
        down.times = 0

    @rule(stage=st.integers(0, len(STAGES) - 1), nth=st.integers(1, 3), before=st.booleans())
    def refresh_is_cut_off(self, stage: int, nth: int, before: bool) -> None:
        owner, name = STAGES[stage]
        note(f"cut off {'before' if before else 'after'} call {nth} of {name}")
        # If there is less to do, the call is never reached and the run succeeds.
        with _cut_off(owner, name, nth, before=before):
            self._run("refresh", expecting=None)

    # -- the end -------------------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.now += timedelta(hours=1)
            self._run("refresh")
            # Back to the first month and no further: the truth does not cover what came before it.
            months = (self.now.year - 2026) * 12 + self.now.month
            self._run("reconcile", "--months", str(months))
            self._compare()
        finally:
            self._open.close()

    def _compare(self) -> None:
        house = self.walk.house
        assert differences(house, self.sandbox, self._read_at(SESSIONS), SESSION_TABLES) == {}
        for table, endpoints in _DIMENSION_ENDPOINTS.items():
            for vendor, endpoint in endpoints:
                read_at = self._read_at({vendor: endpoint})
                if vendor == "greenflux" and self.is_glimpsed:
                    self._compare_current(table, vendor, read_at[vendor])
                else:
                    assert differences(house, self.sandbox, read_at, [table], [vendor]) == {}

    def _compare_current(self, table: str, vendor: str, read_at: list[datetime]) -> None:
        """Compare current versions only: a backfill shows only some months, so which others were seen is unknown."""
        truth = [row for row in self.walk.house.truth(self.sandbox, read_at)[table] if row["vendor"] == vendor]
        columns = [name for name in truth[0] if name not in ("valid_from", "valid_to")]
        current = {tuple(str(row[name]) for name in columns) for row in truth if row["is_current"]}
        published = self.walk.house.rows(table, columns)
        assert current == {
            tuple(str(row[name]) for name in columns)
            for row in published
            if row["vendor"] == vendor and row["is_current"]
        }

    def _read_at(self, endpoints: dict[str, str]) -> dict[str, list[datetime]]:
        """The instants at which these lists were read to the end and kept, as the raw log has them."""
        readings = RawLog(self.walk.house.data).readings()
        found: dict[str, list[datetime]] = {}
        for vendor, endpoint in endpoints.items():
            complete = readings.filter(vendor=vendor, endpoint=endpoint, state="complete")
            found[vendor] = sorted(set(complete["as_of"]))
        return found

    def _run(self, *arguments: str, expecting: int | None = command.DONE) -> None:
        self.now = max(self.now, self.sandbox.now) + timedelta(minutes=1)
        self.sandbox.now = self.now
        status = self.walk.run(*arguments, "--as-of", self.now.isoformat())
        if expecting is not None:
            assert status == expecting, self.walk.told

    def _add(self, vendor: str, started_at: datetime, ended_at: datetime | None, **fields: Any) -> tuple[str, str]:
        number = 1 + sum(len(self.scene.world.timelines(name, endpoint)) for name, endpoint in SESSIONS.items())
        identity = str(number) if vendor == "smappee" else f"{vendor}-{number}"
        at = self._next_instant()
        show: Callable[..., None] = getattr(self.scene, vendor)
        show(number if vendor == "smappee" else identity, started_at, ended_at, at=at, **fields)
        if ended_at is not None:
            self.closed.append((vendor, identity))
        return vendor, identity

    def _one_closed(self, number: int) -> tuple[str, str]:
        return self.closed[number % len(self.closed)]

    def _start_of(self, vendor: str, identity: str) -> datetime:
        written = self.scene.newest(vendor, identity)[START_FIELDS[vendor]]
        if vendor == "smappee":
            return datetime.fromtimestamp(written / 1000, UTC)
        return datetime.fromisoformat(written)

    def _next_instant(self) -> datetime:
        """Every change has its own millisecond, and comes before the next run."""
        self.now += timedelta(milliseconds=1)
        return self.now


_DIMENSION_ENDPOINTS = {
    "dim_location": (("zaptec", "installations"), ("jedlix", "charging_locations"), ("greenflux", "locations")),
    "dim_charge_station": (("zaptec", "chargers"), ("greenflux", "charge_stations")),
    "dim_connector": (("greenflux", "charge_stations"),),
    "dim_vehicle": (("jedlix", "vehicles"),),
    "dim_user": (("jedlix", "users"),),
}
assert set(_DIMENSION_ENDPOINTS) == set(DIMENSIONS)


@contextmanager
def _cut_off(owner: Any, name: str, nth: int, *, before: bool) -> Iterator[Event]:
    """Interrupt the nth call of a function, before or after it does its work, and every later call of any stage.

    Yields an event that is set once the call is reached.
    """
    is_cut = Event()
    calls = count(1)

    def interrupted(real: Callable[..., Any], is_chosen: bool) -> Callable[..., Any]:
        def stage(*arguments: Any, **named: Any) -> Any:
            if is_cut.is_set():
                raise Interrupted(name)
            if not is_chosen or next(calls) < nth:
                return real(*arguments, **named)
            if not before:
                real(*arguments, **named)
            is_cut.set()
            raise Interrupted(name)

        return stage

    with ExitStack() as patched:
        for holder, stage in STAGES:
            is_chosen = (holder, stage) == (owner, name)
            patched.enter_context(patch.object(holder, stage, interrupted(getattr(holder, stage), is_chosen)))
        yield is_cut


def _milliseconds(instant: datetime) -> int:
    return round(instant.timestamp() * 1000)


def _settings(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )


def test_any_history_ends_equal_to_the_world() -> None:
    run_state_machine_as_test(Histories, settings=settings(_settings(4, 10), derandomize=True))


def test_every_stage_at_which_a_history_may_be_cut_off_is_reached() -> None:
    history = Histories()
    history.begin()
    with ExitStack() as spied:
        spies = [
            spied.enter_context(patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)))
            for owner, name in STAGES
        ]
        history.teardown()
    assert [name for (_, name), spy in zip(STAGES, spies, strict=True) if not spy.called] == []


@pytest.mark.long
@pytest.mark.parametrize(("owner", "name"), STAGES, ids=[name for _, name in STAGES])
def test_a_first_refresh_that_is_cut_off_at_any_stage_loses_nothing(owner: Any, name: str) -> None:
    history = Histories()
    history.begin()
    with _cut_off(owner, name, 1, before=False) as is_cut:
        history._run("refresh", expecting=command.INCOMPLETE)
    assert is_cut.is_set()
    history.teardown()


@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_any_of_many_histories_ends_equal_to_the_world(part: int) -> None:
    histories = int(os.environ.get("HISTORIES", "200"))
    run_state_machine_as_test(Histories, settings=_settings(-(-histories // PARTS), 12))
