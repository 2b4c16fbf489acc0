"""Reading a list to its end without losing a row: one reader per style of paging.

A list may change while it is paged. Each reader notices the movement its style can suffer, steps back over it or reads
again, and returns only when the list is proved complete; otherwise it raises ReadingError and the window does not
count as read. Readers yield pages as received, repeats included: which version of an object wins is decided later.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from typing import Any

from pipelines.faults import ReadingError
from pipelines.vendors.http_client import Refused

PASSES = 7
"""Readings of a list that moves, at most. Where it takes two alike in turn to prove it whole, an edit during one spoils
the two pairs that it is part of. An offset list has six pairs, of which two edits leave some; a numbered one, whose
first pass counts along, has seven, of which three do.
"""

PAGES_AT_ONCE = 4
# Millions of rows in one window: no list has as many, and a server that goes on and on is not followed for ever.
MOST_PAGES = 100_000
# A server that filters its pages may send some without a row; one that sends nothing else has no end.
MOST_EMPTY_PAGES = 1_000
# A list that moves shows a page of nothing but old rows now and then; a server that ignores what it is asked, always.
MOST_PAGES_WITHOUT_NEWS = 20
# Servers that answer with different totals in turn would have the reader step to and fro for ever.
MOST_STEPS_BACK = 20


@dataclass(frozen=True)
class Page:
    """The objects of one answer, and when it was asked for."""

    objects: Sequence[Any]
    requested_at: datetime


@dataclass(frozen=True)
class CursorPage:
    """`cursor` names the next page; None, or empty, where there is none."""

    page: Page
    cursor: str | None
    has_more: bool


@dataclass(frozen=True)
class NumberedPage:
    """`total_count` is None where the vendor does not say."""

    page: Page
    total_count: int | None
    total_pages: int


@dataclass(frozen=True)
class OffsetPage:
    """`total_count` and `has_next` are None where the vendor does not say."""

    page: Page
    total_count: int | None
    has_next: bool | None


def key_by_id(id_field: str) -> Callable[[Any], str]:
    """What tells a row of a list from the others: its id; where it has none, all that it holds."""
    return lambda item: str(item.get(id_field) or item) if isinstance(item, dict) else repr(item)


@dataclass(frozen=True)
class KnownRows:
    """Rows that stand in a list and need not be seen: their keys.

    `is_rest_of` is told the list's total and gives a second opinion on whether only such rows are left to come: a known
    row that does not stand in the list after all would hide another one.
    """

    keys: Set[Hashable]
    is_rest_of: Callable[[int], bool]


@dataclass
class _Pass:
    """What one reading of a list from its beginning has shown.

    `keys` are those of its rows as they came, `versions` the rows themselves by what they hold, where that is noted,
    `rows` the places of the list that were read, `risen` by how much the total rose on the way, `is_steady` whether it
    stayed the same. `is_anchored`: every page was tied to the one before. `page_size` is the largest number of rows on
    one page so far, and at least one.
    """

    keys: list[tuple[Hashable, int]] = field(default_factory=list)
    seen: set[tuple[Hashable, int]] = field(default_factory=set)
    rows: int = 0
    page_size: int = 1
    total: int | None = None
    risen: int = 0
    is_steady: bool = True
    is_anchored: bool = True
    versions: list[int] | None = None
    _steps_back: int = 0
    _furthest: int = 0
    _pages_without_news: int = 0

    def fall(self, total: int | None) -> int:
        """Note the total of an answer; gives by how much it fell since the last one."""
        change = 0 if total is None or self.total is None else total - self.total
        self.risen += max(0, change)
        self.is_steady = self.is_steady and change == 0
        self.total = total
        return max(0, -change)

    def step_back(self) -> int:
        """Note that the list moved; gives how often it did since there was anything new.

        Raises ReadingError where stepping back does not come to an end.
        """
        self._steps_back += 1
        if self._steps_back > MOST_STEPS_BACK:
            raise ReadingError("the list moves to and fro, so it cannot be read to its end.")
        return self._steps_back

    def take(self, objects: Sequence[Any], key: Callable[[Any], Hashable], rows: int) -> bool:
        """Take in the rows of an answer; `rows` places of the list are read with them. Gives whether any was new.

        Raises ReadingError where reading on brings nothing new for long.
        """
        keys = _distinct(map(key, objects))
        is_news = not self.seen.issuperset(keys)
        if is_news:
            self._steps_back = self._pages_without_news = 0
        elif keys and rows > self._furthest:
            self._pages_without_news += 1
            if self._pages_without_news > MOST_PAGES_WITHOUT_NEWS:
                raise ReadingError("the same rows come again and again, so the list cannot be read to its end.")
        self._furthest = max(self._furthest, rows)
        self.keys.extend(keys)
        self.seen.update(keys)
        if self.versions is not None:
            self.versions.extend(hash(repr(item)) for item in objects)
        self.rows = rows
        self.page_size = max(self.page_size, len(keys))
        return is_news

    def began_or_ended_with(self, objects: Sequence[Any], key: Callable[[Any], Hashable]) -> bool:
        """Whether these are its first page or its last, or no rows: what stands for a page behind the last one."""
        keys, size = _distinct(map(key, objects)), self.page_size
        return not keys or keys in (self.keys[:size], self.keys[-size:])

    def is_whole(self, previous: "_Pass") -> bool:
        """Whether every row that was in the list all the while was seen.

        As many different rows as the total counts prove it. Where no total is told, or one that is wrong, and nothing
        ties the pages together, the same rows in the same order twice do, none of them twice in one reading: a list
        that lost a row showed another one again, or had one more the other time.
        """
        shows_enough = self.total is None or len(self.seen) >= self.total - self.risen
        if not self._is_counted:
            is_same = self.keys == previous.keys and len(self.keys) == len(self.seen)
            shows_enough = shows_enough and (self.is_anchored or is_same)
        return shows_enough or self._shows_versions_again(previous)

    @property
    def _is_counted(self) -> bool:
        """Whether a total is told that may be right: it counts all the rows there are."""
        return self.total is not None and not self.counts_too_few

    @property
    def counts_too_few(self) -> bool:
        """Whether more rows came than the total counts, so that it is wrong."""
        return self.total is not None and self.rows > self.total

    def _shows_versions_again(self, previous: "_Pass") -> bool:
        """Whether the list holds several versions of a row for good: both readings show the same rows in the same
        order, each different from all others in its key or otherwise, and as many as a total counts.

        What only moved may show twice in one reading, but then it is the same both times, or its old version is gone
        from the next reading.
        """
        if self.versions is None or self.versions != previous.versions:
            return False
        different = len(set(self.versions))
        if self.total is None or not self._is_counted:
            return different == len(self.versions)
        return self.is_steady and previous.is_steady and different >= self.total == previous.total

    def lacks_only(self, known: Set[Hashable]) -> bool:
        """Whether only known rows are left to come, by the total, which counts them along and has stayed the same; and
        so many of them that it is worth two requests to make sure."""
        if not known or self.total is None or not self.is_steady or self.rows + 2 * self.page_size >= self.total:
            return False
        return sum(key not in known for key, _ in self.seen) == self.total - len(known)

    def ends_with(self, last: NumberedPage) -> bool:
        """Whether the last page of the list, read ahead, holds as many rows as the total leaves for it."""
        return self.total == last.total_count == (last.total_pages - 1) * self.page_size + len(last.page.objects)


def _distinct(keys: Iterable[Hashable]) -> list[tuple[Hashable, int]]:
    """The keys of one answer's rows. Rows that share a key in one and the same answer are different rows."""
    listed = list(keys)
    if len(set(listed)) == len(listed):
        return [(key, 0) for key in listed]
    times: Counter[Hashable] = Counter()
    distinct: list[tuple[Hashable, int]] = []
    for key in listed:
        distinct.append((key, times[key]))
        times[key] += 1
    return distinct


