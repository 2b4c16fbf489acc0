"""The HTTP client against servers that misbehave in every way on the wire."""

import gzip
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import urllib3

from pipelines.faults import ReadingError, SignInError
from pipelines.settings import Patience
from pipelines.vendors import http_client
from pipelines.vendors.http_client import ATTEMPTS, AnswerFault, HttpClient, Refused, Tally
from pipelines.vendors.sign_in import BearerToken, SignIn, StaticToken
from tests.pipelines.scripted_server import Scripted, ScriptedServer, response, serving

QUICK = Patience(connect_seconds=1.0, read_seconds=0.2, first_pause_seconds=0.001)
SECRET = "planted-secret-4711"  # noqa: S105 -- what the tests search for
QUERY = {"UserId": "planted-query-4712"}
BODY_TEXT = "planted-body-4713"
GOOD = response('{"rows": [1, 2]}')


def client_of(server: ScriptedServer, sign_in: SignIn | None = None, patience: Patience = QUICK) -> HttpClient:
    return HttpClient(server.url, sign_in or StaticToken({"Authorization": f"Token {SECRET}"}), 0, patience)


def get(client: HttpClient, tally: Tally | None = None) -> object:
    return client.get("/list", QUERY, tally or Tally()).document


@pytest.fixture(autouse=True)
def nothing_planted_is_told(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Whatever a test provokes, no secret, query or body gets into a log at any level, stdout or stderr."""
    with caplog.at_level(logging.DEBUG):
        # At DEBUG, urllib3 logs addresses with their query; this test is about the project's own output only.
        logging.getLogger("urllib3").setLevel(logging.INFO)
        yield
    told = caplog.text + "".join(capfd.readouterr())
    assert not [planted for planted in (SECRET, "planted-query", "planted-body") if planted in told]


def fault_of(client: HttpClient) -> ReadingError:
    """The fault that a request ends in, after a check that nothing planted is in its text."""
    with pytest.raises(ReadingError) as caught:
        get(client)
    for planted in (SECRET, "planted-query", "planted-body", "127.0.0.1"):
        assert planted not in str(caught.value)
        assert planted not in repr(caught.value.__cause__)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


PASSING = {
    "status 408": response(BODY_TEXT, 408),
    "status 429": response(BODY_TEXT, 429),
    "status 500": response(BODY_TEXT, 500),
    "status 502": response(BODY_TEXT, 502),
    "status 503": response(BODY_TEXT, 503),
    "status 504": response(BODY_TEXT, 504),
    "status 524": response(BODY_TEXT, 524),
    "status 204": response("", 204),
    "a web page": response(f"<!doctype html><p>{BODY_TEXT}", Content_Type="text/html"),
    "no body": response(""),
    "JSON nested without end": response("[" * 100_000),
    "broken JSON": response(f'{{"rows": ["{BODY_TEXT}'),
    "a body cut off": Scripted([b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"rows": [']),
    "a reset in the body": Scripted([b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"rows": ['], is_reset=True),
    "a reset before the answer": Scripted([], is_reset=True),
    "a chunk cut off": Scripted([b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"rows": [']),
    "a length too short": response('{"rows": [1, 2]}', Content_Length="9"),
    "no answer in time": Scripted([b""], pause_seconds=1.0),
    "half an answer in time": Scripted([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", b"}"], pause_seconds=0.5),
    "no HTTP": Scripted([b"SSH-2.0-OpenSSH_9.6\r\n"]),
    "a status that is no number": Scripted([b"HTTP/1.1 fine OK\r\n\r\n"]),
    "gzip that is none": response(b"plain", Content_Encoding="gzip"),
    "gzip cut off": response(gzip.compress(b'{"rows": [1, 2]}')[:-12], Content_Encoding="gzip"),
}


@pytest.mark.parametrize("passing", PASSING.values(), ids=PASSING)
def test_a_fault_that_may_pass_is_tried_again_and_leaves_one_copy(passing: Scripted) -> None:
    with serving(passing, passing, GOOD) as server:
        tally = Tally()
        assert get(client_of(server), tally) == {"rows": [1, 2]}
        assert (len(server.requests), tally.requests, tally.retries) == (3, 3, 2)


@pytest.mark.parametrize("name", ["status 503", "a web page", "a body cut off", "no HTTP", "gzip that is none"])
def test_a_fault_that_does_not_pass_ends_after_a_bounded_number_of_tries(name: str) -> None:
    with serving(PASSING[name]) as server:
        assert f"gave up after {ATTEMPTS} tries" in str(fault_of(client_of(server)))
        assert len(server.requests) == ATTEMPTS >= 6


def test_a_rate_limit_that_never_ends_is_called_by_its_name() -> None:
    with serving(response("", 429)) as server:
        assert "rate limited (HTTP 429)" in str(fault_of(client_of(server)))


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 410, 422, 451])
def test_a_final_status_is_asked_for_once(status: int) -> None:
    with serving(response(BODY_TEXT, status), GOOD) as server:
        fault = fault_of(client_of(server))
        assert isinstance(fault, Refused)
        assert fault.status == status
        assert f"HTTP {status}" in str(fault)
        assert len(server.requests) == 1


def test_a_hanging_server_costs_a_timeout_and_no_more() -> None:
    patience = Patience(connect_seconds=1, read_seconds=0.05, first_pause_seconds=0.001)
    with serving(Scripted([b""], pause_seconds=30)) as server:
        began = time.monotonic()
        assert "did not answer in time" in str(fault_of(client_of(server, patience=patience)))
        assert time.monotonic() - began < 20


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_that_trickles_in_is_given_up(framing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte arrives within the read timeout; without a limit for the whole answer, it would take forever."""
    monkeypatch.setattr(http_client, "ATTEMPTS", 1)
    monkeypatch.setattr(http_client, "LONGEST_ANSWER_IN_READ_TIMEOUTS", 2)
    start = f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n" + ("FFFF\r\n" if "chunked" in framing else "")
    with serving(Scripted([start.encode(), *[b" "] * 400], pause_seconds=0.05)) as server:
        began = time.monotonic()
        assert "too slowly" in str(fault_of(client_of(server)))
        assert time.monotonic() - began < 15


def test_a_refused_port_is_tried_again_and_then_told_without_the_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = client_of(ScriptedServer([], port))
    assert "cannot be reached" in str(fault_of(client))


def test_an_unknown_host_is_told() -> None:
    client = HttpClient("https://nowhere.invalid", StaticToken({}), 0, QUICK)
    assert "host is unknown" in str(fault_of(client))


def test_a_server_without_tls_is_told() -> None:
    with serving(GOOD) as server:
        client = HttpClient(server.url.replace("http:", "https:"), StaticToken({}), 0, QUICK)
        assert "TLS" in str(fault_of(client))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_the_other_host_hears_nothing(status: int) -> None:
    with serving(GOOD) as other, serving(response("", status, Location=f"{other.url}/list")) as server:
        assert "redirected" in str(fault_of(client_of(server)))
        assert len(server.requests) == 1
        assert other.requests == []


def test_a_redirect_of_the_sign_in_is_refused_for_every_line_and_the_other_host_hears_nothing() -> None:
    """All lines of a vendor wait for one sign-in, and each must get its failure as a fault that it can record."""
    with serving(GOOD) as other, serving(response("", 307, Location=f"{other.url}/token")) as server:
        client = client_of(server, BearerToken(f"{server.url}/token", {"password": SECRET}))
        with ThreadPoolExecutor(4) as lines:
            faults = list(lines.map(lambda _: fault_of(client), range(4)))
        assert {type(fault) for fault in faults} == {SignInError}
        assert {str(fault) for fault in faults} == {
            "the sign-in was redirected (HTTP 307), which is not allowed; check the sign-in URL."
        }
        assert len(server.requests) == 1
        assert other.requests == []


def test_a_body_above_the_limit_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "LARGEST_BODY_BYTES", 1 << 20)
    with serving(response(b" " * (3 << 20))) as server:
        assert "larger than 1 MiB" in str(fault_of(client_of(server)))
        assert len(server.requests) == 1


