"""Extraction over the sandbox: everything the world shows is in raw, once read or read again, whatever goes wrong."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from pipelines import extraction
from pipelines.extraction import extract
from pipelines.questions import backfill, reconcile, refresh
from pipelines.raw_log import READINGS, Positions, RawLog
from pipelines.raw_rows import RawRows, raw_rows
from pipelines.readings import Reading
from pipelines.settings import Settings, load_settings
from pipelines.vendors import smappee
from pipelines.vendors.contract import Endpoint
from pipelines.vendors.paging import PAGES_AT_ONCE, Page
from sandbox.fault_kinds import FaultKind
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder
from tests.pipelines.scripted_server import Scripted, ScriptedServer, response, serving
from tests.pipelines.vendors.asked import variables

VENDORS = ("zaptec", "jedlix", "greenflux", "smappee")
LISTS = {
    "zaptec": ("installations", "chargers", "sessions"),
    "jedlix": ("users", "vehicles", "charging_locations", "sessions"),
    "greenflux": ("locations", "charge_stations", "cdrs"),
    "smappee": ("sessions",),
}
DAY = timedelta(days=1)


def read(settings: Settings, as_of: datetime = NOW, *vendors: str) -> list[Reading]:
    return extract(settings, vendors or settings.vendors, refresh(settings, as_of), f"run-{as_of:%d%H%M%S}")


def settings_for(vendor: str, server: ScriptedServer, directory: Path, **changed: str) -> Settings:
    """Settings over this vendor alone, played by scripted answers."""
    of_vendor = {
        name: value for name, value in variables(server).items() if name.startswith((vendor.upper(), "CHARGE"))
    }
    data = {"CHARGEHOUSE_DATA": str(directory / "data"), "CHARGEHOUSE_FIRST_MONTH": "2026-01"}
    return load_settings({**of_vendor, **data, **changed}, directory / ".env")


def raw(settings: Settings, table: str) -> pl.DataFrame:
    files = RawLog(settings.data).files(table)
    return (
        pl.concat([pl.read_parquet(file.path, hive_partitioning=False) for file in files]) if files else pl.DataFrame()
    )


def payloads(settings: Settings, *tables: str) -> Counter[str]:
    return Counter(payload for table in tables for payload in raw(settings, table)["payload"])


def shown_ids(sandbox: Sandbox, vendor: str, endpoint: str) -> set[str]:
    return {line.object_id for line, _ in sandbox.world.shown(vendor, endpoint, sandbox.now)}


def ids(settings: Settings, *tables: str) -> set[str]:
    frames = [frame for table in tables if not (frame := raw(settings, table)).is_empty()]
    return {object_id for frame in frames for object_id in frame["object_id"] if object_id is not None}


def windows(readings: list[Reading], endpoint: str, scope: str | None = None) -> list[Reading]:
    return [each for each in readings if each.endpoint == endpoint and scope in (None, each.scope)]


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
            # A session without a readable end is in no window of a list by end.
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
    """A station that was offline tells of it later, while it still runs."""
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
        # The list of running ones is read, and that of completed ones is not.
        fault = sandbox.faults.arm("status", "smappee", endpoint="sessions", nth=2, times=None, value=404)
        assert {reading.endpoint for reading in read(settings, after) if reading.state == "failed"} == {"sessions"}
        assert fault.fired
        sandbox.faults.clear()
    read(settings, after + DAY)
    assert "777001" in ids(settings, "smappee_sessions")
    assert not RawLog(settings.data).positions().open_sessions["smappee", f"park:{park}"]


@pytest.mark.parametrize("start", [-62135596800000, 0])
def test_a_running_session_whose_start_is_not_known_stops_no_later_reading(start: int, tmp_path: Path) -> None:
    """Year 1 and 1970 are what software writes for a time it does not know."""
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


TOO_MUCH_ASKED = {
    "status 400": response("", 400),
    "status 413": response("", 413),
    "status 422": response("", 422),
    "status 504": response("", 504),
    "status 524": response("", 524),
    "no answer in time": Scripted([b""], pause_seconds=1.0),
    "too large": response(b" " * 3_000),
}


@pytest.mark.parametrize("name", TOO_MUCH_ASKED)
def test_a_stretch_that_is_too_long_for_the_server_is_read_in_shorter_windows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.http_client.ATTEMPTS", 1)
    monkeypatch.setattr("pipelines.vendors.http_client.LARGEST_BODY_BYTES", 2_000)
    token = response('{"access_token": "t", "expires_in": 36000}')
    refused, nothing = TOO_MUCH_ASKED[name], response("[]")
    # The running ones, then 99 days of those that have ended: too long as a whole and as a half.
    with serving(token, nothing, refused, refused, nothing) as server:
        settings = settings_for("smappee", server, tmp_path, CHARGEHOUSE_READ_TIMEOUT_SECONDS="0.5")
        readings = read(settings)
    assert {reading.state for reading in readings} == {"complete"}
    ended = windows(readings, "sessions")
    assert [reading.requests for reading in ended] == [3, 1, 1, 1], "the refused ones are counted along"
    assert (ended[0].from_at, ended[-1].to_at) == (datetime(2026, 1, 1, tzinfo=UTC), NOW)
    for one, next_one in pairwise(ended):
        assert one.to_at == next_one.from_at
    assert len({each.to_at - each.from_at for each in ended if each.to_at and each.from_at}) == 1


@pytest.mark.parametrize("status", [403, 404, 429, 500, 502, 503])
def test_a_server_that_refuses_for_another_reason_is_not_asked_for_less(
    status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.http_client.ATTEMPTS", 1)
    token = response('{"access_token": "t", "expires_in": 36000}')
    with serving(token, response("", status)) as server:
        asked, left_out = read(settings_for("smappee", server, tmp_path))
    assert (asked.state, asked.requests) == ("failed", 2)
    assert (left_out.state, left_out.requests) == ("failed", 0)


@pytest.mark.parametrize("name", ["status 504", "no answer in time", "too large"])
def test_a_sign_in_that_fails_is_not_tried_again_with_shorter_windows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.http_client.ATTEMPTS", 1)
    monkeypatch.setattr("pipelines.vendors.http_client.LARGEST_BODY_BYTES", 2_000)
    with serving(TOO_MUCH_ASKED[name]) as server:
        settings = settings_for("smappee", server, tmp_path, CHARGEHOUSE_READ_TIMEOUT_SECONDS="0.5")
        asked, _ = read(settings)
    assert (asked.state, asked.requests) == ("failed", 1)
    assert (asked.from_at, asked.to_at) == (datetime(2026, 1, 1, tzinfo=UTC), NOW)


def test_a_fault_in_a_later_window_keeps_the_earlier_ones_and_the_next_run_goes_on(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.smappee.LONGEST_WINDOW", timedelta(days=31))
    settings = sandbox_settings("smappee", SMAPPEE_PARK_IDS=sandbox.world.parks()[0])
    fault = sandbox.faults.arm("status", "smappee", endpoint="sessions", nth=4, times=None, value=404)
    first = read(settings)
    assert fault.fired == 1
    states = [(reading.endpoint, reading.state) for reading in first]
    assert states.count(("sessions", "failed")) == 1
    kept = [reading for reading in windows(first, "sessions") if reading.state == "complete"]
    assert kept, "a first window that fails would prove nothing"
    assert raw(settings, "smappee_sessions").height == sum(reading.rows_received for reading in kept) > 0
    sandbox.faults.clear()
    second = read(settings, NOW + timedelta(milliseconds=1))
    assert {reading.state for reading in second} == {"complete"}
    reached = kept[-1].to_at
    assert reached is not None
    assert windows(second, "sessions")[0].from_at == reached - DAY
    park = sandbox.world.parks()[0]
    shown = {line.object_id for line, _ in sandbox.world.shown("smappee", "sessions", NOW) if line.scope == park}
    assert shown <= ids(settings, "smappee_sessions", "smappee_open_sessions")


def test_a_failing_scope_leaves_the_others_and_the_other_vendors_alone(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings()
    denied = sorted(shown_ids(sandbox, "zaptec", "installations"))[0]
    sandbox.settings.zaptec.denied_scopes = {denied}
    readings = read(settings)
    failed = [reading for reading in readings if reading.state == "failed"]
    assert [(each.vendor, each.endpoint, each.scope) for each in failed] == [
        ("zaptec", "sessions", f"installation:{denied}")
    ]
    assert "HTTP 403" in (failed[0].message or "")
    assert failed[0].rows_received == 0
    assert failed[0].place == f"zaptec sessions (installation:{denied})"
    assert len({reading.scope for reading in windows(readings, "sessions")}) > 2
    positions = RawLog(settings.data).positions()
    assert positions.of("zaptec", "sessions", f"installation:{denied}").watermark is None
    sandbox.settings.zaptec.denied_scopes = set()
    again = windows(read(settings, NOW + timedelta(milliseconds=1)), "sessions", f"installation:{denied}")
    assert again[0].from_at == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("vendor", "kind", "details", "told"),
    [
        ("zaptec", "cursor_missing", {}, "names no cursor"),
        ("zaptec", "null_list", {}, "no list of sessions"),
        ("jedlix", "lying_total", {}, "not whole"),
        ("jedlix", "null_list", {}, "no list of items"),
        ("greenflux", "lying_total", {}, "not whole"),
        ("greenflux", "null_list", {}, "holds no data"),
        ("greenflux", "ocpi_status", {"value": 3000}, "OCPI status 3000"),
        ("greenflux", "ocpi_status", {"value": 2001}, "OCPI status 2001"),
        ("greenflux", "next_link", {}, "another host"),
        ("greenflux", "redirect", {}, "redirected"),
        ("smappee", "null_list", {}, "neither a list of sessions nor a session"),
        ("smappee", "html", {}, "not JSON"),
    ],
)
def test_a_list_that_stays_wrong_is_a_failed_reading_without_rows_and_without_a_watermark(
    vendor: str,
    kind: FaultKind,
    details: dict[str, int],
    told: str,
    sandbox: Sandbox,
    sandbox_settings: SettingsBuilder,
) -> None:
    settings = sandbox_settings(vendor)
    endpoint = "cdrs" if vendor == "greenflux" else "sessions"
    sandbox.faults.arm(kind, vendor, endpoint=endpoint, times=None, **details)
    readings = read(settings)
    failed = [reading for reading in readings if reading.state == "failed"]
    assert failed
    assert {reading.rows_received for reading in failed} == {0}
    asked, left_out = [each for each in failed if each.requests], [each for each in failed if not each.requests]
    assert all(told in (reading.message or "") for reading in asked)
    assert {each.message for each in left_out} <= {
        f"not asked, since {name} could not be read." for name in {each.endpoint for each in asked}
    }
    assert {each.endpoint for each in failed} >= {endpoint}, "the sessions are missing, whichever list it was"
    places = {(each.vendor, each.endpoint, each.scope) for each in failed}
    assert not places & set(RawLog(settings.data).positions().watermarks)


def test_a_repeated_cursor_of_the_archive_is_a_failed_reading(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.zaptec.ARCHIVE_PAGE_SIZES", (3, 2))
    sandbox.faults.arm("repeated_cursor", "zaptec", endpoint="sessions", nth=20, times=None)
    failed = [reading for reading in read(sandbox_settings("zaptec")) if reading.state == "failed"]
    assert any("cursor repeats itself" in (reading.message or "") for reading in failed)
    assert {reading.rows_received for reading in failed} == {0}


def test_a_cursor_without_end_is_not_followed_for_ever(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.paging.MOST_EMPTY_PAGES", 3)
    # Only a first request is answered with 200: the sandbox knows its own cursors.
    sandbox.faults.arm("endless_cursor", "zaptec", endpoint="sessions", times=None)
    failed = [reading for reading in read(sandbox_settings("zaptec")) if reading.state == "failed"]
    assert failed
    assert len([request for request in sandbox.requests if request.endpoint == "sessions"]) <= 3 * len(failed)


@pytest.mark.parametrize("vendor", VENDORS)
def test_faults_that_pass_leave_exactly_what_a_quiet_reading_leaves(
    vendor: str, sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    quiet = sandbox_settings(vendor, CHARGEHOUSE_DATA=str(sandbox_settings().data) + "-quiet")
    stormy = sandbox_settings(vendor)
    read(quiet)
    sandbox.faults.arm_profile("mixed:0.4", seed=5)
    readings = read(stormy)
    assert {reading.state for reading in readings} == {"complete"}
    assert any(fault.fired for fault in sandbox.faults.armed() if fault.vendor == vendor)
    for path in sorted((quiet.data / "raw").iterdir()):
        if not path.name.startswith("_dlt") and path.name not in ("readings", "fields") and path.is_dir():
            assert payloads(stormy, path.name) == payloads(quiet, path.name)


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("ordered", [True, False])
def test_a_greenflux_list_that_is_edited_while_it_is_paged_loses_nothing(
    header: bool, ordered: bool, sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("greenflux")
    habits = sandbox.settings.greenflux
    habits.page_cap, habits.total_count_header, habits.link_header, habits.ordered = 5, header, header, ordered
    before = {name: shown_ids(sandbox, "greenflux", name) for name in LISTS["greenflux"]}
    stir = sandbox.faults.arm("stir", "greenflux", nth=2, times=40)
    readings = read(settings)
    assert stir.fired == 40
    assert {reading.state for reading in readings} == {"complete"}
    for name, shown in before.items():
        assert shown == ids(settings, f"greenflux_{name}")


def test_a_jedlix_list_with_new_heads_while_it_is_paged_loses_nothing(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.jedlix.PAGE_SIZE", 10)
    settings = sandbox_settings("jedlix")
    before = shown_ids(sandbox, "jedlix", "sessions")
    stir = sandbox.faults.arm("stir", "jedlix", endpoint="sessions", nth=3, times=5)
    assert {reading.state for reading in read(settings)} == {"complete"}
    assert stir.fired == 5
    assert before <= ids(settings, "jedlix_sessions", "jedlix_open_sessions")


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
    """A refresh asks for what was modified since, which this one was not."""
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


def test_tokens_that_expire_after_a_few_requests_are_renewed(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    for vendor in ("zaptec", "jedlix", "smappee"):
        sandbox.settings.of(vendor).token_uses = 3
    readings = read(sandbox_settings("zaptec", "jedlix", "smappee"))
    assert {reading.state for reading in readings} == {"complete"}
    assert 401 in {request.status for request in sandbox.requests}


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


def test_a_fault_of_ours_is_a_failed_reading_that_names_its_place_and_takes_no_other_along(
    sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = sandbox_settings("jedlix", "smappee")

    def flawed(pages: Iterable[Page], endpoint: Endpoint, *rest: Any) -> RawRows:
        if endpoint.vendor == "smappee":
            raise ZeroDivisionError("planted words of a row")
        return raw_rows(pages, endpoint, *rest)

    monkeypatch.setattr(extraction, "raw_rows", flawed)
    readings = read(settings)
    assert {reading.vendor for reading in readings if reading.state == "complete"} == {"jedlix"}
    assert raw(settings, "jedlix_sessions").height > 0
    messages = {reading.message or "" for reading in readings if reading.endpoint == "open_sessions"} - {""}
    assert messages
    for message in messages:
        assert "a fault of Chargehouse itself (ZeroDivisionError in test_extraction.py, line" in message
        assert "planted" not in message
    assert "smappee" not in {vendor for vendor, _, _ in RawLog(settings.data).positions().watermarks}


def test_a_fault_of_ours_outside_all_windows_is_raised_and_what_was_read_of_others_is_kept(
    sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flawed(*_: object) -> None:
        raise ZeroDivisionError

    settings = sandbox_settings("jedlix", "smappee")
    monkeypatch.setattr("pipelines.vendors.smappee.Smappee.rounds", flawed)
    with pytest.raises(ZeroDivisionError):
        read(settings)
    assert raw(settings, "jedlix_sessions").height > 0


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
    """The vendors' threads are ahead of what is appended: a run that is cut off would lose what lies between."""
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


def test_a_reconcile_that_fails_on_its_way_throws_no_watermark_back(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.smappee.LONGEST_WINDOW", timedelta(days=31))
    settings = sandbox_settings("smappee", SMAPPEE_PARK_IDS=sandbox.world.parks()[0])
    read(settings)
    before = RawLog(settings.data).positions().watermarks
    fault = sandbox.faults.arm("status", "smappee", endpoint="sessions", nth=3, times=None, value=404)
    readings = extract(settings, ["smappee"], reconcile(settings, NOW, 4), "run-reconcile")
    assert fault.fired
    assert {reading.state for reading in readings if reading.endpoint == "sessions"} == {"complete", "failed"}
    after = RawLog(settings.data).positions().watermarks
    assert all(after[place] >= at for place, at in before.items())


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
