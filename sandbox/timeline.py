"""Every API object is a timeline of versions: at instant T the API shows the newest version shown from T or earlier.

Late arrivals, open sessions that close, corrections, silent recalculations, edits of stations and CDRs issued again are
all modelled this way.
"""

from bisect import bisect_right, insort_right
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import orjson

Payload = dict[str, Any]

BEGINNING_OF_TIME = datetime(1970, 1, 1, tzinfo=UTC)


class Version:
    """One state of an API object: the JSON object the API shows from `shown_from` on."""

    def __init__(self, shown_from: datetime, payload: Payload) -> None:
        self.shown_from = shown_from
        self.payload = payload

    @cached_property
    def encoded(self) -> bytes:
        """The payload as JSON, serialised only once."""
        return orjson.dumps(self.payload)


def _shown_from(version: Version) -> datetime:
    return version.shown_from


@dataclass
class Timeline:
    """The versions of one object, oldest first, and the scope (installation, park) it is listed under."""

    object_id: str
    scope: str | None = None
    versions: list[Version] = field(default_factory=list)

    def add(self, version: Version) -> None:
        """Adds a version; of two shown from the same instant, the one added later wins."""
        insort_right(self.versions, version, key=_shown_from)

    def at(self, instant: datetime) -> Version | None:
        """The version that the API shows at `instant`; None while the object is not shown yet."""
        position = bisect_right(self.versions, instant, key=_shown_from)
        return self.versions[position - 1] if position else None
