"""The one HTTP client of all vendors: rate limit, sign-in, retries, and checks of the answers.

Credentials go to the configured addresses only: redirects are refused, and no link in an answer is ever followed.
"""

import json
import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urlencode

import orjson
import urllib3

from pipelines.faults import ReadingError, SignInError
from pipelines.settings import Patience
from pipelines.vendors.rate_limit import RateLimit
from pipelines.vendors.retirement import NOTHING_SAID, Retirement, retirement_of
from pipelines.vendors.sign_in import SignIn

ATTEMPTS = 8
"""Attempts at one request. The pauses between them double, and add up to about a minute at most."""

LONGEST_PAUSE_SECONDS = 60.0
"""A vendor that asks for a longer pause is asked again after this long all the same."""

LARGEST_BODY_BYTES = 256 * 1024 * 1024
"""Far more than any window holds: a small answer that decompresses to more must not fill the memory."""

LONGEST_ANSWER_IN_READ_TIMEOUTS = 10
"""The read timeout restarts with each piece of an answer; one that trickles in is given up after this many of them."""

IN_FLIGHT = 6
"""Concurrent requests to one account, from all threads: as many as browsers open to one host."""

SIGN_INS_AFTER_401 = 2
"""The first may use the refresh token of a sign-in that the vendor has ended; the second uses the credentials."""

TIMED_OUT = (504, 524)
"""The server behind a gateway took too long: the standard status, and Cloudflare's own."""

T = TypeVar("T")


class Refused(ReadingError):
    """The vendor refused, by its status or in the answer itself, and repeating the request would not change that."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class TooMuchAsked(ReadingError):
    """The answer did not come in time, or is too large; a smaller request might be answered."""


class AnswerFault(Exception):
    """An answer that is unusable by the vendor's own rules; `is_passing` says whether to retry."""

    def __init__(self, message: str, *, is_passing: bool) -> None:
        super().__init__(message)
        self.is_passing = is_passing


class _PassingFault(Exception):
    """Worth a retry, after `pause_seconds` if the vendor named a pause. `lasting` is raised after the last attempt."""

    def __init__(
        self, message: str, pause_seconds: float | None = None, lasting: type[ReadingError] = ReadingError
    ) -> None:
        super().__init__(message)
        self.pause_seconds = pause_seconds
        self.lasting = lasting


@dataclass
class Tally:
    """What a reading cost, and what its answers said about the endpoint's retirement. Safe to share between threads.

    `answers` counts the usable ones. `on_retry` is called with the reason for a retry and the pause before it, in
    seconds.
    """

    on_retry: Callable[[str, float], None] = lambda reason, pause_seconds: None
    requests: int = 0
    retries: int = 0
    bytes_received: int = 0
    answers: int = 0
    retirement: Retirement = NOTHING_SAID
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, *, requests: int = 0, retries: int = 0, bytes_received: int = 0, answers: int = 0) -> None:
        """Add to the counts."""
        with self._lock:
            self.answers += answers
            self.requests += requests
            self.retries += retries
            self.bytes_received += bytes_received

    def note(self, retirement: Retirement) -> None:
        """Merge in what one answer said about the endpoint's retirement."""
        with self._lock:
            self.retirement = self.retirement.merged(retirement)


@dataclass(frozen=True)
class Answer:
    """One answer: the JSON document (None for 204), its headers, and when the request was sent."""

    document: Any
    headers: Mapping[str, str]
    requested_at: datetime


@dataclass(frozen=True)
class _Response:
    status: int
    headers: Mapping[str, str]
    body: bytes
    requested_at: datetime


def may_ask_too_much(fault: ReadingError) -> bool:
    """Whether a smaller request might be answered where this one was not."""
    return isinstance(fault, TooMuchAsked) or (isinstance(fault, Refused) and fault.status in (400, 413, 422))


DocumentCheck: TypeAlias = Callable[[Any], None]
"""Checks the JSON document of an answer; raises AnswerFault, or ReadingError, for an unusable one."""


