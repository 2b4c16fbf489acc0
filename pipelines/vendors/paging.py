"""Reading a list to its end without losing a row: one reader per style of paging.

A list may change while it is paged. Each reader notices the movement its style can suffer, steps back over it or reads
again, and returns only when the list is proved complete; otherwise it raises ReadingError and the window does not
count as read. Readers yield pages as received, repeats included: which version of an object wins is decided later.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines.faults import ReadingError

PASSES = 5
PAGES_AT_ONCE = 4
MOST_PAGES = 100_000


@dataclass(frozen=True)
class Page:
    """The objects of one answer, and when it was asked for."""

    objects: Sequence[Any]
    requested_at: datetime


@dataclass(frozen=True)
class CursorPage:
    page: Page
    cursor: str | None
    has_more: bool


@dataclass(frozen=True)
class NumberedPage:
    page: Page
    total_count: int
    total_pages: int


@dataclass(frozen=True)
class OffsetPage:
    """`total_count` and `has_next` are None where the vendor does not say."""

    page: Page
    total_count: int | None
    has_next: bool | None


def read_cursor_pages(fetch: Callable[[str | None], CursorPage]) -> Iterator[Page]:
    """Follow a cursor until the vendor says there is no more.

    A cursor that repeats, or is missing although there is more, would lose or repeat rows for ever: ReadingError.
    """
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        answer = fetch(cursor)
        yield answer.page
        if not answer.has_more:
            return
        if not answer.cursor:
            raise ReadingError("there is more to read, but the answer names no cursor.")
        if answer.cursor in seen or len(seen) >= MOST_PAGES:
            raise ReadingError("the cursor repeats itself, so the list cannot be read to its end.")
        seen.add(answer.cursor)
        cursor = answer.cursor


def read_numbered_pages(fetch: Callable[[int], NumberedPage], key: Callable[[Any], Hashable]) -> Iterator[Page]:
    """Read pages 1 to N of a newest-first list.

    The first pass fetches several pages at once, and counts when every page told the same total and that many
    different rows came. A list that moved meanwhile is read again, page by page: a row that appears pushes its
    neighbours to a later page (seen twice: harmless, and read to the new end); one that leaves pulls them to an earlier
    page, and the reader steps back over the fall.
    """
    keys: set[Hashable] = set()
    totals: set[int] = set()
    for answer in _pages_at_once(fetch):
        keys.update(map(key, answer.page.objects))
        totals.add(answer.total_count)
        yield answer.page
    if len(totals) == 1 and len(keys) >= max(totals):
        return
    for _ in range(PASSES):
        keys.clear()
        total = risen = 0
        for answer in _pages_in_turn(fetch):
            risen += max(0, answer.total_count - total) if keys else 0
            total = answer.total_count
            keys.update(map(key, answer.page.objects))
            yield answer.page
        if len(keys) >= total - risen:
            return
    raise ReadingError(f"the list kept moving, or its totals are wrong: not whole after {PASSES} readings.")


def _pages_at_once(fetch: Callable[[int], NumberedPage]) -> Iterator[NumberedPage]:
    first = fetch(1)
    yield first
    pages = range(2, min(first.total_pages, MOST_PAGES) + 1)
    if not pages:
        return
    with ThreadPoolExecutor(PAGES_AT_ONCE) as executor:
        for start in range(0, len(pages), PAGES_AT_ONCE):
            yield from executor.map(fetch, pages[start : start + PAGES_AT_ONCE])


def _pages_in_turn(fetch: Callable[[int], NumberedPage]) -> Iterator[NumberedPage]:
    number = 1
    total: int | None = None
    for _ in range(MOST_PAGES):
        answer = fetch(number)
        has_fallen = total is not None and answer.total_count < total
        total = answer.total_count
        if has_fallen and number > 1:
            number -= 1
            continue
        yield answer
        if number >= answer.total_pages or not answer.page.objects:
            return
        number += 1
    raise ReadingError("the list has no end.")


def read_offset_pages(fetch: Callable[[int], OffsetPage], key: Callable[[Any], Hashable]) -> Iterator[Page]:
    """Read an offset-and-limit list.

    An object edited while the list is paged leaves the window and pulls everything behind it forward. Where the vendor
    tells the total, a fall shows it, and the offset steps back by the loss (OCPI 2.1.1, transport: pagination). Where
    it does not, every page begins with the last row of the one before, and the offset steps back until it meets a row
    that was seen.
    The end is where the vendor says so, by its total or by a missing next link; without either, an empty page. A short
    page is no end: the server may cap its pages.
    """
    for _ in range(PASSES):
        keys: set[Hashable] = set()
        total: int | None = None
        for answer in _offset_pass(fetch, key, keys):
            total = answer.total_count
            yield answer.page
        if total is None or len(keys) >= total:
            return
    raise ReadingError(f"the list kept moving, or its total is wrong: not whole after {PASSES} readings.")


def _offset_pass(
    fetch: Callable[[int], OffsetPage], key: Callable[[Any], Hashable], seen: set[Hashable]
) -> Iterator[OffsetPage]:
    """Pages from offset 0 to the end; adds the keys of their rows to `seen`."""
    offset = 0
    total: int | None = None
    for _ in range(MOST_PAGES):
        answer = fetch(offset)
        keys = [key(item) for item in answer.page.objects]
        fallen = total - answer.total_count if total is not None and answer.total_count is not None else 0
        total = answer.total_count
        if fallen > 0 and offset > 0:
            offset = max(0, offset - fallen)
            continue
        if total is None and offset > 0 and keys and keys[0] not in seen:
            offset = max(0, offset - len(keys))
            continue
        yield answer
        is_news = not seen.issuperset(keys)
        seen.update(keys)
        reached = offset + len(keys)
        if total is not None:
            if (reached >= total and not answer.has_next) or not keys:
                return
            offset = reached
        else:
            if answer.has_next is False or not is_news:
                return
            offset = reached - 1
    raise ReadingError("the list has no end.")
