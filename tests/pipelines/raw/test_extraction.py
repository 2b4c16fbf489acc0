"""Extraction over the sandbox: everything the world shows is in the raw log, after the first reading or a later one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from pipelines.raw import extraction
from pipelines.raw.extraction import extract
from pipelines.raw.positions import Positions
from pipelines.raw.questions import backfill, reconcile
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.vendors import smappee
from pipelines.vendors.paging.numbered import PAGES_AT_ONCE
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder
from tests.pipelines.raw.extracted import (
    DAY,
    LISTS,
    VENDORS,
    ids,
    payloads,
    raw,
    read,
    settings_for,
    shown_ids,
    windows,
)
from tests.pipelines.scripted_server import response, serving


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_first_reading_brings_every_object_that_the_world_shows(
    vendor: str, sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings(vendor)
    readings = read(settings)
    assert {reading.state for reading in readings} == {"complete"}
    for endpoint in LISTS[vendor]:
        tables = [f"{vendor}_{endpoint}"] + ([f"{vendor}_open_sessions"] if vendor in ("jedlix", "smappee") else [])
        if endpoint == "users":
            assert raw(settings, "jedlix_users").height == len(shown_ids(sandbox, "jedlix", "users"))
            continue
        shown = shown_ids(sandbox, vendor, endpoint)
        assert shown, "a world without such objects would prove nothing"
        if vendor == "zaptec" and endpoint == "sessions":
            # A list filtered by end shows a session without a readable end in no window.
            unended = {
                line.object_id
                for line, version in sandbox.world.shown("zaptec", "sessions", NOW)
                if version.payload.get("endDateTime") is None
            }
            shown -= unended
        missing = {object_id for object_id in shown if object_id not in ids(settings, *tables)}
        assert missing == set()


def test_a_running_jedlix_session_is_found_and_what_ended_before_it_is_not_read_again(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_size = 3
    monkeypatch.setattr("pipelines.vendors.jedlix.PAGE_SIZE", page_size)
    settings = sandbox_settings("jedlix")
    started_at = NOW - 21 * DAY
    running = {"id": "for-weeks", "startTime": started_at.isoformat(), "endTime": None, "status": "Charging"}
    sandbox.world.show("jedlix", "sessions", "for-weeks", running, started_at)
    older, by_start = windows(read(settings), "open_sessions")
    assert older.rows_received <= page_size * (PAGES_AT_ONCE + 1), "nothing runs there"
    assert "for-weeks" in ids(settings, "jedlix_open_sessions")
    assert "for-weeks" not in ids(settings, "jedlix_sessions")
    starts = sorted(raw(settings, "jedlix_sessions")["vendor_started"].drop_nulls(), reverse=True)
    newer = sum(start > running["startTime"] for start in starts)
    assert newer < by_start.rows_received <= newer + 1 + page_size * (PAGES_AT_ONCE + 1) < len(starts)


@pytest.mark.parametrize("vendor", VENDORS)
def test_increments_together_bring_what_one_reading_at_the_end_brings(
    vendor: str, sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    steps = sandbox_settings(vendor)
    once = sandbox_settings(vendor, CHARGEHOUSE_DATA=str(steps.data) + "-once")
    for days in (40, 8, 0):
        sandbox.now = NOW - days * DAY
        read(steps, sandbox.now)
    read(once)
    session_table = "greenflux_cdrs" if vendor == "greenflux" else f"{vendor}_sessions"
    tables = [session_table] + ([f"{vendor}_open_sessions"] if vendor in ("jedlix", "smappee") else [])
    at_the_end = set(payloads(once, *tables))
    assert at_the_end
    assert at_the_end - set(payloads(steps, *tables)) == set()


def test_a_reading_after_a_reading_costs_the_look_back_and_no_more(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings()
    first = read(settings)
    second = read(settings, NOW + timedelta(milliseconds=1))
    rows = {name: sum(each.rows_received for each in readings) for name, readings in (("1", first), ("2", second))}
    assert rows["2"] < rows["1"] / 2
    assert len(windows(second, "sessions", "all")) == 1
    by_end = windows(second, "sessions", "all")[0]
    assert (by_end.from_at, by_end.to_at) == (NOW - 7 * DAY, NOW + timedelta(milliseconds=1))
    cdrs = windows(second, "cdrs")[0]
    assert cdrs.from_at == NOW - timedelta(minutes=15)
    for reading in windows(second, "users"):
        assert reading.from_at is None
        assert reading.rows_received == len(shown_ids(sandbox, "jedlix", "users"))


def test_a_late_upload_within_the_look_back_is_read(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("zaptec")
    read(settings)
    line, version = next(
        (line, version)
        for line, version in sandbox.world.shown("zaptec", "sessions", NOW)
        if version.payload.get("endDateTime")
    )
    late = {**version.payload, "id": "late-1", "endDateTime": (NOW - 6 * DAY).isoformat()}
    sandbox.world.show("zaptec", "sessions", "late-1", late, NOW + timedelta(hours=1), line.scope)
    sandbox.now = NOW + timedelta(hours=2)
    read(settings, sandbox.now)
    assert "late-1" in ids(settings, "zaptec_sessions")


def test_a_smappee_session_that_ran_for_weeks_is_read_when_it_ends(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("smappee")
    park = sandbox.world.parks()[0]
    start = int((NOW - 21 * DAY).timestamp() * 1000)
    running = {"id": 777001, "from": start, "status": "SUSPENDED", "startReading": 1.0}
    sandbox.world.show("smappee", "sessions", "777001", running, NOW - 21 * DAY, park)
    read(settings)
    assert raw(settings, "smappee_open_sessions").filter(pl.col("object_id") == "777001").height == 1
    assert "777001" not in ids(settings, "smappee_sessions")
    ended_at = NOW + timedelta(hours=5)
    ended = {**running, "to": int(ended_at.timestamp() * 1000), "status": "STOPPED", "stopReading": 31.0}
    sandbox.world.show("smappee", "sessions", "777001", ended, ended_at, park)
    sandbox.now = NOW + DAY
    readings = read(settings, sandbox.now)
    assert "777001" in ids(settings, "smappee_sessions")
    window = windows(readings, "sessions", f"park:{park}")[0]
    assert window.from_at is not None
    assert window.from_at <= NOW - 22 * DAY
    again = windows(read(settings, sandbox.now + DAY), "sessions", f"park:{park}")[0]
    assert again.from_at is not None
    assert again.from_at > NOW - 22 * DAY, "an ended session holds the window open no longer"


def test_a_smappee_session_that_becomes_visible_days_after_its_start_is_read_when_it_ends(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    """A station that was offline reports it late, while it is still running."""
    park = sandbox.world.parks()[0]
    settings = sandbox_settings("smappee", SMAPPEE_PARK_IDS=park)
    read(settings)
    started_at, ended_at = NOW - 20 * DAY, NOW + 5 * DAY
    running = {"id": 777001, "from": int(started_at.timestamp() * 1000), "status": "CHARGING", "startReading": 1.0}
    sandbox.world.show("smappee", "sessions", "777001", running, NOW + DAY, park)
    ended = {**running, "to": int(ended_at.timestamp() * 1000), "status": "STOPPED", "stopReading": 31.0}
    sandbox.world.show("smappee", "sessions", "777001", ended, ended_at, park)
    for days in (2, 6):
        sandbox.now = NOW + days * DAY
        read(settings, sandbox.now)
    assert "777001" in ids(settings, "smappee_open_sessions")
    assert "777001" in ids(settings, "smappee_sessions")


@pytest.mark.parametrize("fails_at_first", [False, True])
def test_a_smappee_session_that_ended_in_a_pause_of_months_is_read_after_it(
    fails_at_first: bool, sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    park = sandbox.world.parks()[0]
    settings = sandbox_settings("smappee", SMAPPEE_PARK_IDS=park)
    started_at, ended_at, after = NOW - 3 * DAY, NOW + DAY, NOW + 100 * DAY
    running = {"id": 777001, "from": int(started_at.timestamp() * 1000), "status": "CHARGING", "startReading": 1.0}
    sandbox.world.show("smappee", "sessions", "777001", running, started_at, park)
    read(settings)
    ended = {**running, "to": int(ended_at.timestamp() * 1000), "status": "STOPPED", "stopReading": 31.0}
    sandbox.world.show("smappee", "sessions", "777001", ended, ended_at, park)
    sandbox.now = after
    if fails_at_first:
        # The list of running sessions is read, and that of completed ones fails.
        fault = sandbox.faults.arm("status", "smappee", endpoint="sessions", nth=2, times=None, value=404)
        assert {reading.endpoint for reading in read(settings, after) if reading.state == "failed"} == {"sessions"}
        assert fault.fired
        sandbox.faults.clear()
    read(settings, after + DAY)
    assert "777001" in ids(settings, "smappee_sessions")
    assert not RawLog(settings.data).positions().open_sessions["smappee", f"park:{park}"]


@pytest.mark.parametrize("start", [-62135596800000, 0])
def test_a_running_session_whose_start_is_not_known_stops_no_later_reading(start: int, tmp_path: Path) -> None:
    """Year 1 and 1970 are what software writes for a time that it does not know."""
    token = response('{"access_token": "t", "expires_in": 36000}')
    running = response(f'[{{"id": 1, "from": {start}, "status": "CHARGING"}}]')
    with serving(token, running, response("[]"), token, response("[]")) as server:
        settings = settings_for("smappee", server, tmp_path)
        assert sum(reading.rows_received for reading in read(settings)) == 1
        again = read(settings, NOW + DAY)
    assert [(reading.endpoint, reading.state, reading.from_at) for reading in again] == [
        ("open_sessions", "complete", NOW - smappee.RUNNING_LOOK_BACK),
        ("sessions", "complete", NOW - DAY),
    ]


@pytest.mark.parametrize(
    "habits",
    [
        {"bare_array": True},
        {"page_cap": 7},
        {"page_cap": 1, "total_count_header": False, "link_header": False, "limit_header": False},
        {"total_count_header": False},
        {"bare_array": True, "total_count_header": False, "link_header": False, "limit_header": False},
    ],
)
def test_every_habit_of_greenflux_gives_the_same_rows(
    habits: dict[str, object], sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("greenflux")
    for name, value in habits.items():
        setattr(sandbox.settings.greenflux, name, value)
    assert {reading.state for reading in read(settings)} == {"complete"}
    for name in LISTS["greenflux"]:
        assert ids(settings, f"greenflux_{name}") == shown_ids(sandbox, "greenflux", name)


@pytest.mark.parametrize("habit", ["empty_is_no_content", "single_is_object", "default_includes_open"])
def test_every_habit_of_smappee_is_read(habit: str, sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("smappee")
    setattr(sandbox.settings.smappee, habit, True)
    assert {reading.state for reading in read(settings)} == {"complete"}
    assert ids(settings, "smappee_sessions", "smappee_open_sessions") == shown_ids(sandbox, "smappee", "sessions")


def test_a_now_behind_the_watermarks_reads_nothing(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings()
    read(settings)
    sandbox.requests.clear()
    assert read(settings, NOW - DAY) == []
    assert [request for request in sandbox.requests if request.endpoint != "token"] == []


def test_a_backfill_reads_its_months_and_leaves_the_watermarks(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings()
    read(settings)
    before = RawLog(settings.data).positions().watermarks
    readings = extract(settings, settings.vendors, backfill(settings, NOW, "2026-02", "2026-02"), "run-backfill")
    assert RawLog(settings.data).positions().watermarks == before
    windowed = [reading for reading in readings if reading.from_at is not None]
    assert {(each.from_at, each.to_at) for each in windowed} == {
        (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    }
    assert sum(reading.rows_received for reading in windowed) > 0


def test_a_backfill_before_the_first_refresh_sets_no_watermark(sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("zaptec")
    extract(settings, ["zaptec"], backfill(settings, NOW, "2026-02", "2026-02"), "run-backfill")
    assert RawLog(settings.data).positions().watermarks == {}


def test_reconcile_reads_its_months_again_and_moves_the_watermarks_on(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("zaptec")
    read(settings)
    later = NOW + DAY
    sandbox.now = later
    readings = extract(settings, ["zaptec"], reconcile(settings, later, 3), "run-reconcile")
    for reading in windows(readings, "sessions"):
        assert reading.from_at is not None
        assert reading.from_at >= datetime(2026, 2, 1, tzinfo=UTC)
    assert min(each.from_at for each in windows(readings, "sessions") if each.from_at) == datetime(
        2026, 2, 1, tzinfo=UTC
    )
    assert set(RawLog(settings.data).positions().watermarks.values()) == {later}


def test_a_greenflux_station_that_becomes_visible_late_is_found_by_a_reconcile(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    """A refresh asks for what was modified since the last reading; this station was modified long before it."""
    settings = sandbox_settings("greenflux")
    read(settings)
    sandbox.now = NOW + DAY
    for endpoint, key in (("locations", "id"), ("charge_stations", "charge_station_id")):
        payload = {key: "late", "modified": (NOW - 800 * DAY).isoformat()}
        sandbox.world.show("greenflux", endpoint, "late", payload, sandbox.now)
    read(settings, sandbox.now)
    assert "late" not in ids(settings, "greenflux_locations", "greenflux_charge_stations")
    readings = extract(settings, ["greenflux"], reconcile(settings, sandbox.now, 1), "run-reconcile")
    assert "late" in ids(settings, "greenflux_locations")
    assert "late" in ids(settings, "greenflux_charge_stations")
    assert windows(readings, "cdrs")[0].from_at is not None, "what was charged years ago is not read along"


def test_zaptec_scopes_are_asked_for_as_configured_and_a_user_is_stored_by_pseudonym(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    charger = sorted(shown_ids(sandbox, "zaptec", "chargers"))[0]
    user = next(
        version.payload["authorizedUser"]["id"]
        for _, version in sandbox.world.shown("zaptec", "sessions", NOW)
        if (version.payload.get("authorizedUser") or {}).get("id")
    )
    settings = sandbox_settings("zaptec", ZAPTEC_CHARGER_IDS=charger, ZAPTEC_USER_IDS=user)
    readings = read(settings)
    scopes = {reading.scope for reading in windows(readings, "sessions")}
    assert len(scopes) == 2
    assert f"charger:{charger}" in scopes
    assert not [scope for scope in scopes if user in scope]
    assert user not in "".join(payloads(settings, "zaptec_sessions"))
    assert set(raw(settings, "zaptec_sessions")["scope"]) <= scopes


def test_zaptec_takes_the_smaller_page_where_the_larger_is_refused(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    sandbox.settings.zaptec.max_page_size = 100
    readings = read(sandbox_settings("zaptec"))
    assert {reading.state for reading in readings} == {"complete"}
    assert sum(reading.rows_received for reading in windows(readings, "sessions")) > 0


def test_a_greenflux_endpoint_that_is_off_is_not_asked_for(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    readings = read(sandbox_settings("greenflux", GREENFLUX_CDRS_VERSION="off", GREENFLUX_STATIONS_VERSION="1.0"))
    assert {reading.endpoint for reading in readings} == {"locations", "charge_stations"}
    assert {request.path for request in sandbox.requests} == {"/api/2.0/Locations", "/api/1.0/ChargeStations"}


def test_no_personal_datum_and_no_secret_reaches_the_disk(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings()
    read(settings)
    personal: set[str] = set()
    for _, version in sandbox.world.shown("zaptec", "sessions", NOW):
        user = version.payload.get("authorizedUser") or {}
        personal |= {str(value) for value in (*user.values(), version.payload.get("tokenName")) if value}
    for _, version in sandbox.world.shown("smappee", "sessions", NOW):
        personal |= {str(value) for value in (version.payload.get("rfid"),) if value}
    personal |= shown_ids(sandbox, "jedlix", "users")
    personal |= {
        value for name, value in sandbox.environment().items() if name.endswith(("PASSWORD", "SECRET", "TOKEN"))
    }
    assert len(personal) > 20
    parquet = [pl.read_parquet(path, hive_partitioning=False) for path in settings.data.rglob("raw/*/*.parquet")]
    written = "".join(str(value) for frame in parquet for row in frame.iter_rows() for value in row)
    written += "".join(path.read_text(errors="replace") for path in settings.data.rglob("*") if path.is_file())
    assert not sorted(value for value in personal if value in written)


def test_only_asked_vendors_are_read(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    readings = read(sandbox_settings(), NOW, "smappee")
    assert {reading.vendor for reading in readings} == {"smappee"}
    assert {request.vendor for request in sandbox.requests} == {"smappee"}


def test_small_loads_leave_what_one_large_load_leaves(
    sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = sandbox_settings("jedlix", "greenflux")
    small = sandbox_settings("jedlix", "greenflux", CHARGEHOUSE_DATA=str(large.data) + "-small")
    read(large)
    monkeypatch.setattr(extraction, "LOAD_ROWS", 40)
    read(small)
    assert len(RawLog(small.data).files("readings")) > len(RawLog(large.data).files("readings")) == 1
    for table in ("jedlix_sessions", "jedlix_users", "greenflux_cdrs", "greenflux_locations"):
        assert payloads(small, table) == payloads(large, table)
    assert RawLog(small.data).positions().watermarks == RawLog(large.data).positions().watermarks


def test_a_load_commits_no_position_that_its_rows_do_not_prove(
    sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vendors' threads run ahead of the append: otherwise a run that is cut off would lose the rows in between."""
    monkeypatch.setattr(extraction, "LOAD_ROWS", 1)
    proved: set[tuple[object, ...]] = set()
    append = RawLog.append

    def checked(self: RawLog, tables: dict[str, list[pa.Table]], positions: Positions, vendors: list[str]) -> None:
        for row in pa.concat_tables(tables[READINGS]).to_pylist():
            proved.add((row["vendor"], row["endpoint"], row["scope"], row["to_at"]))
        assert {(*place, at) for place, at in positions.watermarks.items()} <= proved
        append(self, tables, positions, vendors)

    monkeypatch.setattr(RawLog, "append", checked)
    read(sandbox_settings())
    assert len(proved) > 10


def test_a_session_seen_running_again_is_remembered_from_then_on(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("smappee")
    seen_at = {}
    for now in (NOW - DAY, NOW):
        sandbox.now = now
        read(settings, now)
        running = RawLog(settings.data).positions().open_sessions
        seen_at[now] = {session_id: at for sessions in running.values() for session_id, (_, at) in sessions.items()}
    both = seen_at[NOW].keys() & seen_at[NOW - DAY].keys()
    assert both
    assert {seen_at[NOW][session_id] for session_id in both} == {NOW}
