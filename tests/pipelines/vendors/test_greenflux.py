"""GreenFlux: envelopes with and without data, headers that are true or false, and links that are never followed."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.faults import ReadingError
from tests.pipelines.scripted_server import Scripted, response, serving
from tests.pipelines.vendors.asked import objects_of


def envelope(*rows: object, **headers: str) -> Scripted:
    return response(json.dumps({"data": list(rows), "status_code": 1000}), 200, **headers)


def refusal(code: object, message: str = "planted") -> Scripted:
    return response(json.dumps({"data": None, "status_code": code, "status_message": message}))


@pytest.mark.parametrize(
    "body", [[{"id": "a"}], {"data": [{"id": "a"}], "status_code": 1000}, {"data": {"id": "a"}, "status_code": 1001}]
)
def test_rows_come_in_an_envelope_alone_or_bare(body: object) -> None:
    with serving(response(json.dumps(body), X_Total_Count="1")) as server:
        assert objects_of(server, "greenflux", "cdrs") == [{"id": "a"}]
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", [2000, 2001, 2003, 4000 - 1001])
def test_an_ocpi_client_error_is_final_and_told_without_its_message(code: int) -> None:
    with serving(refusal(code), envelope({"id": "a"})) as server:
        with pytest.raises(ReadingError, match=f"OCPI status {code}") as caught:
            objects_of(server, "greenflux", "cdrs")
        assert "planted" not in str(caught.value)
        assert len(server.requests) == 1


@pytest.mark.parametrize("code", ["2001", " 2001 ", "2001.0", 2001.0])
def test_an_ocpi_error_is_heard_whether_its_code_is_a_number_or_text(code: object) -> None:
    """An error carries no data: taken for a success, it would be an empty list."""
    error = response(json.dumps({"data": [], "status_code": code}), X_Total_Count="0")
    with serving(error) as server, pytest.raises(ReadingError, match="OCPI status 2001"):
        objects_of(server, "greenflux", "cdrs")


@pytest.mark.parametrize("code", ["error", "", "1000.5", 1000.5, True, [1000], "planted", "NaN", "1e999"])
def test_an_ocpi_code_that_is_none_is_refused_and_not_quoted(code: object) -> None:
    error = response(json.dumps({"data": [], "status_code": code}), X_Total_Count="0")
    with serving(error) as server, pytest.raises(ReadingError, match="an invalid status code; gave up"):
        objects_of(server, "greenflux", "cdrs")


@pytest.mark.parametrize("code", ["1000", 1000.0, "1001", None])
def test_an_ocpi_success_is_heard_whether_its_code_is_a_number_or_text_or_missing(code: object) -> None:
    body = json.dumps({"data": [{"id": "a"}], "status_code": code})
    with serving(response(body, X_Total_Count="1")) as server:
        assert objects_of(server, "greenflux", "cdrs") == [{"id": "a"}]


@pytest.mark.parametrize(
    "passing",
    [
        refusal("3000"),
        refusal(3000),
        refusal(3003),
        refusal(2000, "Rate limit exceeded"),
        refusal(1000),
        response('{"status_code": 1000}'),
        response("null"),
        response('"text"'),
        response("", 204),
    ],
)
def test_an_answer_without_data_is_asked_for_again(passing: Scripted) -> None:
    with serving(passing, envelope({"id": "a"}, X_Total_Count="1")) as server:
        assert objects_of(server, "greenflux", "cdrs") == [{"id": "a"}]
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.example/api/1.0/cdrs?offset=1",
        "//elsewhere.example/api/1.0/cdrs?offset=1",
        "http://user@127.0.0.1:{port}/api/1.0/cdrs",
        "http://user:password@127.0.0.1:{port}/api/1.0/cdrs",
        "http://127.0.0.1:1/api/1.0/cdrs",
        "http://127.0.0.1.elsewhere.example:{port}/api/1.0/cdrs",
        "https://127.0.0.1/api/1.0/cdrs",
        "http://[::1",
        "http://127.0.0.1:port/",
        "file:///etc/passwd",
    ],
)
def test_a_next_link_to_anywhere_else_is_refused_and_not_followed(link: str) -> None:
    with serving(envelope({"id": "a"})) as server:
        server.answers = [envelope({"id": "a"}, Link=f'<{link.format(port=server.port)}>; rel="next"')]
        with pytest.raises(ReadingError, match="another host"):
            objects_of(server, "greenflux", "cdrs")
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:{port}/api/1.0/cdrs?offset=1",
        "HTTP://127.0.0.1:{port}/other",
        # From a server behind a proxy that terminates TLS.
        "https://127.0.0.1:{port}/api/1.0/cdrs?offset=1",
        "/api/1.0/cdrs?offset=1",
        "?offset=1",
    ],
)
@pytest.mark.parametrize("relation", ['rel="next"', "rel=next", "rel='next'"])
def test_a_next_link_home_says_that_there_is_more(link: str, relation: str) -> None:
    with serving(envelope()) as server:
        written = f"<{link.format(port=server.port)}>; {relation}"
        server.answers = [envelope({"id": "a"}, Link=written), envelope({"id": "b"}, Link='</x>; rel="prev"')]
        assert objects_of(server, "greenflux", "cdrs")[:2] == [{"id": "a"}, {"id": "b"}]


@pytest.mark.parametrize(
    "parameters",
    [
        'rel="Next"',
        'rel = "next"',
        'REL="next"',
        "Rel=NEXT",
        'rel="next last"',
        'rel="last  next"',
        'title="a, b"; rel="next"',
        'rel="prev", </y?a=1,2>; rel="next"',
    ],
)
def test_a_next_link_is_heard_however_it_is_spelled(parameters: str) -> None:
    """Taken for a link to a page other than the next, it would end a list that gives no total."""
    more = f"</x>; {parameters}"
    with serving(envelope({"id": "a"}, {"id": "b"}, Link=more), envelope({"id": "b"}, {"id": "c"})) as server:
        server.answers.append(envelope({"id": "c"}, Link='</x>; rel="First prev"'))
        assert objects_of(server, "greenflux", "cdrs") == [{"id": "a"}, {"id": "b"}, {"id": "c"}]


@pytest.mark.parametrize("total", ["²", "-1", "many", ""])
def test_a_total_that_is_no_number_is_none(total: str) -> None:
    headers = {"X_Total_Count": total.encode().decode("latin-1")}
    with serving(envelope({"id": "a"}, **headers), envelope({"id": "a"}), envelope()) as server:
        assert {row["id"] for row in objects_of(server, "greenflux", "cdrs")} == {"a"}


def test_requests_name_a_fixed_upper_bound_the_limit_and_the_version() -> None:
    with serving(envelope(X_Total_Count="0")) as server:
        objects_of(server, "greenflux", "locations", GREENFLUX_LOCATIONS_VERSION="2.1")
        asked = urlsplit(server.requests[0].split()[1])
    assert asked.path == "/api/2.1/Locations"
    assert parse_qs(asked.query) == {"date_to": ["2026-03-01T06:00:00.000Z"], "offset": ["0"], "limit": ["100"]}
    assert "\r\nAuthorization: Token secret\r\n" in server.requests[0]


@pytest.mark.parametrize("rows", [[None, None], ["text", 7], [{"no": "id"}, {"no": "id either"}], [{"id": None}]])
def test_rows_that_are_no_objects_are_received_like_any_other(rows: list[object]) -> None:
    with serving(envelope(*rows, X_Total_Count=str(len(rows)))) as server:
        assert objects_of(server, "greenflux", "cdrs") == rows


def test_a_link_about_something_else_does_not_end_the_list() -> None:
    about = '<https://vendor.example/changes>; rel="deprecation"'
    with serving(envelope()) as server:
        server.answers = [envelope({"id": "a"}, Link=about), envelope({"id": "b"}, Link=about), envelope(Link=about)]
        assert objects_of(server, "greenflux", "cdrs")[:2] == [{"id": "a"}, {"id": "b"}]


def test_links_to_the_first_and_the_last_page_alone_do_not_end_the_list() -> None:
    about = '</x?offset=0>; rel="first", </x?offset=2>; rel="last"'
    pages = [envelope(*({"id": row} for row in rows), Link=about) for rows in ("ab", "bc", "c", "")]
    with serving(*pages) as server:
        assert [row["id"] for row in objects_of(server, "greenflux", "cdrs")] == ["a", "b", "c"]


def test_a_server_that_ignores_the_offset_is_not_asked_for_ever() -> None:
    with serving(envelope({"id": "a"}, {"id": "b"})) as server:
        with pytest.raises(ReadingError, match="the same rows come again and again"):
            objects_of(server, "greenflux", "cdrs")
        assert len(server.requests) < 30


def test_two_versions_of_a_cdr_in_one_list_are_both_received() -> None:
    """The total counts both, and nothing moved: the reading before brought the same rows."""
    listed = [{"id": "a", "total_energy": 7}, {"id": "b"}, {"id": "c"}, {"id": "a", "total_energy": 5}]
    reading = [envelope(*listed[at : at + 2], X_Total_Count="4") for at in range(4)]
    with serving(*reading * 3) as server:
        received = objects_of(server, "greenflux", "cdrs")
        assert len(server.requests) == 12
    assert all(row in received for row in listed)


def test_a_cdr_that_shows_twice_and_is_the_same_both_times_is_no_proof() -> None:
    """A server that orders ties at random, differently for each page, would hide another row."""
    listed = [{"id": "a"}, {"id": "b"}, {"id": "c"}, {"id": "a"}]
    reading = [envelope(*listed[at : at + 2], X_Total_Count="4") for at in range(4)]
    with serving(*reading * 7) as server, pytest.raises(ReadingError, match="incomplete after"):
        objects_of(server, "greenflux", "cdrs")