class HttpClient:
    """GETs JSON below `base_url` with the account's sign-in and rate limit. Safe to share between threads."""

    def __init__(self, base_url: str, sign_in: SignIn, requests_per_second: float, patience: Patience) -> None:
        self._base_url = base_url
        self._sign_in = sign_in
        self._rate_limit = RateLimit(requests_per_second)
        self._patience = patience
        self._in_flight = threading.BoundedSemaphore(IN_FLIGHT)
        self._pool = urllib3.PoolManager(
            maxsize=IN_FLIGHT,
            retries=False,
            timeout=urllib3.Timeout(connect=patience.connect_seconds, read=patience.read_seconds),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "chargehouse"},
        )

    def get(
        self,
        path: str,
        parameters: Mapping[str, str | int],
        tally: Tally,
        check: DocumentCheck | None = None,
        *,
        may_be_empty: bool = False,
    ) -> Answer:
        """GET `path` as JSON. `check` raises AnswerFault, or ReadingError, for an unusable document.

        Only with `may_be_empty` is HTTP 204 an answer; otherwise it means data that is not there yet.

        Raises Refused for a final status and for an AnswerFault that is not passing, TooMuchAsked where a smaller
        request might be answered, SignInError for refused credentials, and ReadingError for any other failure.
        """
        url = f"{self._base_url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")

        def attempt() -> Answer:
            response = self._authorised(url, tally)
            if response.status == 204 and may_be_empty:
                return Answer(None, response.headers, response.requested_at)
            if response.status == 204:
                raise _PassingFault("the response is empty (HTTP 204)")
            if response.status != 200:
                raise Refused(response.status, _refusal(response.status))
            document = _parsed(response.body)
            if check is not None:
                try:
                    check(document)
                except AnswerFault as fault:
                    if fault.is_passing:
                        raise _PassingFault(str(fault)) from None
                    raise Refused(response.status, str(fault)) from None
            return Answer(document, response.headers, response.requested_at)

        answer = self._patiently(attempt, tally)
        tally.add(answers=1)
        return answer

    def _authorised(self, url: str, tally: Tally) -> _Response:
        for _ in range(SIGN_INS_AFTER_401 + 1):
            headers = self._sign_in.headers(lambda token_url, form: self._post_form(token_url, form, tally))
            response = self._send("GET", url, headers, None, tally)
            if response.status != 401 or not self._sign_in.renew(headers):
                return response
        return response

    def _post_form(self, url: str, form: Mapping[str, str], tally: Tally) -> Mapping[str, object]:
        body = urlencode(form).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}

        def attempt() -> Mapping[str, object]:
            response = self._send("POST", url, headers, body, tally)
            if response.status != 200:
                raise SignInError(_sign_in_refusal(response.status))
            document = _parsed(response.body)
            if not isinstance(document, dict):
                raise _PassingFault("the sign-in response is not a JSON object")
            return document

        try:
            return self._patiently(attempt, tally, " to sign in")
        except TooMuchAsked as fault:
            # A sign-in cannot ask for less.
            raise ReadingError(*fault.args) from None

    def _patiently(self, attempt: Callable[[], T], tally: Tally, purpose: str = "") -> T:
        """Repeat `attempt` while it raises faults that may pass, with growing, jittered pauses.

        `purpose` ends the message of the final error: what the attempts were for, if not for reading.
        """
        for number in range(1, ATTEMPTS + 1):
            try:
                return attempt()
            except _PassingFault as fault:
                if number == ATTEMPTS:
                    raise fault.lasting(f"{fault}; gave up after {ATTEMPTS} tries{purpose}.") from None
                pause = self._patience.first_pause_seconds * 2 ** (number - 1) * random.uniform(0.5, 1.0)
                if fault.pause_seconds is not None:
                    pause = fault.pause_seconds * random.uniform(1.0, 1.1)
                    self._rate_limit.pause(min(pause, LONGEST_PAUSE_SECONDS))
                pause = min(pause, LONGEST_PAUSE_SECONDS)
                tally.add(retries=1)
                tally.on_retry(str(fault), pause)
                time.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, tally: Tally) -> _Response:
        """Send one request and read the whole answer. Raises _PassingFault for any fault that may pass."""
        with self._in_flight:
            self._rate_limit.wait()
            requested_at = datetime.now(UTC)
            tally.add(requests=1)
            try:
                response = self._pool.request(
                    method,
                    url,
                    body=body,
                    headers={**self._pool.headers, **headers},
                    redirect=False,
                    preload_content=False,
                )
                try:
                    content = self._body(response)
                finally:
                    response.close() if response.length_remaining else response.release_conn()
            except (urllib3.exceptions.HTTPError, OSError) as fault:
                is_late = isinstance(fault, urllib3.exceptions.ReadTimeoutError)
                # Not every vendor's sign-in lies below its base URL.
                told = _connection_fault(fault, "the base URL" if method == "GET" else "the sign-in URL")
                raise _PassingFault(told, lasting=TooMuchAsked if is_late else ReadingError) from None
        tally.add(bytes_received=len(content))
        if method == "GET":
            tally.note(retirement_of(response.headers, requested_at))
        status = response.status
        if status in (408, 429) or status >= 500:
            said = "rate limited (HTTP 429)" if status == 429 else f"the server answered with HTTP {status}"
            pause_seconds = _retry_after_seconds(response.headers.get("Retry-After"))
            raise _PassingFault(said, pause_seconds, TooMuchAsked if status in TIMED_OUT else ReadingError)
        return _Response(status, response.headers, content, requested_at)

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        deadline = time.monotonic() + LONGEST_ANSWER_IN_READ_TIMEOUTS * self._patience.read_seconds
        chunks: list[bytes] = []
        size = 0
        # read1 returns what has arrived: waiting for a full piece of a trickling answer would overrun the deadline.
        while chunk := response.read1(1 << 16):
            size += len(chunk)
            if size > LARGEST_BODY_BYTES:
                response.close()
                raise TooMuchAsked(f"the response is larger than {LARGEST_BODY_BYTES >> 20} MiB, which is not allowed.")
            if time.monotonic() > deadline:
                response.close()
                raise _PassingFault("the response arrived too slowly", lasting=TooMuchAsked)
            chunks.append(chunk)
        return b"".join(chunks)


