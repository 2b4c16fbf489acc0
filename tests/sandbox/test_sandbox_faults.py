"""Every fault does what it says, and counts itself."""

import time

import pytest
import urllib3

from sandbox.fault_kinds import retry_after_date
from sandbox.faults import FaultScript

JEDLIX = "/api/v2/sessions"
BROKEN = (urllib3.exceptions.ProtocolError, urllib3.exceptions.IncompleteRead)


@pytest.mark.parametrize("kind", ["reset_before_body", "reset_mid_body", "truncated_body"])
def test_a_broken_connection_fires_once_and_is_over(caller, sandbox, kind):
    caller.headers("jedlix")
    fault = sandbox.faults.arm(kind, "jedlix", endpoint="sessions", nth=2)
    assert caller.get("jedlix", JEDLIX).status == 200
    with pytest.raises(BROKEN):
        caller.get("jedlix", JEDLIX)
    assert caller.get("jedlix", JEDLIX).status == 200
    assert (fault.seen, fault.fired) == (3, 1)


def test_a_wrong_length_cuts_the_json(caller, sandbox):
    sandbox.faults.arm("wrong_length", "jedlix", endpoint="sessions")
    with pytest.raises(ValueError, match=r"Expecting|delimiter|Unterminated"):
        caller.get("jedlix", JEDLIX).json()


def test_hanging(caller, sandbox):
    caller.headers("jedlix")
    sandbox.faults.arm("hang", "jedlix", endpoint="sessions", value=0.2)
    began = time.monotonic()
    assert caller.get("jedlix", JEDLIX).status == 200
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("status", [401, 403, 404, 408, 500, 502, 503, 504])
def test_a_status(caller, sandbox, status):
    sandbox.faults.arm("status", "jedlix", endpoint="sessions", value=status)
    assert [caller.get("jedlix", JEDLIX).status for _ in range(2)] == [status, 200]


@pytest.mark.parametrize("retry_after", ["3", "0", "-5", "99999999", "soon", None, "date"])
def test_too_many_requests(caller, sandbox, retry_after):
    retry_after = retry_after_date(2) if retry_after == "date" else retry_after
    sandbox.faults.arm("status", "greenflux", value=429, retry_after=retry_after)
    response = caller.get("greenflux", "/api/2.0/Locations")
    assert response.status == 429
    assert response.headers.get("Retry-After") == retry_after


def test_answers_that_are_no_answer(caller, sandbox):
    for kind in ("html", "empty_body", "malformed_json"):
        sandbox.faults.arm(kind, "jedlix", endpoint="sessions")
        response = caller.get("jedlix", JEDLIX)
        assert response.status == 200
        with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
            response.json()


def test_a_null_list(caller, sandbox):
    for vendor, path, field in (
        ("jedlix", JEDLIX, "items"),
        ("zaptec", "/api/chargers", "Data"),
        ("greenflux", "/api/1.0/cdrs", "data"),
    ):
        caller.headers(vendor)
        sandbox.faults.arm("null_list", vendor)
        assert caller.get(vendor, path).json()[field] is None
    caller.headers("smappee")
    sandbox.faults.arm("null_list", "smappee")
    assert caller.get("smappee", "/chargingparks/1201/sessions", range=0).json() is None


def test_ocpi_codes_under_status_200(caller, sandbox):
    for code in (2001, 3000):
        sandbox.faults.arm("ocpi_status", "greenflux", value=code)
        response = caller.get("greenflux", "/api/1.0/cdrs")
        assert (response.status, response.json()["status_code"]) == (200, code)


def test_other_hosts(caller, sandbox):
    sandbox.faults.arm("redirect", "greenflux")
    sandbox.faults.arm("next_link", "greenflux")
    redirected = caller.get("greenflux", "/api/1.0/cdrs")
    assert redirected.status == 302
    assert "example.net" in redirected.headers["Location"]
    assert "example.net" in caller.get("greenflux", "/api/1.0/cdrs").headers["Link"]


def test_further_headers_on_an_answer_that_is_otherwise_as_it_was(caller, sandbox):
    before = caller.get("jedlix", JEDLIX)
    sandbox.faults.arm("headers", "jedlix", endpoint="sessions", value={"Deprecation": "true", "Link": "</a>; rel=b"})
    response = caller.get("jedlix", JEDLIX)
    assert (response.status, response.data) == (before.status, before.data)
    assert (response.headers["Deprecation"], response.headers["Link"]) == ("true", "</a>; rel=b")
    sandbox.faults.arm("headers", "greenflux", endpoint="cdrs", value={"Link": "</a>; rel=b"})
    paged = caller.get("greenflux", "/api/1.0/cdrs?limit=1")
    assert 'rel="next", </a>; rel=b' in paged.headers["Link"]


