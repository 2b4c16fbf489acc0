"""Zaptec: sign-in, PascalCase lists by page index, and the archive by cursor."""

from datetime import timedelta
from typing import Any

import pytest

ARCHIVE = "/api/sessions/archived"
WRONG = "wrong"
ALL_TIME = {"From": "2025-01-01T00:00:00Z", "To": "2026-12-01T00:00:00Z"}


def _installations(caller: Any) -> list[str]:
    return [each["Id"] for each in caller.get("zaptec", "/api/installation").json()["Data"]]


def _archive(caller: Any, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = {}
    while True:
        body = caller.get("zaptec", ARCHIVE, **query, **cursor).json()
        assert set(body) == {"sessions", "cursor", "hasMore"}
        rows += body["sessions"]
        if not body["hasMore"]:
            assert body["cursor"] is None
            return rows
        cursor = {"Cursor": body["cursor"]}


def test_the_archive_read_to_its_end_is_the_world_oldest_end_first(caller, sandbox, world):
    rows: list[dict[str, Any]] = []
    for installation in _installations(caller):
        part = _archive(caller, InstallationId=installation, PageSize=7, **ALL_TIME)
        assert part == sorted(part, key=lambda row: (row["endDateTime"], row["id"]))
        rows += part
    shown = {line.object_id: version.payload for line, version in world.shown("zaptec", "sessions", sandbox.now)}
    assert len(rows) > 100
    assert {row["id"]: row for row in rows} == shown
    assert len(rows) == len(shown)


def test_from_is_inclusive_and_to_exclusive_on_the_end(caller):
    installation = _installations(caller)[0]
    rows = _archive(caller, InstallationId=installation, **ALL_TIME)
    first, last = rows[5]["endDateTime"], rows[10]["endDateTime"]
    found = _archive(caller, InstallationId=installation, From=first, To=last)
    assert [row["id"] for row in found] == [row["id"] for row in rows[5:10]]


def test_a_charger_and_a_user_are_scopes_too(caller):
    rows = [row for each in _installations(caller) for row in _archive(caller, InstallationId=each, **ALL_TIME)]
    charger = rows[0]["chargerId"]
    user = next(row["authorizedUser"]["id"] for row in rows if row["authorizedUser"])
    by_charger = _archive(caller, ChargerId=charger, **ALL_TIME)
    by_user = _archive(caller, UserId=user, **ALL_TIME)
    assert {row["id"] for row in by_charger} == {row["id"] for row in rows if row["chargerId"] == charger}
    assert {row["id"] for row in by_user} == {
        row["id"] for row in rows if (row["authorizedUser"] or {}).get("id") == user
    }


def test_lists_page_from_zero_and_name_their_pages(caller, world):
    body = caller.get("zaptec", "/api/chargers", PageSize=4, PageIndex=1).json()
    everything = caller.get("zaptec", "/api/chargers").json()["Data"]
    assert body["Data"] == everything[4:8]
    assert body["Pages"] == -(-len(world.timelines("zaptec", "chargers")) // 4)
    assert body["Message"] is None


@pytest.mark.parametrize(
    ("changed", "parameter"),
    [
        ({"ChargerId": "x"}, "InstallationId"),
        ({"InstallationId": ""}, "InstallationId"),
        ({"From": "yesterday"}, "From"),
        ({"To": "2024-01-01T00:00:00Z"}, "To"),
        ({"PageSize": 201}, "PageSize"),
        ({"Cursor": "nonsense"}, "Cursor"),
    ],
)
def test_a_query_that_is_not_valid_is_refused_with_its_parameter(caller, changed, parameter):
    query = {"InstallationId": _installations(caller)[0], **ALL_TIME, **changed}
    response = caller.get("zaptec", ARCHIVE, **query)
    assert response.status == 400
    assert list(response.json()["errors"]) == [parameter]


def test_a_cursor_belongs_to_its_own_query(caller):
    installation = _installations(caller)[0]
    cursor = caller.get("zaptec", ARCHIVE, InstallationId=installation, PageSize=5, **ALL_TIME).json()["cursor"]
    response = caller.get("zaptec", ARCHIVE, InstallationId=installation, PageSize=6, Cursor=cursor, **ALL_TIME)
    assert response.status == 400


def test_a_smaller_greatest_page_size_is_a_setting(caller, sandbox):
    sandbox.settings.zaptec.max_page_size = 100
    query = {"InstallationId": _installations(caller)[0], **ALL_TIME}
    assert caller.get("zaptec", ARCHIVE, PageSize=200, **query).status == 400
    assert caller.get("zaptec", ARCHIVE, PageSize=100, **query).status == 200


def test_scopes_without_rights_or_existence(caller, sandbox):
    allowed, denied = _installations(caller)[:2]
    sandbox.settings.zaptec.denied_scopes.add(denied)
    assert caller.get("zaptec", ARCHIVE, InstallationId=allowed, **ALL_TIME).status == 200
    assert caller.get("zaptec", ARCHIVE, InstallationId=denied, **ALL_TIME).status == 403
    assert caller.get("zaptec", ARCHIVE, InstallationId="nowhere", **ALL_TIME).status == 404


def test_signing_in_and_the_end_of_a_token(caller, sandbox):
    refused = caller.sign_in("zaptec", password=WRONG)
    assert refused.status == 400
    assert refused.json()["error"] == "invalid_grant"
    sandbox.settings.zaptec.token_uses = 2
    assert [caller.get("zaptec", "/api/installation").status for _ in range(3)] == [200, 200, 401]


def test_a_token_can_expire_on_the_virtual_clock(caller, sandbox):
    sandbox.settings.zaptec.expiry_clock = "virtual"
    assert caller.get("zaptec", "/api/installation").status == 200
    sandbox.now += timedelta(hours=1)
    assert caller.get("zaptec", "/api/installation").status == 401
