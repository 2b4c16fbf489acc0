"""Smappee: a whole park at once, as a list, one object or nothing; running sessions before completed ones."""

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.faults import ReadingError
from pipelines.personal_data import Pseudonyms
from pipelines.settings import load_settings
from pipelines.vendors import open_vendor
from pipelines.vendors.http_client import Tally
from tests.pipelines.scripted_server import Scripted, response, serving
from tests.pipelines.vendors.asked import objects_of, variables

TOKEN = response('{"access_token": "t", "refresh_token": "r", "expires_in": 36000}')


@pytest.mark.parametrize(
    ("answer", "objects"),
    [
        (response('[{"id": 1}, {"id": 2}]'), [{"id": 1}, {"id": 2}]),
        (response('{"id": 1}'), [{"id": 1}]),
        (response("[]"), []),
        (response("", 204), []),
    ],
)
@pytest.mark.parametrize("endpoint", ["sessions", "open_sessions"])
def test_a_list_one_object_and_nothing_are_all_answers(endpoint: str, answer: Scripted, objects: list[object]) -> None:
    with serving(TOKEN, answer) as server:
        assert objects_of(server, "smappee", endpoint) == objects
        asked = urlsplit(server.requests[1].split()[1])
    assert asked.path == "/chargingparks/1201/sessions"
    assert parse_qs(asked.query) == {
        "range": ["1769904000000,1772344800000"],
        "active": ["true" if endpoint == "open_sessions" else "false"],
    }


def test_a_park_that_is_no_plain_number_stays_one_part_of_the_path() -> None:
    with serving(TOKEN, response("[]")) as server:
        assert objects_of(server, "smappee", "sessions", SMAPPEE_PARK_IDS="501/../9?a=b") == []
        assert urlsplit(server.requests[1].split()[1]).path == "/chargingparks/501%2F..%2F9%3Fa%3Db/sessions"


@pytest.mark.parametrize("wrong", ["null", "7", '{"error": "no"}', "{}", '"text"', ""])
def test_anything_else_is_asked_for_again_and_then_a_fault(wrong: str) -> None:
    with serving(TOKEN, response(wrong), response('[{"id": 1}]')) as server:
        assert objects_of(server, "smappee", "sessions") == [{"id": 1}]
    with serving(TOKEN, response(wrong)) as server, pytest.raises(ReadingError, match="gave up"):
        objects_of(server, "smappee", "sessions")


def test_the_check_of_the_credentials_asks_for_a_range_that_can_be_meant() -> None:
    with serving(TOKEN, response("[]")) as server:
        settings = load_settings(variables(server), Path("/nonexistent/.env"))
        before = time.time() * 1000
        open_vendor("smappee", settings, Pseudonyms("smappee", b"key")).check_credentials(Tally())
        query = parse_qs(urlsplit(server.requests[1].split()[1]).query)
    from_at, to_at = map(int, query["range"][0].split(","))
    assert to_at - from_at == 24 * 3_600_000
    assert before - 1 <= to_at <= time.time() * 1000 + 1


def test_an_expired_token_is_renewed_by_the_refresh_token() -> None:
    with serving(TOKEN, response("", 401), TOKEN, response("[]")) as server:
        objects_of(server, "smappee", "sessions")
        assert "grant_type=password" in server.requests[0]
        assert "grant_type=refresh_token" in server.requests[2]
        assert "refresh_token=r" in server.requests[2]
        assert "password=" not in server.requests[2]


def test_a_refresh_token_that_gives_dead_tokens_gives_way_to_the_password() -> None:
    dead = response("", 401)
    with serving(TOKEN, dead, TOKEN, dead, TOKEN, response('[{"id": 1}]')) as server:
        assert objects_of(server, "smappee", "sessions") == [{"id": 1}]
        grants = [request.partition("grant_type=")[2].partition("&")[0] for request in server.requests]
    assert grants == ["password", "", "refresh_token", "", "password", ""]
