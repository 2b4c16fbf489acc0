"""Faults of the connection, of HTTP and of answers that are not what was asked for: F1 to F13."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from pipelines import command
from pipelines.vendors import http_client
from pipelines.vendors.rate_limit import RateLimit
from sandbox.fault_kinds import retry_after_date
from sandbox.faults import Fault
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from sandbox.world import World
from tests.faults.scene import Scene
from tests.faults.verdict import Walk

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = datetime(2026, 3, 12, 6, tzinfo=UTC)
# Longer after the first than any look-back: a watermark that had moved past a gap would leave it open.
SECOND = FIRST + timedelta(days=40)
READ_FIRST = ("valid_from",)
"""Depends on when a list without a clock was first read; the truth assumes that a refresh reads all lists."""


class Recovered:
    """A refresh during which transient faults happened, by the number of the fault that each stands for."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self._faults: dict[int, list[Fault]] = {}

    def arm(self, number: int, kind: Any, vendor: str, endpoint: str, **details: Any) -> None:
        fault = self.walk.sandbox.faults.arm(kind, vendor, endpoint=endpoint, **details)
        self._faults.setdefault(number, []).append(fault)

    def happened(self, number: int) -> bool:
        """Whether every fault of this number fired, as often as it was armed for."""
        return all(fault.fired == fault.times for fault in self._faults[number])

    def differences(self, number: int) -> dict[str, list[str]]:
        """How the tables of the vendors that met this fault differ from the truth."""
        return self.walk.differences(vendors=sorted({fault.vendor for fault in self._faults[number]}))


def generated_world() -> World:
    return generate_world(3, BEGINS_AT, FIRST + timedelta(days=2), 160, continues_days=45)


def scene() -> Scene:
    """Two installations, and for each vendor a session before the first refresh and one after it."""
    made = Scene(BEGINS_AT - timedelta(days=60))
    made.installation("house-2")
    made.charger("charger-2", "house-2")
    for number, day in enumerate((3, 20)):
        started_at = BEGINS_AT + timedelta(days=day)
        ended_at = started_at + timedelta(hours=2)
        made.zaptec(f"zaptec-{number}", started_at, ended_at)
        made.zaptec(f"zaptec-house-2-{number}", started_at, ended_at, chargerId="charger-2")
        made.jedlix(f"jedlix-{number}", started_at, ended_at)
        made.greenflux(f"greenflux-{number}", started_at, ended_at)
        made.smappee(number, started_at, ended_at)
    return made


@contextmanager
def walking(made: World, data: Any, **variables: str) -> Iterator[Walk]:
    with Sandbox(made, FIRST) as sandbox:
        yield Walk(data, sandbox, "2026-03", **variables)


@pytest.fixture(scope="module")
def recovered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recovered]:
    with walking(generated_world(), tmp_path_factory.mktemp("data"), CHARGEHOUSE_READ_TIMEOUT_SECONDS="0.6") as walk:
        met = Recovered(walk)
        met.arm(2, "hang", "zaptec", "installations", value=1.5)
        met.arm(2, "hang", "smappee", "token", value=1.5)
        met.arm(3, "reset_before_body", "jedlix", "users")
        met.arm(3, "reset_mid_body", "jedlix", "charging_locations", times=2)
        met.arm(3, "truncated_body", "greenflux", "cdrs")
        met.arm(3, "wrong_length", "smappee", "sessions")
        met.arm(3, "malformed_json", "zaptec", "chargers")
        for status in (500, 502, 503, 504, 408):
            met.arm(4, "status", "greenflux", "locations", value=status)
        met.arm(4, "status", "smappee", "sessions", value=500, nth=3)
        met.arm(7, "status", "jedlix", "sessions", value=401)
        met.arm(10, "html", "zaptec", "sessions")
        met.arm(10, "empty_body", "jedlix", "vehicles")
        met.arm(10, "null_list", "greenflux", "charge_stations")
        met.arm(10, "html", "zaptec", "token")
        met.arm(11, "ocpi_status", "greenflux", "charge_stations", value=3001)
        walk.refresh(FIRST)
        yield met


def test_f02_a_read_that_hangs_is_given_up_and_asked_again(recovered: Recovered) -> None:
    assert recovered.happened(2)
    assert recovered.differences(2) == {}


def test_f03_a_body_cut_off_is_thrown_away_whole_and_fetched_again(recovered: Recovered) -> None:
    assert recovered.happened(3)
    assert recovered.differences(3) == {}