def _parsed(body: bytes) -> Any:
    """The JSON document. NaN and numbers that are too large are kept as text, for the transforms to reject.

    An invalid byte or control character spoils only the text it stands in, not the whole page of objects.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        text = body.decode(json.detect_encoding(body), errors="replace").rstrip(" \t\r\n\0")
        try:
            return json.loads(
                text, strict=False, parse_constant=str, parse_float=_float_or_text, parse_int=_int_or_text
            )
        except (ValueError, RecursionError):
            raise _PassingFault("the response is not JSON") from None


def _float_or_text(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _int_or_text(digits: str) -> int | str:
    # Python refuses to convert several thousand digits to a number.
    return int(digits) if math.isfinite(float(digits)) else digits


def _refusal(status: int) -> str:
    if 300 <= status < 400:
        return f"redirected (HTTP {status}), which is not allowed; check the base URL."
    advice = {
        401: "the credentials were refused (HTTP 401); check them.",
        403: "not allowed (HTTP 403); the account lacks the permission.",
        404: "not found (HTTP 404); check the configured ids and the base URL.",
    }
    return advice.get(status, f"refused with HTTP {status}.")


def _sign_in_refusal(status: int) -> str:
    if status in (400, 401, 403):
        return f"the sign-in was refused (HTTP {status}); check the credentials."
    # Not every vendor's sign-in lies below its base URL.
    if 300 <= status < 400:
        return f"the sign-in was redirected (HTTP {status}), which is not allowed; check the sign-in URL."
    return f"the sign-in failed with HTTP {status}; check the sign-in URL."


def _connection_fault(fault: Exception, address: str) -> str:
    """What went wrong with a connection, without the query of the URL, which libraries tend to quote. `address`: the
    setting that names the host."""
    match fault:
        case urllib3.exceptions.NameResolutionError():
            return f"the host is unknown; check {address}"
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.NewConnectionError():
            return f"the host cannot be reached; check {address} and the network"
        case urllib3.exceptions.ReadTimeoutError():
            return "the server did not answer in time"
        case urllib3.exceptions.SSLError():
            return "no trusted TLS connection could be made"
        case _:
            return f"the connection broke ({type(fault).__name__})"


def _retry_after_seconds(value: str | None) -> float | None:
    """The pause in seconds that a Retry-After header asks for, as a number or a date; None where it is unusable.

    Source: RFC 9110, 10.2.3.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return min(seconds, LONGEST_PAUSE_SECONDS) if 0 < seconds < float("inf") else None
