"""What the headers of an answer say about an endpoint's retirement: that it is deprecated, and when it will be gone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from pipelines.vendors.links import links_of

STRUCTURED_DATE = re.compile(r"@(-?[0-9]{1,12})")
LONGEST_URL = 500
"""A longer address is left out: people read it, in a table."""


@dataclass(frozen=True)
class Retirement:
    """Since when an endpoint is deprecated (or will be), when it will be gone, and where the vendor says more.

    All None: the vendor says nothing.
    """

    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None
    url: str | None = None

    def merged(self, other: "Retirement") -> "Retirement":
        """Both combined: the earlier of two instants, the first of two links."""
        return Retirement(
            _earlier(self.deprecated_at, other.deprecated_at),
            _earlier(self.sunset_at, other.sunset_at),
            self.url or other.url,
        )


NOTHING_SAID = Retirement()


def retirement_of(headers: Mapping[str, str], seen_at: datetime) -> Retirement:
    """What an answer's headers say. A header that cannot be parsed counts as absent: it must not fail a reading.

    Deprecation is an instant since RFC 9745, 2.1; the earlier drafts had HTTP dates, and `true` for an endpoint already
    deprecated, which counts from `seen_at`. Sunset is an HTTP date: RFC 8594, 3. Links: RFC 9745, 3; RFC 8594, 6.
    """
    deprecation = headers.get("Deprecation", "").strip()
    return Retirement(
        seen_at if deprecation.lower() in ("true", "?1") else _structured_date(deprecation) or _http_date(deprecation),
        _http_date(headers.get("Sunset", "").strip()),
        _link(headers.get("Link", "")),
    )


def _structured_date(text: str) -> datetime | None:
    """Source: RFC 9651, 3.3.7."""
    match = STRUCTURED_DATE.match(text)
    try:
        return datetime.fromtimestamp(int(match[1]), UTC) if match else None
    except (ValueError, OverflowError, OSError):
        return None


def _http_date(text: str) -> datetime | None:
    """Source: RFC 9110, 5.6.7."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _link(text: str) -> str | None:
    """The first link about deprecation or sunset, without its query, which has no place in our tables."""
    for link in links_of(text):
        if link.relations & {"deprecation", "sunset"}:
            return _plain_url(link.target)
    return None


def _plain_url(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
    is_shown = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    return plain if is_shown and len(plain) <= LONGEST_URL and plain.isascii() and plain.isprintable() else None


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    told = [instant for instant in (one, other) if instant is not None]
    return min(told, default=None)