def test_a_gzip_bomb_is_refused_before_it_goes_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "LARGEST_BODY_BYTES", 1 << 20)
    unpacked = []
    with serving(response(gzip.compress(b" " * (200 << 20), 1), Content_Encoding="gzip")) as server:
        client, original = client_of(server), urllib3.HTTPResponse.read1

        def read1(self: urllib3.HTTPResponse, amt: int | None = None) -> bytes:
            piece: bytes = original(self, amt)
            unpacked.append(len(piece))
            return piece

        monkeypatch.setattr(urllib3.HTTPResponse, "read1", read1)
        assert "larger than 1 MiB" in str(fault_of(client))
    assert sum(unpacked) < 3 << 20


def test_gzip_is_unpacked() -> None:
    with serving(response(gzip.compress(b'{"rows": []}'), Content_Encoding="gzip")) as server:
        assert get(client_of(server)) == {"rows": []}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
        ('"\\ud800"', "\ud800"),
        ("1e-999", 0.0),
        ("12345678901234567890123", 1.2345678901234568e22),
        ("-" + "9" * 5_000, "-" + "9" * 5_000),
    ],
)
def test_what_is_hardly_json_stays_readable_for_the_transforms_to_reject(written: str, read: object) -> None:
    with serving(response(f'{{"energy": {written}}}')) as server:
        assert get(client_of(server)) == {"energy": read}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'"Line 1\nLine 2\t\x01"', "Line 1\nLine 2\t\x01"),
        (b'"Z\xfcrich"', "Z\ufffdrich"),
        ('"Zürich"'.encode()[:3] + b'rich"', "Z\ufffdrich"),
        ('"Zürich"'.encode(), "Zürich"),
    ],
)
@pytest.mark.parametrize("end", [b"", b"\0", b"\0\0\n"])
def test_a_text_that_is_written_wrong_fails_no_page(written: bytes, read: str, end: bytes) -> None:
    with serving(response(b'{"name": ' + written + b"}" + end)) as server:
        assert get(client_of(server)) == {"name": read}
        assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_other_encodings_of_json_are_read(encoding: str) -> None:
    with serving(response('{"name": "Zürich"}'.encode(encoding))) as server:
        assert get(client_of(server)) == {"name": "Zürich"}