def read_cursor_pages(fetch: Callable[[str | None], CursorPage]) -> Iterator[Page]:
    """Follow a cursor until the vendor says there is no more.

    A cursor that repeats, or is missing although there is more, would lose or repeat rows for ever: ReadingError.
    """
    seen: set[str] = set()
    shown: set[int] = set()
    cursor: str | None = None
    empty_pages = pages_without_news = 0
    while True:
        answer = fetch(cursor)
        yield answer.page
        if not answer.has_more:
            return
        if not answer.cursor:
            raise ReadingError("there is more to read, but the answer names no cursor.")
        if answer.cursor in seen:
            raise ReadingError("the cursor repeats itself, so the list cannot be read to its end.")
        empty_pages = 0 if answer.page.objects else empty_pages + 1
        if empty_pages >= MOST_EMPTY_PAGES or len(seen) >= MOST_PAGES:
            raise ReadingError("the list has no end.")
        if answer.page.objects:
            # Its first and last row tell a page from another, and cost less than all of them.
            ends = repr((answer.page.objects[0], answer.page.objects[-1]))
            pages_without_news = pages_without_news + 1 if hash(ends) in shown else 0
            shown.add(hash(ends))
        if pages_without_news > MOST_PAGES_WITHOUT_NEWS:
            raise ReadingError("the same rows come again and again, so the list cannot be read to its end.")
        seen.add(answer.cursor)
        cursor = answer.cursor


