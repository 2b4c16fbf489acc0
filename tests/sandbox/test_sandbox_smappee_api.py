"""Smappee: password and refresh grants, one array per park, start inclusive and end exclusive, open or completed."""

import pytest

WRONG = "wrong"


def _sessions(caller, park, **query):
    return caller.get("smappee", f"/chargingparks/{park}/sessions", **{"range": 0, **query})


def test_all_parks_read_open_and_completed_are_the_world(caller, sandbox, world):
    line = next(each for each in world.timelines("smappee", "sessions") if len(each.versions) > 1)
    sandbox.now = line.versions[0].shown_from
    rows = []
    for park in caller.environment["SMAPPEE_PARK_IDS"].split(","):
        completed, active = _sessions(caller, park).json(), _sessions(caller, park, active="true").json()
        assert all(row["status"] == "STOPPED" for row in completed)
        assert all(row["status"] != "STOPPED" and "to" not in row for row in active)
        for part in (completed, active):
            assert [row["from"] for row in part] == sorted((row["from"] for row in part), reverse=True)
        rows += completed + active
    shown = {line.object_id: version.payload for line, version in world.shown("smappee", "sessions", sandbox.now)}
    assert line.object_id in shown
    assert {str(row["id"]): row for row in rows} == shown
    assert len(rows) == len(shown)


def test_the_range_is_inclusive_at_its_start_and_exclusive_at_its_end(caller):
    park = caller.environment["SMAPPEE_PARK_IDS"].split(",")[0]
    rows = _sessions(caller, park).json()
    last, first = rows[2]["from"], rows[8]["from"]
    assert _sessions(caller, park, range=f"{first},{last}").json() == rows[3:9]


def test_a_session_closes_at_the_instant_of_its_end(caller, sandbox, world):
    line = next(each for each in world.timelines("smappee", "sessions") if len(each.versions) > 1)
    closed = line.versions[-1]
    sandbox.now = closed.shown_from
    assert int(closed.shown_from.timestamp() * 1000) == closed.payload["to"]
    assert closed.payload in _sessions(caller, line.scope).json()


@pytest.mark.parametrize(("query", "status"), [({}, 500), ({"range": "soon"}, 400)])
def test_the_range_is_mandatory(caller, query, status):
    park = caller.environment["SMAPPEE_PARK_IDS"].split(",")[0]
    assert caller.get("smappee", f"/chargingparks/{park}/sessions", **query).status == status


def test_parks_unknown_and_without_rights(caller, sandbox):
    park = caller.environment["SMAPPEE_PARK_IDS"].split(",")[0]
    assert _sessions(caller, "999").status == 404
    sandbox.settings.smappee.denied_scopes.add(park)
    assert _sessions(caller, park).status == 403


def test_an_empty_answer_may_be_204_and_a_single_one_an_object(caller, sandbox):
    park = caller.environment["SMAPPEE_PARK_IDS"].split(",")[0]
    newest = _sessions(caller, park).json()[0]
    assert _sessions(caller, park, range="0,1").json() == []
    sandbox.settings.smappee.empty_is_no_content = sandbox.settings.smappee.single_is_object = True
    assert _sessions(caller, park, range="0,1").status == 204
    assert _sessions(caller, park, range=newest["from"]).json() == newest


def test_a_refresh_token_is_good_once(caller):
    granted = caller.sign_in("smappee").json()
    again = caller.sign_in("smappee", grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert again.status == 200
    assert again.json()["refresh_token"] != granted["refresh_token"]
    spent = caller.sign_in("smappee", grant_type="refresh_token", refresh_token=granted["refresh_token"])
    assert spent.status == 400
    assert caller.sign_in("smappee", client_secret=WRONG).status == 401
