"""Extraction from vendors that fail, lie or move their lists: what was read is kept, and the next run goes on there."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipelines.raw import extraction
from pipelines.raw.extraction import extract
from pipelines.raw.questions import reconcile
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.raw_rows import RawRows, raw_rows
from pipelines.vendors.contract import Endpoint
from pipelines.vendors.paging.pages import Page
from sandbox.fault_kinds import FaultKind
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
from tests.pipelines.scripted_server import Scripted, response, serving

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
    # The running sessions, then 99 days of completed ones: refused as a whole, and again as a half.
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


def test_a_reconcile_reads_its_months_even_where_what_is_missing_before_them_cannot_be_read(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    installation = sorted(shown_ids(sandbox, "zaptec", "installations"))[0]
    settings = sandbox_settings("zaptec", ZAPTEC_INSTALLATION_IDS=installation)
    long_ago = NOW - 50 * DAY
    read(settings, long_ago)
    fault = sandbox.faults.arm("status", "zaptec", endpoint="sessions", nth=1, times=1, value=404)
    question = reconcile(settings, NOW, 1)
    missing, *named = windows(extract(settings, ["zaptec"], question, "reconcile"), "sessions")
    assert fault.fired == 1
    assert (missing.state, missing.from_at) == ("failed", long_ago - 7 * DAY)
    assert {reading.state for reading in named} == {"complete"}
    assert (named[0].from_at, named[-1].to_at) == (question.from_at, NOW)
    assert RawLog(settings.data).positions().of("zaptec", "sessions", f"installation:{installation}").watermark == (
        long_ago
    )


def test_a_reconcile_reads_what_ended_in_its_months_if_it_could_see_what_runs_there(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("smappee", SMAPPEE_PARK_IDS=sandbox.world.parks()[0])
    long_ago = NOW - 50 * DAY
    read(settings, long_ago)
    sandbox.faults.arm("status", "smappee", endpoint="sessions", nth=1, times=1, value=404)
    question = reconcile(settings, NOW, 1)
    readings = extract(settings, ["smappee"], question, "reconcile")
    assert [each.state for each in windows(readings, "open_sessions")] == ["failed", "complete"]
    left_out, ended = windows(readings, "sessions")
    assert (left_out.state, left_out.requests) == ("failed", 0)
    assert (ended.state, ended.from_at, ended.to_at) == ("complete", question.from_at, NOW)
    assert set(RawLog(settings.data).positions().watermarks.values()) == {long_ago}


def test_what_was_read_is_appended_while_a_vendor_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extraction, "LOAD_SECONDS", 0.1)
    appended: list[int] = []
    append = RawLog.append

    def counted(log: RawLog, tables: Any, *others: Any) -> None:
        appended.append(tables[READINGS][0].num_rows)
        append(log, tables, *others)

    monkeypatch.setattr(RawLog, "append", counted)
    token = response('{"access_token": "t", "expires_in": 36000}')
    running = response('[{"id": 1, "from": 1769990400000, "status": "CHARGING"}]')
    with serving(token, running, replace(response("[]"), pause_seconds=1.0)) as server:
        read(settings_for("smappee", server, tmp_path))
    assert appended == [1, 1], "the running session did not wait for the completed ones"


def test_running_sessions_are_asked_for_even_where_the_closed_ones_cannot_be_read(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("jedlix")
    sandbox.faults.arm("status", "jedlix", endpoint="sessions", nth=1, times=1, value=404)
    readings = read(settings)
    assert [each.endpoint for each in readings if each.state == "failed"] == ["sessions"]
    assert windows(readings, "open_sessions")


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
        ("zaptec", "cursor_missing", {}, "has no cursor"),
        ("zaptec", "null_list", {}, "no list of sessions"),
        ("jedlix", "lying_total", {}, "incomplete after"),
        ("jedlix", "null_list", {}, "no list of items"),
        ("greenflux", "lying_total", {}, "incomplete after"),
        ("greenflux", "null_list", {}, "contains no data"),
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
        f"not requested, because {name} could not be read." for name in {each.endpoint for each in asked}
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
    assert any("cursor repeats" in (reading.message or "") for reading in failed)
    assert {reading.rows_received for reading in failed} == {0}


def test_a_cursor_without_end_is_not_followed_for_ever(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.vendors.paging.limits.MOST_EMPTY_PAGES", 3)
    # Only a first request is answered with 200: the sandbox refuses cursors that are not its own.
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


def test_tokens_that_expire_after_a_few_requests_are_renewed(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    for vendor in ("zaptec", "jedlix", "smappee"):
        sandbox.settings.of(vendor).token_uses = 3
    readings = read(sandbox_settings("zaptec", "jedlix", "smappee"))
    assert {reading.state for reading in readings} == {"complete"}
    assert 401 in {request.status for request in sandbox.requests}


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
        assert "an internal error of Chargehouse (ZeroDivisionError in test_extraction_faults.py, line" in message
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