def read_numbered_pages(
    fetch: Callable[[int], NumberedPage], key: Callable[[Any], Hashable], known: KnownRows | None = None
) -> Iterator[Page]:
    """Read pages 1 to N of a newest-first list.

    The first pass fetches several pages at once, and counts when every page told the same total and that many
    different rows came. A list that moved meanwhile is read again, page by page: a row that appears pushes its
    neighbours to a later page (seen twice: harmless, and read to the new end); one that leaves pulls them to an earlier
    page, and the reader steps back over the fall. Without totals, several pages are read until they are the same twice.
    Some servers count no further than to a limit: where the last of several pages is full, one more is asked for.

    With `known` rows the first pass ends where no others are left to come: the total says so, the last page bears the
    total out, and the second opinion agrees.
    """
    previous = _Pass()
    for answers in _pages_at_once(fetch):
        for answer in answers:
            previous.fall(answer.total_count)
            previous.take(answer.page.objects, key, previous.rows + len(answer.page.objects))
            previous.is_anchored = previous.is_anchored and answer.total_pages <= 1
            yield answer.page
        if known is None or previous.total is None or not previous.lacks_only(known.keys):
            continue
        last = fetch(answers[-1].total_pages)
        yield last.page
        if previous.ends_with(last) and known.is_rest_of(previous.total):
            return
        known = None
    # More rows than the total counts show that it is wrong: only turning pages until nothing comes finds the end.
    is_believed = previous.total is None or (previous.is_steady and previous.rows <= previous.total)
    if is_believed and previous.is_whole(_Pass()) and not _hides_more(fetch, answer, key, previous):
        return
    for _ in range(PASSES):
        reading = _Pass(is_anchored=False, versions=[])
        for answer in _pages_in_turn(fetch, key, reading):
            yield answer.page
        if reading.is_whole(previous):
            return
        previous = reading
    raise ReadingError(f"the list kept moving, or its totals are wrong: not whole after {PASSES} readings.")


def _pages_at_once(fetch: Callable[[int], NumberedPage]) -> Iterator[list[NumberedPage]]:
    """The first page by itself, then as many as it says there are, several at a time."""
    first = fetch(1)
    yield [first]
    pages = range(2, min(first.total_pages, MOST_PAGES) + 1)
    if not pages:
        return
    with ThreadPoolExecutor(PAGES_AT_ONCE) as executor:
        for start in range(0, len(pages), PAGES_AT_ONCE):
            yield list(executor.map(fetch, pages[start : start + PAGES_AT_ONCE]))


def _hides_more(
    fetch: Callable[[int], NumberedPage], last: NumberedPage, key: Callable[[Any], Hashable], reading: _Pass
) -> bool:
    """Whether the last of several pages is full, and another stands behind it."""
    if last.total_pages <= 1 or len(last.page.objects) < reading.page_size:
        return False
    beyond = _page_beyond(fetch, last.total_pages + 1, reading)
    return beyond is not None and not reading.began_or_ended_with(beyond.page.objects, key)


def _page_beyond(fetch: Callable[[int], NumberedPage], number: int, reading: _Pass) -> NumberedPage | None:
    """A page that the vendor did not promise; None where it refuses it, or fails to answer.

    Raises ReadingError where the total is proved wrong: the list may well go on there.
    """
    try:
        return fetch(number)
    except Refused:
        return None
    except ReadingError:
        if reading.counts_too_few:
            raise
        return None


