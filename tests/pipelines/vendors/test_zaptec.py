"""Zaptec: the archive by cursor with one scope each, lists by page, and malformed answers."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.faults import ReadingError
from pipelines.personal_data import Pseudonyms
from pipelines.settings import load_settings
from pipelines.vendors import open_vendor
from pipelines.vendors.contract import Position, Window
from pipelines.vendors.http_client import ATTEMPTS, Tally
from tests.pipelines.scripted_server import Scripted, ScriptedServer, response, serving
from tests.pipelines.vendors.asked import NOW, REFRESH, line_of, objects_of, variables

TOKEN = response('{"access_token": "t", "expires_in": 3600}')


def archive(*sessions: object, cursor: object = None, more: object = False) -> Scripted:
    return response(json.dumps({"sessions": list(sessions), "cursor": cursor, "hasMore": more}))


def listed(*rows: object, pages: object = 1, **fields: object) -> Scripted:
    return response(json.dumps({"Pages": pages, "Data": list(rows), **fields}))


def queries(server: ScriptedServer) -> list[dict[str, list[str]]]:
    return [parse_qs(urlsplit(request.split()[1]).query) for request in server.requests if request.startswith("GET")]


def test_the_archive_is_asked_for_one_scope_with_bounds_and_the_cursor_of_the_page_before() -> None:
    with serving(TOKEN, archive({"id": 1}, cursor="c/1=", more=True), archive({"id": 2})) as server:
        assert objects_of(server, "zaptec", "sessions") == [{"id": 1}, {"id": 2}]
        first, second = queries(server)
    bounds = {"From": ["2026-02-01T00:00:00.000Z"], "To": ["2026-03-01T06:00:00.000Z"]}
    assert first == {"InstallationId": ["i-1"], **bounds, "PageSize": ["200"]}
    assert second == {**first, "Cursor": ["c/1="]}


def test_a_page_size_that_is_refused_is_halved_once() -> None:
    with serving(TOKEN, response("", 400), archive({"id": 1})) as server:
        assert objects_of(server, "zaptec", "sessions") == [{"id": 1}]
        assert [query["PageSize"] for query in queries(server)] == [["200"], ["100"]]
    with serving(TOKEN, response("", 400)) as server:
        with pytest.raises(ReadingError, match="HTTP 400"):
            objects_of(server, "zaptec", "sessions")
        assert len(queries(server)) == 2


def test_a_page_size_is_halved_for_the_windows_to_come_only_where_half_of_it_is_accepted() -> None:
    refused = response("", 400)
    with serving(TOKEN, refused, refused, refused, archive({"id": 1}), archive({"id": 2})) as server:
        line = line_of(server, "zaptec", "sessions")
        [window] = line.stretches(Position())
        with pytest.raises(ReadingError, match="HTTP 400"):
            list(line.read(window, Tally()))
        for _ in range(2):
            list(line.read(window, Tally()))
        sizes = [int(query["PageSize"][0]) for query in queries(server)]
    assert sizes == [200, 100, 200, 100, 100]


def scopes(server: ScriptedServer, **variables_of_the_account: str) -> list[str]:
    """The scopes that the archive is asked for, once the installations have been read."""
    settings = load_settings({**variables(server), **variables_of_the_account}, Path("/nonexistent/.env"))
    rounds = open_vendor("zaptec", settings, Pseudonyms("zaptec", b"key")).rounds(REFRESH)
    [[installations], _] = next(rounds)
    list(installations.read(Window(None, NOW), Tally()))
    return [line.scope for [line] in next(rounds)]


def test_an_installation_that_a_moving_list_shows_twice_is_one_scope() -> None:
    with serving(TOKEN, listed({"Id": "a"}, {"Id": "b"}, {"Id": "a"})) as server:
        assert scopes(server, ZAPTEC_INSTALLATION_IDS="") == ["installation:a", "installation:b"]


def test_an_installation_whose_sessions_cannot_be_asked_for_is_a_gap_and_the_others_are_scopes() -> None:
    is_refused = pytest.raises(ReadingError, match=r"1 installation\(s\) have no Id")
    with serving(TOKEN, listed({"id": "a"}, {"Id": "b"})) as server, is_refused:
        objects_of(server, "zaptec", "installations", ZAPTEC_INSTALLATION_IDS="")
    with serving(TOKEN, listed({"id": "a"}, {"Id": "b"})) as server:
        assert objects_of(server, "zaptec", "installations") == [{"id": "a"}, {"Id": "b"}]
    with serving(TOKEN, listed({"id": "a"}, {"Id": "b"})) as server:
        settings = load_settings({**variables(server), "ZAPTEC_INSTALLATION_IDS": ""}, Path("/nonexistent/.env"))
        rounds = open_vendor("zaptec", settings, Pseudonyms("zaptec", b"key")).rounds(REFRESH)
        [[installations], _] = next(rounds)
        with suppress(ReadingError):
            list(installations.read(Window(None, NOW), Tally()))
        assert [line.scope for [line] in next(rounds)] == ["installation:b"]


def test_with_users_alone_no_installation_is_asked_for_and_a_user_stands_by_pseudonym() -> None:
    with serving(TOKEN, listed({"Id": "a"})) as server:
        [scope] = scopes(server, ZAPTEC_INSTALLATION_IDS="", ZAPTEC_USER_IDS="user-7")
    assert scope.startswith("user:")
    assert "user-7" not in scope


def test_a_cursor_that_is_refused_is_not_tried_in_another_query() -> None:
    with serving(TOKEN, archive({"id": 1}, cursor="expired", more=True), response("", 400)) as server:
        with pytest.raises(ReadingError, match="HTTP 400"):
            objects_of(server, "zaptec", "sessions")
        assert len(queries(server)) == 2


def test_an_archive_that_shows_one_page_under_ever_new_cursors_is_not_followed_for_ever() -> None:
    pages = [archive({"id": 1}, {"id": 2}, cursor=f"cursor-{number}", more=True) for number in range(100)]
    with serving(TOKEN, *pages) as server:
        with pytest.raises(ReadingError, match="the same rows come again and again"):
            objects_of(server, "zaptec", "sessions")
        assert len(queries(server)) < 30


@pytest.mark.parametrize(
    "wrong",
    [
        response('{"sessions": null, "hasMore": false}'),
        response('{"hasMore": false}'),
        response('{"sessions": []}'),
        response('{"sessions": [], "hasMore": "yes"}'),
        response("[]"),
        response("", 204),
    ],
)
def test_an_archive_page_that_is_none_is_asked_for_again_and_then_a_fault(wrong: Scripted) -> None:
    with serving(TOKEN, wrong, archive({"id": 1})) as server:
        assert objects_of(server, "zaptec", "sessions") == [{"id": 1}]
    with serving(TOKEN, wrong) as server:
        with pytest.raises(ReadingError, match="gave up"):
            objects_of(server, "zaptec", "sessions")
        assert len(queries(server)) == ATTEMPTS


@pytest.mark.parametrize("cursor", [7, {"a": 1}, ["c"]])
def test_a_cursor_that_is_no_text_is_a_fault(cursor: object) -> None:
    with serving(TOKEN, archive(cursor=cursor, more=True)) as server, pytest.raises(ReadingError, match="not text"):
        objects_of(server, "zaptec", "sessions")


@pytest.mark.parametrize("total", [{}, {"TotalCount": None}, {"TotalCount": "3"}, {"TotalCount": 3}])
def test_a_list_of_several_pages_is_read_to_the_last_with_and_without_a_total(total: dict[str, Any]) -> None:
    pages = [listed({"Id": "a"}, {"Id": "b"}, pages=2, **total), listed({"Id": "c"}, pages=2, **total)]
    repeats = 1 if total == {"TotalCount": 3} else 2
    with serving(TOKEN, *pages * repeats) as server:
        rows = objects_of(server, "zaptec", "chargers")
        assert {row["Id"] for row in rows} == {"a", "b", "c"}
        assert [query["PageIndex"] for query in queries(server)] == [["0"], ["1"]] * repeats


def test_a_single_page_without_a_total_is_read_once() -> None:
    with serving(TOKEN, listed({"Id": "a"})) as server:
        objects_of(server, "zaptec", "chargers")
        assert len(queries(server)) == 1


@pytest.mark.parametrize("odd", [None, 7, "text", {}, {"Id": None}, {"Id": ["x"]}, {"Id": {"x": 1}}, {"Id": 7}])
def test_a_row_that_is_no_object_with_an_id_is_received_and_harms_nobody(odd: object) -> None:
    archived = archive({"id": 1})
    with serving(TOKEN, listed(odd, odd, {"Id": "i-9"}, TotalCount=3), listed(), archived) as server:
        assert objects_of(server, "zaptec", "installations") == [odd, odd, {"Id": "i-9"}]


def test_a_list_that_does_not_say_how_many_pages_is_a_fault() -> None:
    with serving(TOKEN, listed({"Id": "a"}, pages=None)) as server, pytest.raises(ReadingError, match="how many pages"):
        objects_of(server, "zaptec", "chargers")