@pytest.mark.parametrize(
    "wrong", [b'{"name": "Z\xc3', b'{"name": "Line 1\n', b"\0\0\0", b"<p>\xfc\n</p>", b'{"a": 1}{']
)
def test_an_answer_cut_off_is_still_tried_again(wrong: bytes) -> None:
    with serving(response(wrong), GOOD) as server:
        assert get(client_of(server)) == {"rows": [1, 2]}
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("60", 60.0),
        ("99999999", 60.0),
        ("0", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("soon", None),
        ("", None),
        ("Mon, Feb 30 24:00:00 99999999999 99999", None),
        ("Sat, 01 Jan 2000 00:00:00 GMT", None),
        ("Tue, 01 Jan 2999 00:00:00 GMT", 60.0),
        (None, None),
    ],
)
def test_retry_after_is_followed_where_it_is_of_use_and_capped(header: str | None, seconds: float | None) -> None:
    assert http_client._retry_after_seconds(header) == seconds


def test_retry_after_as_a_date_is_the_time_until_then() -> None:
    moment = datetime.now(UTC) + timedelta(seconds=20)
    for written in (format_datetime(moment, usegmt=True), format_datetime(moment.replace(tzinfo=None))):
        seconds = http_client._retry_after_seconds(written)
        assert seconds is not None
        assert 15 < seconds <= 20


