"""What a vendor module provides (endpoints and the lines to read) and what it receives: the run's question."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from pipelines.personal_data import PersonalData
from pipelines.vendors.http_client import Tally
from pipelines.vendors.paging.pages import Page

USER_SCOPE = "user:"
"""Prefix of the scope of a list that is requested for one person; the person's pseudonym follows."""


@dataclass(frozen=True)
class Endpoint:
    """A list of objects of one kind.

    `id_field` and the `*_field`s are the vendor's names of the object's key and times, dots for nesting. `clock` is the
    time that the list is filtered by: a reading covers a stretch of it; without one, a reading is a snapshot. `is_open`
    tells a running session from a closed one, where objects are sessions that may be running. `id_names` is the kind of
    person that the object's own id identifies, if any. `is_personal`: the object is a person's own (the user, a
    vehicle, a home); `belongings` are the fields of a session that refer to such objects.
    """

    vendor: str
    name: str
    description: str
    documentation_url: str
    id_field: str
    started_field: str | None = None
    ended_field: str | None = None
    modified_field: str | None = None
    clock: Literal["started", "ended", "modified"] | None = None
    is_open: Callable[[Any], bool] | None = None
    id_names: str | None = None
    is_personal: bool = False
    belongings: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The name of its table in the raw log."""
        return f"{self.vendor}_{self.name}"


@dataclass(frozen=True)
class Position:
    """How far an endpoint has been read for one scope.

    `watermark`: everything that the endpoint can show up to here has been read; None before the first reading.
    `open_since`: the starts of the scope's sessions that were running when last seen, oldest first.
    """

    watermark: datetime | None = None
    open_since: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Window:
    """A stretch of an endpoint's own clock, [from_at, to_at). `from_at` None: no lower bound."""

    from_at: datetime | None
    to_at: datetime


@dataclass(frozen=True)
class Question:
    """What a run asks of the vendors.

    refresh: everything new since the watermarks. reconcile: the same, but back to `from_at` at least. backfill: from
    `from_at` to `to_at` and no further, leaving the watermarks alone. No window goes past `as_of`, the run's now in
    whole milliseconds. `first_month_at`: where the first reading of a list begins, if the list takes a lower bound.
    """

    kind: Literal["refresh", "reconcile", "backfill"]
    as_of: datetime
    first_month_at: datetime
    from_at: datetime | None = None
    to_at: datetime | None = None

    def asks_for(self, from_at: datetime | None) -> bool:
        """Whether a window that begins there lies in the months that a reconcile names."""
        if self.kind != "reconcile" or self.from_at is None or from_at is None:
            return False
        return from_at >= self.from_at


@dataclass(frozen=True)
class Line:
    """One endpoint requested for one scope: windows that are read one after the other.

    `scope` is safe to store: a person appears in it by pseudonym. `stretches` gives the stretches to read, in order,
    from the position reached so far. `read` yields the pages of one window; returning proves the window complete. A
    window holds about `rows_per_window` rows and is no longer than `longest_window`, so that it fits in memory and a
    restart stays cheap. The first of a stretch, whose number of rows is unknown, is about `first_window` long.
    `needs_those_before`: in its chain, it is read only if the lines before it were.
    """

    endpoint: Endpoint
    scope: str
    stretches: Callable[[Position], Sequence[Window]]
    read: Callable[[Window, Tally], Iterator[Page]]
    rows_per_window: int = 5_000
    longest_window: timedelta | None = None
    first_window: timedelta = timedelta(days=31)
    needs_those_before: bool = True


class Vendor(Protocol):
    """A charging platform: its endpoints, its personal data, and the lines that answer a question."""

    @property
    def name(self) -> str:
        """Its name in the settings and the tables."""
        ...

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Every list that is read from it."""
        ...

    @property
    def personal_data(self) -> PersonalData:
        """Which of its fields name or describe a person."""
        ...

    def rounds(self, question: Question) -> Iterator[Sequence[Sequence[Line]]]:
        """Rounds of chains of lines.

        Rounds follow each other: what one has read (installations) may determine the next (their sessions). The chains
        of a round run in parallel. The lines of a chain run in turn, and those that need the ones before them only
        if none of these failed.
        """
        ...

    def check_credentials(self, tally: Tally) -> str:
        """Make one small request, or one per scope that must be configured; tells the result. Raises ReadingError."""
        ...


def text_at(path: str | None) -> Callable[[object], str | None]:
    """A function that returns the value at a dotted path of a JSON object as text, or None where there is none."""
    if path is None:
        return lambda item: None
    *parents, name = path.split(".")

    def text(item: object) -> str | None:
        for parent in parents:
            item = item.get(parent) if isinstance(item, dict) else None
        value = item.get(name) if isinstance(item, dict) else None
        return None if value is None or isinstance(value, dict | list) else str(value)

    return text
