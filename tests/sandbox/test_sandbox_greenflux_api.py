"""GreenFlux: a static token, offset and limit with OCPI's headers, errors inside HTTP 200."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

LISTS = {"/api/2.0/Locations": "locations", "/api/2.0/ChargeStations": "charge_stations", "/api/1.0/cdrs": "cdrs"}


def _clock(row: dict[str, Any]) -> str:
    return row["last_updated"] if "stop_date_time" in row else row["modified"] or row["created"]


def _everything(caller: Any, path: str, **query: Any) -> list[dict[str, Any]]:
    response = caller.get("greenflux", path, **query)
    rows = response.json()["data"]
    while "Link" in response.headers:
        url = response.headers["Link"].split(">")[0].lstrip("<")
        response = caller.http.request("GET", url, headers=caller.headers("greenflux"))
        rows += response.json()["data"]
    assert len(rows) == int(response.headers["X-Total-Count"])
    return rows


@pytest.mark.parametrize("path", LISTS)
def test_every_list_read_by_its_links_is_the_world_oldest_first(caller, sandbox, world, path):
    rows = _everything(caller, path, limit=6)
    shown = [version.payload for _, version in world.shown("greenflux", LISTS[path], sandbox.now)]
    assert len(rows) == len(shown) > 0
    assert all(row in shown for row in rows)
    assert [_clock(row) for row in rows] == sorted(_clock(row) for row in rows)


@pytest.mark.parametrize("path", LISTS)
def test_date_from_is_inclusive_and_date_to_exclusive(caller, path):
    rows = _everything(caller, path, limit=1000)
    first, last = _clock(rows[0]), _clock(rows[-1])
    found = _everything(caller, path, date_from=first, date_to=last)
    assert found == [row for row in rows if _clock(row) < last]
    assert found[0] == rows[0]


def test_a_status_change_does_not_move_modified_and_an_edit_does(world):
    changes = [
        (former.payload, version)
        for line in world.timelines("greenflux", "charge_stations")
        for former, version in pairwise(line.versions)
    ]
    kinds = {version.payload["modified"] == former["modified"] for former, version in changes}
    assert kinds == {True, False}, "a world without either would prove nothing"
    for former, version in changes:
        if version.payload["modified"] == former["modified"]:
            assert {**version.payload, "status": former["status"]} == former
        else:
            assert version.payload["modified"].startswith(version.shown_from.strftime("%Y-%m-%dT%H:%M:%S"))


def test_paths_are_not_case_sensitive(caller):
    assert caller.get("greenflux", "/API/2.0/chargestations").json()["status_code"] == 1000
    assert caller.get("greenflux", "/api/9.9/Locations").status == 404


@pytest.mark.parametrize("query", [{"date_from": "soon"}, {"offset": -1}, {"limit": 0}])
def test_a_bad_parameter_is_an_ocpi_error_under_status_200(caller, query):
    response = caller.get("greenflux", "/api/2.0/Locations", **query)
    body = response.json()
    assert response.status == 200
    assert (body["status_code"], body["data"]) == (2001, None)


def test_headers_envelope_order_and_page_cap_are_settings(caller, sandbox):
    settings = sandbox.settings.greenflux
    ordered = _everything(caller, "/api/1.0/cdrs", limit=1000)
    settings.ordered = False
    shuffled = _everything(caller, "/api/1.0/cdrs", limit=7)
    assert shuffled != ordered
    assert sorted(row["id"] for row in shuffled) == sorted(row["id"] for row in ordered)
    settings.page_cap = 3
    assert len(caller.get("greenflux", "/api/1.0/cdrs", limit=100).json()["data"]) == 3
    settings.link_header = settings.total_count_header = settings.limit_header = False
    settings.bare_array = True
    response = caller.get("greenflux", "/api/1.0/cdrs", limit=100)
    assert isinstance(response.json(), list)
    assert not {"Link", "X-Total-Count", "X-Limit"} & set(response.headers)


def test_token_and_module_rights(caller, sandbox):
    sandbox.settings.greenflux.denied_scopes.add("cdrs")
    assert caller.get("greenflux", "/api/1.0/cdrs").status == 403
    assert caller.get("greenflux", "/api/2.0/Locations").status == 200
    caller.headers("greenflux")["Authorization"] = "Token wrong"
    assert caller.get("greenflux", "/api/2.0/Locations").status == 401


def test_stirring_moves_a_served_station_out_of_the_window(caller, sandbox):
    as_of = sandbox.now
    window = {"limit": 4, "date_to": as_of.isoformat().replace("+00:00", "Z")}
    stir = sandbox.faults.arm("stir", "greenflux", endpoint="charge_stations", times=1)
    first = caller.get("greenflux", "/api/2.0/ChargeStations", offset=0, **window)
    second = caller.get("greenflux", "/api/2.0/ChargeStations", offset=4, **window)
    assert stir.fired == 1
    assert int(second.headers["X-Total-Count"]) == int(first.headers["X-Total-Count"]) - 1
    assert sandbox.now == as_of + timedelta(milliseconds=1)
    stepped_back = caller.get("greenflux", "/api/2.0/ChargeStations", offset=3, **window).json()["data"]
    assert stepped_back[1:] == second.json()["data"][:3]
    assert stepped_back[0] not in first.json()["data"]
