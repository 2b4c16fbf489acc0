"""Jedlix: client credentials, 1-based pages newest first, inclusive bounds."""

from typing import Any

import pytest

WRONG = "wrong"
LISTS = {
    "/api/v2/users": "users",
    "/api/v2/vehicles": "vehicles",
    "/api/v2/charging-locations": "charging_locations",
    "/api/v2/sessions": "sessions",
}


def _everything(caller: Any, path: str, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    index = 1
    while True:
        body = caller.get("jedlix", path, pageIndex=index, **query).json()
        rows += body["items"]
        if index >= body["totalPages"]:
            assert len(rows) == body["totalCount"]
            return rows
        index += 1


@pytest.mark.parametrize("path", LISTS)
def test_every_list_read_to_its_end_is_the_world(caller, sandbox, world, path):
    rows = _everything(caller, path, pageSize=9)
    shown = {line.object_id: version.payload for line, version in world.shown("jedlix", LISTS[path], sandbox.now)}
    assert {row["id"]: row for row in rows} == shown
    assert len(rows) == len(shown) > 0


def test_sessions_are_newest_first_and_pages_hold_twenty(caller):
    items = caller.get("jedlix", "/api/v2/sessions").json()["items"]
    starts = [item["startTime"] for item in items]
    assert len(items) == 20
    assert starts == sorted(starts, reverse=True)


def test_both_bounds_are_inclusive_and_an_end_filter_leaves_out_what_has_none(caller):
    rows = _everything(caller, "/api/v2/sessions", pageSize=100)
    ended = sorted((row for row in rows if row["endTime"]), key=lambda row: row["endTime"])
    first, last = ended[3]["endTime"], ended[9]["endTime"]
    found = _everything(caller, "/api/v2/sessions", endTimeFrom=first, endTimeTo=last)
    assert {row["id"] for row in found} == {
        row["id"] for row in rows if row["endTime"] and first <= row["endTime"] <= last
    }
    assert all(
        row["endTime"] for row in _everything(caller, "/api/v2/sessions", endTimeFrom="2020-01-01T00:00:00.000Z")
    )
    start = ended[5]["startTime"]
    by_start = _everything(caller, "/api/v2/sessions", startTimeFrom=start, startTimeTo=start)
    assert [row["startTime"] for row in by_start] == [start]


def test_created_bounds(caller):
    users = _everything(caller, "/api/v2/users")
    created = users[1]["createdAt"]
    found = _everything(caller, "/api/v2/users", createdFrom=created, createdTo=created)
    assert [user["createdAt"] for user in found] == [created]


@pytest.mark.parametrize("query", [{"pageSize": 101}, {"pageIndex": 0}, {"startTimeFrom": "soon"}])
def test_a_query_that_is_not_valid_is_refused(caller, query):
    response = caller.get("jedlix", "/api/v2/sessions", **query)
    assert response.status == 400
    assert response.headers["Content-Type"].startswith("application/problem+json")


def test_key_token_and_audience_are_checked(caller):
    assert caller.sign_in("jedlix", client_secret=WRONG).status == 401
    assert caller.sign_in("jedlix", audience="https://elsewhere.example.net").status == 403
    caller.headers("jedlix")["ApiKey"] = "wrong"
    assert caller.get("jedlix", "/api/v2/users").status == 401


def test_the_echoed_page_size_may_lie(caller, sandbox):
    sandbox.settings.jedlix.echoed_page_size = 100
    body = caller.get("jedlix", "/api/v2/sessions", pageSize=5).json()
    assert body["pageSize"] == 100
    assert len(body["items"]) == 5


def test_a_session_is_active_before_it_is_complete(caller, sandbox, world):
    line = next(each for each in world.timelines("jedlix", "sessions") if len(each.versions) == 2)
    opened, closed = line.versions
    sandbox.now = opened.shown_from
    rows = {row["id"]: row for row in _everything(caller, "/api/v2/sessions", pageSize=100)}
    assert rows[line.object_id]["endTime"] is None
    sandbox.now = closed.shown_from
    rows = {row["id"]: row for row in _everything(caller, "/api/v2/sessions", pageSize=100)}
    assert rows[line.object_id]["endTime"] is not None