def _pages_in_turn(
    fetch: Callable[[int], NumberedPage], key: Callable[[Any], Hashable], reading: _Pass
) -> Iterator[NumberedPage]:
    """Pages from the first to the end, one after the other, and back by as many as the total fell by."""
    number = 1
    pages = 1
    for _ in range(MOST_PAGES):
        answer = fetch(number) if number <= pages else _page_beyond(fetch, number, reading)
        if answer is None:
            return
        # Before its total is heard, which some servers count as none behind the end.
        if number > pages and reading.began_or_ended_with(answer.page.objects, key):
            return
        fallen = reading.fall(answer.total_count)
        if fallen and number > 1:
            reading.step_back()
            number = max(1, number - ceil(fallen / reading.page_size))
            continue
        rows = len(answer.page.objects)
        is_news = reading.take(answer.page.objects, key, (number - 1) * reading.page_size + rows)
        yield answer
        pages = answer.total_pages
        is_full = number > 1 and rows >= reading.page_size
        if number >= pages and not (is_news and (reading.counts_too_few or is_full)):
            return
        number += 1
    raise ReadingError("the list has no end.")


def read_offset_pages(fetch: Callable[[int], OffsetPage], key: Callable[[Any], Hashable], limit: int) -> Iterator[Page]:
    """Read an offset-and-limit list, `limit` rows at a time.

    An object edited while the list is paged leaves the window and pulls everything behind it forward. Every page begins
    with the last row of the one before: where another row stands there, the list moved, and the offset steps
    back until it meets a row that was seen. A fall of the total, where it is told, shows the same, and how far to step
    (OCPI 2.1.1, transport: pagination).
    The end is where the vendor says so, by its total or by a missing next link; without either, or where the total is
    proved wrong, where nothing comes. A short page is no end: the server may cap its pages. Behind one that holds
    nothing but the last row once more, it may refuse to answer.
    """
    previous = _Pass()
    for number in range(PASSES):
        # A list is seldom read again, and to note what a row holds costs time.
        reading = _Pass(versions=[] if number > 0 else None)
        for answer in _offset_pass(fetch, key, limit, reading):
            yield answer.page
        # Rows that entered on the way may have entered anywhere, so that no rise is an excuse here.
        reading.risen = 0
        if reading.is_whole(previous):
            return
        previous = reading
    raise ReadingError(f"the list kept moving, or its total is wrong: not whole after {PASSES} readings.")


def _offset_pass(
    fetch: Callable[[int], OffsetPage], key: Callable[[Any], Hashable], limit: int, reading: _Pass
) -> Iterator[OffsetPage]:
    """Pages from offset 0 to the end, each asked for from the last row of the one before: its anchor."""
    offset = 0
    largest = 1
    has_anchor = False
    anchor: Any = None
    is_at_end = False
    for _ in range(MOST_PAGES):
        try:
            answer = fetch(offset)
        except Refused:
            if is_at_end:
                return
            raise
        objects = answer.page.objects
        fallen = reading.fall(answer.total_count)
        is_tied = (bool(objects) and (key(objects[0]), 0) in reading.seen) if has_anchor else not fallen
        if offset > 0 and not is_tied:
            # Ever further where the list keeps moving; without an anchor one more, so that the next page has one.
            offset = max(0, offset - max(fallen + (not has_anchor), 2 ** (reading.step_back() - 1)))
            has_anchor, is_at_end = offset > 0, False
            continue
        if objects and offset > 0 and not has_anchor:
            reading.is_anchored = False
        # As full as a page gets here: more may stand behind it, whatever the total says.
        is_full = len(objects) >= limit or (offset > 0 and len(objects) >= largest)
        largest = max(largest, len(objects))
        reached = offset + len(objects)
        reading.take(objects, key, reached)
        # The anchor was asked for again to tie the pages together: unchanged, it is not received twice.
        is_repeated = has_anchor and objects[0] == anchor
        is_at_end = has_anchor and len(objects) == 1
        yield replace(answer, page=replace(answer.page, objects=objects[1:])) if is_repeated else answer
        if not objects or (answer.has_next is False and answer.total_count in (None, reached)):
            return
        if answer.has_next is None and answer.total_count == reached and not is_full:
            return
        # A page of one row has none to spare as the anchor of the next.
        has_anchor = len(objects) > 1
        anchor = objects[-1]
        offset = reached - has_anchor
    raise ReadingError("the list has no end.")