@pytest.mark.parametrize("status", [408, 429, 500, 503, 504])
def test_retry_after_is_waited_for(status: int) -> None:
    with serving(response("", status, Retry_After="0.3"), GOOD) as server:
        began = time.monotonic()
        get(client_of(server))
        assert 0.3 <= time.monotonic() - began < 30


def test_retry_after_holds_the_whole_account() -> None:
    told = threading.Event()
    with serving(response("", 429, Retry_After="0.5"), GOOD) as server:
        client = client_of(server)
        other = threading.Thread(target=get, args=(client, Tally(lambda reason, pause_seconds: told.set())))
        other.start()
        assert told.wait(10)
        began = time.monotonic()
        get(client)
        assert time.monotonic() - began >= 0.3
        other.join()


def test_a_useless_retry_after_falls_back_to_the_ordinary_pause() -> None:
    with serving(response("", 429, Retry_After="0"), response("", 429, Retry_After="soon"), GOOD) as server:
        began = time.monotonic()
        get(client_of(server))
        assert time.monotonic() - began < 30


def test_pauses_grow_and_are_jittered(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    patience = Patience(read_seconds=1, first_pause_seconds=10)
    with serving(response("", 503)) as server:
        fault_of(client_of(server, patience=patience))
    # The scripted server calls the same patched sleep, with a pause of zero.
    pauses = [pause for pause in pauses if pause]
    assert len(pauses) == ATTEMPTS - 1
    for number, pause in enumerate(pauses):
        assert min(60, 5 * 2**number) <= pause <= min(60, 10 * 2**number)
    assert pauses[0] != 10


TOKEN = response(f'{{"access_token": "{SECRET}", "expires_in": 3600}}')
UNAUTHORISED = response(BODY_TEXT, 401)


def bearer(server: ScriptedServer) -> BearerToken:
    return BearerToken(f"{server.url}/token", {"grant_type": "password", "password": SECRET})


def test_an_expired_token_is_renewed_and_the_request_replayed() -> None:
    with serving(TOKEN, UNAUTHORISED, TOKEN, GOOD) as server:
        assert get(client_of(server, bearer(server))) == {"rows": [1, 2]}
        assert [line.split()[0] for line in server.requests] == ["POST", "GET", "POST", "GET"]


def test_a_token_is_renewed_at_most_twice() -> None:
    with serving(TOKEN, UNAUTHORISED, TOKEN, UNAUTHORISED, TOKEN, UNAUTHORISED, TOKEN, GOOD) as server:
        fault = fault_of(client_of(server, bearer(server)))
        assert isinstance(fault, Refused)
        assert fault.status == 401
        assert [line.split()[0] for line in server.requests] == ["POST", "GET"] * 3


def test_a_static_tokens_401_is_final() -> None:
    with serving(UNAUTHORISED, GOOD) as server:
        assert "check them" in str(fault_of(client_of(server)))
        assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refused_sign_in_is_final_and_never_sent_again(status: int) -> None:
    """Every line of a run asks for a sign-in; more attempts with a wrong password would lock the account."""
    with serving(response(f'{{"error": "{BODY_TEXT}"}}', status), TOKEN, GOOD) as server:
        client = client_of(server, bearer(server))
        for _ in range(3):
            assert isinstance(fault_of(client), SignInError)
        assert len(server.requests) == 1


def test_a_sign_in_fault_that_may_pass_is_tried_again() -> None:
    faults = [PASSING[name] for name in ("status 503", "a web page", "a body cut off", "a reset before the answer")]
    with serving(*faults, TOKEN, GOOD) as server:
        assert get(client_of(server, bearer(server))) == {"rows": [1, 2]}
        assert len(server.requests) == 6


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1/token", "the host cannot be reached; check the sign-in URL and the network; gave"),
        ("http://nowhere.invalid/token", "the host is unknown; check the sign-in URL; gave up"),
    ],
)
def test_a_sign_in_that_fails_is_told_from_the_api(address: str, said: str) -> None:
    """Jedlix's sign-in is at another host than its API."""
    with serving(GOOD) as server:
        elsewhere = BearerToken(address, {"grant_type": "password", "password": SECRET})
        told = str(fault_of(client_of(server, elsewhere)))
    assert told.startswith(said)
    assert told.endswith("gave up after 8 tries to sign in.")
    assert not server.requests


