"""A list in memory that changes while it is paged: the oracle of the readers."""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from pipelines.vendors.paging.pages import CursorPage, NumberedPage, OffsetPage, Page

ASKED_AT = datetime(2026, 4, 1, 6, tzinfo=UTC)

EDITED = 1_000_000
"""What an edit adds to a row: below it is the row's number, above it its version."""


@dataclass(frozen=True)
class Move:
    """One move. `place` is a position in the list, in thousandths of its length at that time. A row goes to the tail
    because it was edited."""

    kind: Literal["enters", "leaves", "goes to the tail"]
    place: int = 0


class MovingList:
    """`size` rows, numbered from 0; `script` holds, for one fetch after the other, the moves made before it."""

    def __init__(self, size: int, script: Sequence[Sequence[Move]] = ()) -> None:
        self.rows: list[int] = list(range(size))
        self.stayed = set(self.rows)
        self.fetches = 0
        self._script = script
        self._next_row = size
        self._lock = threading.Lock()

    def _turn(self) -> None:
        moves = self._script[self.fetches] if self.fetches < len(self._script) else ()
        self.fetches += 1
        for move in moves:
            self._make(move)

    def _make(self, move: Move) -> None:
        place = move.place * len(self.rows) // 1000
        if move.kind == "enters":
            self.rows.insert(place, self._next_row)
            self._next_row += 1
        elif self.rows:
            row = self.rows.pop(min(place, len(self.rows) - 1))
            if move.kind == "goes to the tail":
                self.rows.append(row + EDITED)
            else:
                self.stayed.discard(row % EDITED)

    def numbered(
        self, number: int, size: int, *, lie: int = 0, tells_total: bool = True, shuffle: int | None = None
    ) -> NumberedPage:
        """Page `number`, counted from 1. `lie` is added to every total."""
        with self._lock:
            self._turn()
            rows = self._in_disorder(shuffle)
            told = max(0, len(rows) + lie)
            page = Page(rows[(number - 1) * size : number * size], ASKED_AT)
            return NumberedPage(page, told if tells_total else None, -(-told // size))

    def offset(
        self,
        offset: int,
        cap: int,
        *,
        lie: int = 0,
        tells_total: bool = True,
        links: bool = False,
        shuffle: int | None = None,
    ) -> OffsetPage:
        """The `cap` rows from `offset` on. With `links`, the answer says whether there is a next page."""
        with self._lock:
            self._turn()
            rows = self._in_disorder(shuffle)
            has_next = True if links and offset + cap < len(rows) else None
            told = max(0, len(rows) + lie) if tells_total else None
            return OffsetPage(Page(rows[offset : offset + cap], ASKED_AT), told, has_next)

    def after(self, cursor: str | None, size: int) -> CursorPage:
        """The rows after the one that the cursor names; always in the order 0, 1, 2, ..."""
        self._turn()
        behind = [row for row in sorted(self.rows) if cursor is None or row > int(cursor)]
        more = len(behind) > size
        return CursorPage(Page(behind[:size], ASKED_AT), str(behind[size - 1]) if more else None, more)

    def _in_disorder(self, seed: int | None) -> list[int]:
        """With a seed, the rows tie in groups of four, and the server orders ties differently at every request."""
        if seed is None:
            return list(self.rows)
        return sorted(self.rows, key=lambda row: (row // 4, hash((row, seed, self.fetches))))


def rows_of(pages: Iterable[Page]) -> list[int]:
    """The numbers of all rows of the pages, in the order received."""
    return [row % EDITED for page in pages for row in page.objects]