def test_f04_a_run_of_server_errors_is_waited_out_and_leaves_one_copy(recovered: Recovered) -> None:
    assert recovered.happened(4)
    assert recovered.differences(4) == {}


def test_f07_an_expired_token_is_renewed_once_and_the_request_replayed_once(recovered: Recovered) -> None:
    assert recovered.happened(7)
    requests = [request for request in recovered.walk.sandbox.requests if request.vendor == "jedlix"]
    assert len([request for request in requests if request.endpoint == "token"]) == 2
    refused = next(request for request in requests if request.fault == "status")
    assert [request.fault for request in requests if request.query == refused.query] == ["status", None]
    assert recovered.differences(7) == {}


def test_f10_html_an_empty_body_or_null_is_not_taken_for_an_empty_list(recovered: Recovered) -> None:
    assert recovered.happened(10)
    assert recovered.differences(10) == {}


def test_f11_an_ocpi_server_error_inside_a_200_is_asked_again(recovered: Recovered) -> None:
    assert recovered.happened(11)
    assert recovered.differences(11) == {}


def test_f05_every_form_of_retry_after_is_waited_for_sensibly(tmp_path: Any) -> None:
    forms = ("3", retry_after_date(20), "0", retry_after_date(-3600), "86400", "soon", "-5")
    slept: list[float] = []
    with walking(scene().world, tmp_path) as walk:
        for form in forms:
            walk.sandbox.faults.arm("status", "greenflux", endpoint="locations", value=429, retry_after=form)
        with (
            patch.object(http_client.time, "sleep", slept.append),
            patch.object(RateLimit, "pause", lambda limit, seconds: None),
        ):
            walk.refresh(FIRST, vendors=["greenflux"], CHARGEHOUSE_RETRY_PAUSE_SECONDS="0.001")
        assert all(fault.fired == 1 for fault in walk.sandbox.faults.armed())
        assert walk.differences(vendors=["greenflux"]) == {}
    seconds, date, zero, past, huge, junk, negative = [pause for pause in slept if pause > 0][: len(forms)]
    assert 3 <= seconds <= 3.3
    assert 15 <= date <= 22
    assert huge == http_client.LONGEST_PAUSE_SECONDS
    assert max(zero, past, junk, negative) <= 0.001 * 2 ** len(forms)


def test_f01_a_host_that_cannot_be_reached_leaves_a_gap_that_the_next_refresh_closes(tmp_path: Any) -> None:
    with socket.socket() as closed, walking(scene().world, tmp_path) as walk:
        closed.bind(("127.0.0.1", 0))
        walk.refresh(
            FIRST,
            expecting=command.INCOMPLETE,
            ZAPTEC_BASE_URL=f"http://127.0.0.1:{closed.getsockname()[1]}",
            JEDLIX_TOKEN_URL="https://nowhere.invalid/oauth/token",  # noqa: S106 - an address, not a token
            GREENFLUX_BASE_URL=walk.sandbox.url.replace("http", "https"),
        )
        told = walk.told
        assert "zaptec installations: the host cannot be reached" in told
        assert "jedlix sessions: " in told
        assert "the host is unknown" in told
        assert "greenflux cdrs: no trusted TLS connection" in told
        assert "Traceback" not in told
        walk.read_at["smappee"].append(FIRST)
        assert walk.differences(vendors=["smappee"]) == {}
        walk.refresh(SECOND)
        assert walk.differences(leaving_out=READ_FIRST) == {}


