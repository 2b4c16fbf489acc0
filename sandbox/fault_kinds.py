"""The ways in which a request can fail, and how each changes the answer that would have been given.

Content faults are here: they turn one answer into another. `sandbox.transport_faults` carries out the transport faults,
which concern the connection or its framing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

import orjson

from sandbox.exchange import Answer

TransportFaultKind = Literal[
    "reset_before_body",  # the connection is reset before any byte of the answer
    "reset_mid_body",  # ... after half of the body
    "truncated_body",  # half of the body with the full Content-Length, then an orderly close
    "wrong_length",  # a Content-Length `value` bytes (default 10) less than the body's length
    "hang",  # nothing for `value` seconds (default 30), then the answer
    "oversized_body",  # a body of `value` bytes (default 256 MiB)
    "gzip_bomb",  # a small gzip body that unpacks to `value` bytes (default 256 MiB)
]

ContentFaultKind = Literal[
    "status",  # the HTTP status `value` (default 503), with `retry_after` if given
    "html",  # a web page with status 200
    "empty_body",  # no body, with status 200
    "null_list",  # `null` in place of the list
    "ocpi_status",  # HTTP 200 around the OCPI status code `value` (default 3000)
    "redirect",  # 302 to `value` (default another host)
    "next_link",  # a `Link rel=next` to `value` (default another host)
    "repeated_cursor",  # the cursor that was sent comes back, with hasMore
    "endless_cursor",  # always a new cursor, with hasMore, and no sessions
    "cursor_missing",  # no cursor, but hasMore
    "malformed_json",  # a body whose JSON breaks off, with a Content-Length that matches it
    "retyped_cursor",  # an object in place of the cursor, with hasMore
    "lying_total",  # totals that are too high by `value` (default 7)
    "retyped_total",  # words in place of the totals
    "headers",  # the unchanged answer, with the additional headers `value` (by name)
]

FaultKind = Literal[TransportFaultKind, ContentFaultKind, "mixed", "stir"]

MIXED_KINDS: tuple[tuple[FaultKind, Any, str | None], ...] = (
    ("reset_before_body", None, None),
    ("reset_mid_body", None, None),
    ("truncated_body", None, None),
    ("status", 500, None),
    ("status", 502, None),
    ("status", 503, None),
    ("status", 504, None),
    ("status", 408, None),
    ("status", 429, "0"),
    ("status", 429, None),
    ("html", None, None),
    ("empty_body", None, None),
    ("malformed_json", None, None),
    ("ocpi_status", 3000, None),
)
"""What a mixed fault chooses from (kind, value, Retry-After): faults that a client survives by retrying."""

FOREIGN_HOST = "https://elsewhere.example.net"


def retry_after_date(seconds: float) -> str:
    """A Retry-After header in its date form, `seconds` from now; in the past if negative."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def distort(
    kind: FaultKind, answer: Answer, value: Any = None, retry_after: str | None = None, cursor: str | None = None
) -> Answer:
    """The answer as a content fault changes it; `cursor` is the one that the request carried."""
    return _DISTORTIONS[kind](answer, value, retry_after, cursor)


def _status(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(int(value or 503), b'{"message":"sandbox fault"}', headers)


def _html(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return Answer(200, b"<!doctype html><title>Maintenance</title><p>Back soon.", content_type="text/html")


def _empty_body(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return Answer(200)


def _null_list(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    body = orjson.loads(answer.body)
    if isinstance(body, dict):
        body.update({name: None for name, content in body.items() if isinstance(content, list)})
    else:
        body = None
    return Answer(answer.status, orjson.dumps(body), answer.headers)


def _ocpi_status(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    code = int(value or 3000)
    envelope = {
        "data": None,
        "status_code": code,
        "status_message": "sandbox fault",
        "timestamp": "2026-01-01T00:00:00Z",
    }
    return Answer(200, orjson.dumps(envelope))


def _redirect(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return Answer(302, headers={"Location": str(value or f"{FOREIGN_HOST}/elsewhere")})


def _next_link(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    link = f'<{value or FOREIGN_HOST + "/api/2.0/Locations?offset=100"}>; rel="next"'
    return Answer(answer.status, answer.body, {**answer.headers, "Link": link})


def _with_fields(answer: Answer, **fields: Any) -> Answer:
    return Answer(answer.status, orjson.dumps({**orjson.loads(answer.body), **fields}), answer.headers)


def _repeated_cursor(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    kept = cursor or orjson.loads(answer.body).get("cursor") or "cmVwZWF0ZWQ="
    return _with_fields(answer, cursor=kept, hasMore=True)


def _endless_cursor(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return _with_fields(answer, sessions=[], cursor=f"{cursor or ''}A", hasMore=True)


def _cursor_missing(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return _with_fields(answer, cursor=None, hasMore=True)


def _retyped_cursor(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return _with_fields(answer, cursor={"after": cursor}, hasMore=True)


def _retyped_total(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return _with_fields(answer, totalCount="many", TotalCount="many")


def _malformed_json(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    return Answer(answer.status, answer.body[: len(answer.body) // 2] or b"{", answer.headers)


def _headers(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    headers = dict(answer.headers)
    for name, content in (value or {}).items():
        # A second header of the same name is equivalent to one header with both values (RFC 9110, 5.3).
        headers[name] = f"{headers[name]}, {content}" if name in headers else content
    return replace(answer, headers=headers)


def _lying_total(answer: Answer, value: Any, retry_after: str | None, cursor: str | None) -> Answer:
    extra = int(7 if value is None else value)
    headers = dict(answer.headers)
    if "X-Total-Count" in headers:
        headers["X-Total-Count"] = str(int(headers["X-Total-Count"]) + extra)
    body = orjson.loads(answer.body)
    if isinstance(body, dict):
        totals = {name: body[name] + extra for name in ("totalCount", "TotalCount") if name in body}
        if "totalPages" in body:
            totals["totalPages"] = -(-totals["totalCount"] // max(1, body["pageSize"]))
        body.update(totals)
    return Answer(answer.status, orjson.dumps(body), headers)


_DISTORTIONS: dict[str, Callable[[Answer, Any, str | None, str | None], Answer]] = {
    "status": _status,
    "html": _html,
    "empty_body": _empty_body,
    "null_list": _null_list,
    "ocpi_status": _ocpi_status,
    "redirect": _redirect,
    "next_link": _next_link,
    "repeated_cursor": _repeated_cursor,
    "endless_cursor": _endless_cursor,
    "cursor_missing": _cursor_missing,
    "malformed_json": _malformed_json,
    "lying_total": _lying_total,
    "retyped_cursor": _retyped_cursor,
    "retyped_total": _retyped_total,
    "headers": _headers,
}
