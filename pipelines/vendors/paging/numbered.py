"""Newest-first lists paged by page number: a row that enters at the head pushes others to later pages."""

from collections.abc import Callable, Hashable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import ceil
from typing import Any

from pipelines.faults import ReadingError
from pipelines.vendors.http_client import Refused
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.list_pass import ListPass
from pipelines.vendors.paging.pages import NumberedPage, Page

PAGES_AT_ONCE = 4
"""Pages of one list that are requested in parallel."""


@dataclass(frozen=True)
class KnownRows:
    """The keys of rows that are in a list and need not be read.

    `is_rest_of` is given the list's total, and gives a second opinion on whether only such rows are left to come: a
    known row that is not in the list after all would hide an unknown one.
    """

    keys: Set[Hashable]
    is_rest_of: Callable[[int], bool]


def read_numbered_pages(
    fetch: Callable[[int], NumberedPage], key: Callable[[Any], Hashable], known: KnownRows | None = None
) -> Iterator[Page]:
    """Read pages 1 to N of a newest-first list.

    The first pass fetches several pages at once. It suffices if every page gave the same total and that many different
    rows came. A list that moved meanwhile is read again, page by page. A row that enters pushes its neighbours to a
    later page (seen twice, which is harmless; the list is read to its new end). One that leaves pulls them to an
    earlier page, and the reader steps back by the fall of the total. Without totals, several pages are read until two
    readings in a row are the same. Some servers cap their total: where the last of several pages is full, one more is
    requested.

    With `known` rows, the first pass ends where only these are left to come: the total says so, the last page confirms
    the total, and the second opinion agrees.
    """
    previous = ListPass()
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
    # More rows than the total says prove it wrong: only reading pages until nothing new comes finds the end.
    is_believed = previous.total is None or (previous.is_steady and previous.rows <= previous.total)
    if is_believed and previous.is_whole(ListPass()) and not _hides_more(fetch, answer, key, previous):
        return
    for _ in range(limits.PASSES):
        reading = ListPass(is_anchored=False, versions=[])
        for answer in _pages_in_turn(fetch, key, reading):
            yield answer.page
        if reading.is_whole(previous):
            return
        previous = reading
    raise ReadingError(f"the list kept changing, or its totals are wrong: incomplete after {limits.PASSES} passes.")


def _pages_at_once(fetch: Callable[[int], NumberedPage]) -> Iterator[list[NumberedPage]]:
    """The first page by itself, then the other pages of the number that it gives, several at a time."""
    first = fetch(1)
    yield [first]
    pages = range(2, min(first.total_pages, limits.MOST_PAGES) + 1)
    if not pages:
        return
    with ThreadPoolExecutor(PAGES_AT_ONCE) as executor:
        for start in range(0, len(pages), PAGES_AT_ONCE):
            yield list(executor.map(fetch, pages[start : start + PAGES_AT_ONCE]))


def _hides_more(
    fetch: Callable[[int], NumberedPage], last: NumberedPage, key: Callable[[Any], Hashable], reading: ListPass
) -> bool:
    """Whether the last of several pages is full and another page follows it."""
    if last.total_pages <= 1 or len(last.page.objects) < reading.page_size:
        return False
    beyond = _page_beyond(fetch, last.total_pages + 1, reading)
    return beyond is not None and not reading.began_or_ended_with(beyond.page.objects, key)


def _page_beyond(fetch: Callable[[int], NumberedPage], number: int, reading: ListPass) -> NumberedPage | None:
    """A page beyond the number of pages that the vendor gave; None where it refuses the page or fails to answer.

    Raises ReadingError for a failure where the total is proved wrong: the list may well go on there.
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
    fetch: Callable[[int], NumberedPage], key: Callable[[Any], Hashable], reading: ListPass
) -> Iterator[NumberedPage]:
    """Pages from the first to the end, one after the other, stepping back as far as a fall of the total requires."""
    number = 1
    pages = 1
    for _ in range(limits.MOST_PAGES):
        answer = fetch(number) if number <= pages else _page_beyond(fetch, number, reading)
        if answer is None:
            return
        # Before its total is recorded: beyond the end, some servers give a total of 0.
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