class Refused:
    """A refresh with lasting faults: what it printed and published; and its walk, which ends with the next refresh."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.told = walk.told
        self.gaps = walk.gaps()
        self.facts = {session for (session,) in walk.house.query("SELECT session_id FROM fact_session")}
        self.requests = list(walk.sandbox.requests)

    def count(self, vendor: str, endpoint: str, status: int) -> int:
        """How many requests for a list were answered with this status."""
        place = (vendor, endpoint, status)
        return sum((request.vendor, request.endpoint, request.status) == place for request in self.requests)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Sandbox]:
    """Another host, on another port: it must never be asked anything."""
    with Sandbox(World(), FIRST) as other:
        yield other


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory, elsewhere: Sandbox) -> Iterator[Refused]:
    """All lasting faults at once, each at a vendor or list of its own; 40 days later they are over."""
    scopes = {"ZAPTEC_INSTALLATION_IDS": "house-1,house-2", "ZAPTEC_CHARGER_IDS": "removed-1"}
    with walking(scene().world, tmp_path_factory.mktemp("data"), **scopes) as walk:
        faults, settings = walk.sandbox.faults, walk.sandbox.settings
        settings.zaptec.denied_scopes = {"house-2"}
        faults.arm("status", "jedlix", value=429, retry_after="0", times=None, endpoint="sessions")
        faults.arm("empty_body", "jedlix", endpoint="vehicles", times=None)
        faults.arm("html", "greenflux", endpoint="locations", times=None)
        faults.arm("null_list", "greenflux", endpoint="charge_stations", times=None)
        faults.arm("ocpi_status", "greenflux", endpoint="cdrs", value=2001, times=None)
        faults.arm("redirect", "smappee", endpoint="sessions", value=f"{elsewhere.url}/smappee/x", times=None)
        walk.refresh(FIRST, expecting=command.INCOMPLETE)
        assert all(fault.fired for fault in faults.armed())
        met = Refused(walk)
        faults.clear()
        settings.zaptec.denied_scopes = set()
        # The charger is gone for good, so it is no longer asked for.
        walk.refresh(SECOND, ZAPTEC_CHARGER_IDS="")
        yield met


@pytest.mark.parametrize("vendor", ["zaptec", "jedlix", "greenflux", "smappee"])
def test_f08_what_was_refused_is_loaded_by_the_next_refresh_that_is_allowed(refused: Refused, vendor: str) -> None:
    assert refused.walk.differences(vendors=[vendor], leaving_out=READ_FIRST) == {}


def test_f06_a_vendor_that_limits_every_call_is_a_gap_that_says_so(refused: Refused) -> None:
    assert refused.gaps["jedlix sessions all"].startswith("rate limited (HTTP 429); gave up after")
    assert "jedlix sessions: rate limited (HTTP 429)" in refused.told
    assert 6 <= refused.count("jedlix", "sessions", 429) <= 20


def test_f08_a_scope_that_is_forbidden_is_a_gap_and_the_others_load(refused: Refused) -> None:
    assert "HTTP 403" in refused.gaps["zaptec sessions installation:house-2"]
    assert "zaptec sessions (installation:house-2): not allowed (HTTP 403)" in refused.told
    assert refused.count("zaptec", "sessions", 403) == 1
    assert "zaptec-0" in refused.facts
    assert "zaptec-house-2-0" not in refused.facts


def test_f09_a_charger_that_was_removed_is_a_gap_after_one_request(refused: Refused) -> None:
    assert "HTTP 404" in refused.gaps["zaptec sessions charger:removed-1"]
    assert refused.count("zaptec", "sessions", 404) == 1


@pytest.mark.parametrize("place", ["greenflux locations", "greenflux charge_stations", "jedlix vehicles"])
def test_f10_what_never_becomes_a_list_is_a_gap_and_not_an_empty_list(refused: Refused, place: str) -> None:
    assert "gave up after" in refused.gaps[f"{place} all"]
    assert refused.walk.requests(*place.split())[0].status == 200


def test_f11_an_ocpi_client_error_inside_a_200_is_final_after_one_request(refused: Refused) -> None:
    assert refused.gaps["greenflux cdrs all"] == "refused with OCPI status 2001"
    assert refused.count("greenflux", "cdrs", 200) == 1


def test_f12_a_redirect_to_another_host_is_refused_and_nothing_is_sent_there(
    refused: Refused, elsewhere: Sandbox
) -> None:
    assert "redirected (HTTP 302), which is not allowed" in refused.gaps["smappee open_sessions park:8812"]
    assert not elsewhere.requests


def test_f13_an_answer_too_large_is_cut_off_and_named(tmp_path: Any) -> None:
    with (
        walking(scene().world, tmp_path) as walk,
        patch.object(http_client, "LARGEST_BODY_BYTES", 2 * 1024 * 1024),
    ):
        huge = 16 * 1024 * 1024
        faults = [
            walk.sandbox.faults.arm("oversized_body", "zaptec", endpoint="sessions", scope="house-2", value=huge),
            walk.sandbox.faults.arm("gzip_bomb", "jedlix", endpoint="vehicles", value=huge),
        ]
        walk.refresh(FIRST, expecting=command.INCOMPLETE)
        assert [fault.fired for fault in faults] == [1, 1]
        gaps = walk.gaps()
        walk.refresh(SECOND)
        assert walk.differences(leaving_out=READ_FIRST) == {}
    for place in ("zaptec sessions installation:house-2", "jedlix vehicles all"):
        assert gaps[place] == "the response is larger than 2 MiB, which is not allowed."