@pytest.mark.parametrize("answer", ["[]", "null", '"token"', "7"])
def test_a_sign_in_answered_with_no_object_is_tried_again(answer: str) -> None:
    with serving(response(answer), TOKEN, GOOD) as server:
        assert get(client_of(server, bearer(server))) == {"rows": [1, 2]}


@pytest.mark.parametrize("token", ["", None, 7, f"{SECRET}\\r\\nX-Other: 1", f"{SECRET}\\u00e9"])
def test_a_token_that_cannot_stand_in_a_header_is_refused_without_being_quoted(token: object) -> None:
    written = f'"{token}"' if isinstance(token, str) else ("null" if token is None else str(token))
    with serving(response(f'{{"access_token": {written}}}'), GOOD) as server:
        assert "contains no usable token" in str(fault_of(client_of(server, bearer(server))))


def test_an_answer_that_the_vendors_own_rules_refuse_for_good_is_final() -> None:
    def check(document: object) -> None:
        raise AnswerFault("refused with OCPI status 2001", is_passing=False)

    with serving(GOOD) as server, pytest.raises(ReadingError, match="OCPI status 2001"):
        client_of(server).get("/list", {}, Tally(), check)
    assert len(server.requests) == 1


def test_an_answer_that_the_vendors_own_rules_call_passing_is_asked_for_again() -> None:
    asked: list[object] = []

    def check(document: object) -> None:
        asked.append(document)
        if len(asked) < 3:
            raise AnswerFault("refused with OCPI status 3000", is_passing=True)

    with serving(GOOD) as server:
        assert client_of(server).get("/list", {}, Tally(), check).document == {"rows": [1, 2]}
    assert len(asked) == 3


def test_no_content_is_an_answer_only_where_the_vendor_means_it() -> None:
    with serving(response("", 204)) as server:
        assert client_of(server).get("/list", {}, Tally(), may_be_empty=True).document is None
        assert "HTTP 204" in str(fault_of(client_of(server)))


def test_requests_keep_the_path_prefix_and_carry_the_query_and_the_headers() -> None:
    with serving(GOOD) as server:
        HttpClient(f"{server.url}/prefix", StaticToken({"ApiKey": "key"}), 0, QUICK).get(
            "/list", {"a": "b c&d"}, Tally()
        )
    assert server.requests[0].startswith("GET /prefix/list?a=b+c%26d HTTP/1.1")
    assert "\r\nApiKey: key\r\n" in server.requests[0]
    assert "\r\nAccept-Encoding: gzip\r\n" in server.requests[0]


def test_requests_keep_to_the_rate() -> None:
    with serving(GOOD) as server:
        client = HttpClient(server.url, StaticToken({}), 20, QUICK)
        began = time.monotonic()
        for _ in range(7):
            get(client)
        assert 0.3 <= time.monotonic() - began < 30


def test_why_and_for_how_long_a_request_waits_for_another_try_is_told() -> None:
    heard: list[tuple[str, float]] = []
    with serving(response(BODY_TEXT, 503), response("", 429, Retry_After="0.05"), GOOD) as server:
        get(client_of(server), Tally(lambda reason, pause: heard.append((reason, pause))))
    (unavailable, short), (limited, asked_for) = heard
    assert "HTTP 503" in unavailable
    assert short <= QUICK.first_pause_seconds
    assert "HTTP 429" in limited
    assert 0.05 <= asked_for <= 0.055


def test_the_tally_counts_requests_retries_and_bytes() -> None:
    tally = Tally()
    with serving(response("12345", 500), GOOD) as server:
        get(client_of(server), tally)
    assert (tally.requests, tally.retries, tally.bytes_received) == (2, 1, 5 + len('{"rows": [1, 2]}'))