def test_bodies_too_large(caller, sandbox):
    caller.headers("jedlix")
    sandbox.faults.arm("oversized_body", "jedlix", value=3_000_000)
    assert len(caller.get("jedlix", JEDLIX).data) == 3_000_000
    sandbox.faults.arm("gzip_bomb", "jedlix", value=8 * 1024 * 1024)
    response = caller.http.request(
        "GET", caller.environment["JEDLIX_BASE_URL"] + JEDLIX, headers=caller.headers("jedlix"), preload_content=False
    )
    packed = response.read(decode_content=False)
    assert len(packed) < 100_000
    assert response.headers["Content-Encoding"] == "gzip"


def test_cursors_that_lead_nowhere(caller, sandbox):
    installation = caller.get("zaptec", "/api/installation").json()["Data"][0]["Id"]
    query = {
        "InstallationId": installation,
        "From": "2026-01-01T00:00:00Z",
        "To": "2027-01-01T00:00:00Z",
        "PageSize": 5,
    }
    path = "/api/sessions/archived"
    cursor = caller.get("zaptec", path, **query).json()["cursor"]
    sandbox.faults.arm("repeated_cursor", "zaptec", endpoint="sessions")
    body = caller.get("zaptec", path, Cursor=cursor, **query).json()
    assert (body["cursor"], body["hasMore"]) == (cursor, True)
    sandbox.faults.arm("cursor_missing", "zaptec", endpoint="sessions")
    body = caller.get("zaptec", path, **query).json()
    assert (body["cursor"], body["hasMore"]) == (None, True)
    sandbox.faults.arm("endless_cursor", "zaptec", endpoint="sessions", times=None)
    first = caller.get("zaptec", path, **query).json()
    second = caller.get("zaptec", path, Cursor=first["cursor"], **query).json()
    assert first["hasMore"]
    assert second["hasMore"]
    assert first["cursor"] != second["cursor"]


def test_totals_that_lie(caller, sandbox):
    for vendor, path in (("jedlix", JEDLIX), ("greenflux", "/api/1.0/cdrs")):
        caller.headers(vendor)
        honest = caller.get(vendor, path)
        sandbox.faults.arm("lying_total", vendor)
        lying = caller.get(vendor, path)
        if vendor == "jedlix":
            assert lying.json()["totalCount"] == honest.json()["totalCount"] + 7
        else:
            assert int(lying.headers["X-Total-Count"]) == int(honest.headers["X-Total-Count"]) + 7


def test_a_stirred_jedlix_list_has_a_new_head(caller, sandbox):
    stir = sandbox.faults.arm("stir", "jedlix", endpoint="sessions", nth=2)
    pages = [caller.get("jedlix", JEDLIX, pageSize=5, pageIndex=index).json() for index in (1, 2, 3)]
    assert stir.fired == 1
    assert pages[2]["totalCount"] == pages[1]["totalCount"] + 1
    assert pages[2]["items"][0] == pages[1]["items"][-1]


def test_a_fault_can_be_for_one_scope_only(caller, sandbox):
    first, second = (each["Id"] for each in caller.get("zaptec", "/api/installation").json()["Data"][:2])
    fault = sandbox.faults.arm("status", "zaptec", scope=second, value=403, times=None)
    query = {"From": "2026-01-01T00:00:00Z", "To": "2027-01-01T00:00:00Z"}
    assert caller.get("zaptec", "/api/sessions/archived", InstallationId=first, **query).status == 200
    assert caller.get("zaptec", "/api/sessions/archived", InstallationId=second, **query).status == 403
    assert fault.fired == 1


def test_a_mixed_profile_spoils_its_share_of_requests_and_repeats_itself():
    def fired() -> int:
        script = FaultScript()
        script.arm_profile("mixed:0.12", seed=3)
        return sum(script.next("zaptec", "sessions", None) is not None for _ in range(2000))

    assert fired() == fired()
    assert 0.09 < fired() / 2000 < 0.15


@pytest.mark.parametrize("profile", ["mixed", "mixed:2", "other:0.1"])
def test_an_unknown_profile_is_refused(profile):
    with pytest.raises(ValueError, match="unknown fault profile"):
        FaultScript().arm_profile(profile)


def test_the_servers_own_rate_limit(caller, sandbox):
    settings = sandbox.settings.jedlix
    caller.headers("jedlix")
    settings.requests_per_second, settings.burst = 0.001, 2
    responses = [caller.get("jedlix", JEDLIX) for _ in range(3)]
    assert [response.status for response in responses] == [200, 200, 429]
    assert responses[2].headers["Retry-After"] == "1"


def test_latency(caller, sandbox):
    caller.headers("jedlix")
    sandbox.settings.jedlix.latency_seconds = 0.1
    began = time.monotonic()
    caller.get("jedlix", JEDLIX)
    assert time.monotonic() - began >= 0.1
