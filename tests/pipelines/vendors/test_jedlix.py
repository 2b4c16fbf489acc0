"""Jedlix: numbered pages from 1, whose echoed size is not believed; closed sessions, then those that still run."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.vendors.contract import Position, Question, Window
from pipelines.vendors.jedlix import RECENT
from tests.pipelines.scripted_server import Scripted, response, serving
from tests.pipelines.vendors.asked import NOW, REFRESH, line_of, objects_of

TOKEN = response('{"access_token": "t", "expires_in": 3600}')


def page(*items: object, count: object, pages: object = 1) -> Scripted:
    return response(
        json.dumps({"pageIndex": 1, "pageSize": 7, "totalPages": pages, "totalCount": count, "items": items})
    )


def test_closed_sessions_are_asked_for_by_their_end_and_all_headers_go_along() -> None:
    with serving(TOKEN, page({"id": "a"}, count=1)) as server:
        assert objects_of(server, "jedlix", "sessions", JEDLIX_API_KEY="the-key") == [{"id": "a"}]
        sign_in, asked = server.requests
    assert "grant_type=client_credentials" in sign_in
    assert parse_qs(urlsplit(asked.split()[1]).query) == {
        "endTimeFrom": ["2026-02-01T00:00:00.000Z"],
        "endTimeTo": ["2026-03-01T06:00:00.000Z"],
        "pageSize": ["100"],
        "pageIndex": ["1"],
    }
    assert "\r\nAuthorization: Bearer t\r\n" in asked
    assert "\r\nApiKey: the-key\r\n" in asked


def test_a_whole_list_ends_at_the_now_of_the_run() -> None:
    with serving(TOKEN, page({"id": "a"}, count=1)) as server:
        assert objects_of(server, "jedlix", "vehicles") == [{"id": "a"}]
        _, asked = server.requests
    assert parse_qs(urlsplit(asked.split()[1]).query)["createdTo"] == ["2026-03-01T06:00:00.000Z"]


@pytest.mark.parametrize(
    "wrong",
    [
        response('{"items": null, "totalCount": 1, "totalPages": 1}'),
        response("[]"),
        response("", 204),
        page({"id": "a"}, count=None),
        page({"id": "a"}, count="1"),
        page({"id": "a"}, count=1, pages=None),
    ],
)
def test_a_page_that_is_none_is_asked_for_again(wrong: Scripted) -> None:
    with serving(TOKEN, wrong, page({"id": "a"}, count=1)) as server:
        assert objects_of(server, "jedlix", "sessions") == [{"id": "a"}]


def test_running_sessions_are_asked_for_since_the_watermark_and_around_known_starts_and_not_in_a_backfill() -> None:
    with serving(TOKEN, page(count=0)) as server:
        running = line_of(server, "jedlix", "open_sessions")
        backfill = Question("backfill", NOW, REFRESH.first_month_at, REFRESH.first_month_at, NOW)
        with pytest.raises(LookupError):
            line_of(server, "jedlix", "open_sessions", backfill)
    watermark = NOW - timedelta(days=2)
    oldest = NOW - timedelta(days=30)
    assert running.stretches(Position()) == [Window(REFRESH.first_month_at, NOW)]
    around, recent = running.stretches(Position(watermark, (oldest, watermark)))
    assert around.from_at is not None
    assert around.from_at < oldest < around.to_at
    assert recent == Window(watermark - timedelta(days=7), NOW)


def test_the_first_look_for_running_sessions_goes_back_to_the_first_month_in_two_lists() -> None:
    question = Question("refresh", NOW, NOW - timedelta(days=700))
    with serving(TOKEN) as server:
        running = line_of(server, "jedlix", "open_sessions", question)
    assert running.stretches(Position()) == [
        Window(NOW - timedelta(days=700), NOW - RECENT),
        Window(NOW - RECENT, NOW),
    ]
    assert running.stretches(Position(NOW - RECENT)) == [Window(NOW - RECENT - timedelta(days=7), NOW)], "cut off"


@pytest.mark.parametrize("odd", [None, 7, "text", [], {}, {"id": None}, {"id": ["x"]}])
def test_a_row_that_is_no_object_with_an_id_is_received(odd: object) -> None:
    with serving(TOKEN, page(odd, odd, {"id": "a"}, count=3)) as server:
        assert objects_of(server, "jedlix", "users") == [odd, odd, {"id": "a"}]
