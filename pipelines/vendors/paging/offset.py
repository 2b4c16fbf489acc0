"""Lists paged by offset and limit: a row that leaves moves all rows behind it forward."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from typing import Any

from pipelines.faults import ReadingError
from pipelines.vendors.http_client import Refused
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.list_pass import ListPass
from pipelines.vendors.paging.pages import OffsetPage, Page


def read_offset_pages(
    fetch: Callable[[int], OffsetPage],
    key: Callable[[Any], Hashable],
    version: Callable[[Any], Hashable],
    limit: int,
) -> Iterator[Page]:
    """Read an offset-and-limit list, `limit` rows at a time. `version`: what an edit that moves a row changes in it.

    An object edited while the list is paged leaves its place, or the window, and moves all rows behind it forward.
    Every page is requested from the last row of the page before: where a row comes first that was not seen in this
    version, the list has moved, and the offset steps back until it meets one that was. A fall of the total, where the
    vendor gives one, shows the same, and how far to step back (OCPI 2.1.1, transport: pagination).
    The list ends where the vendor's total or a missing next link says so; without either, or with a total that is
    proved wrong, it ends at an empty page. A link to a next page behind the total proves that wrong at once. A short
    page is not the end: the server may cap its pages. Nor is an empty one with a link to a next page: the server may
    filter rows out after cutting the pages. After a page that holds only the last row once more, the server may refuse
    the next request, which is then the end too.
    """
    previous = ListPass()
    for number in range(limits.PASSES):
        # The first pass is seldom repeated, and recording the content of every row costs time.
        reading = ListPass(versions=[] if number > 0 else None)
        for answer in _offset_pass(fetch, key, version, limit, reading):
            yield answer.page
        # New rows may have entered anywhere in the list, so a rise of the total excuses no missing row here.
        reading.risen = 0
        if reading.is_whole(previous):
            return
        previous = reading
    raise ReadingError(f"the list kept changing, or its total is wrong: incomplete after {limits.PASSES} passes.")


def _offset_pass(
    fetch: Callable[[int], OffsetPage],
    key: Callable[[Any], Hashable],
    version: Callable[[Any], Hashable],
    limit: int,
    reading: ListPass,
) -> Iterator[OffsetPage]:
    """Pages from offset 0 to the end, each requested from the last row of the page before, its anchor."""
    shown: set[tuple[Hashable, Hashable]] = set()
    offset = 0
    largest = 1
    has_anchor = False
    anchor: Any = None
    is_at_end = False
    empty_pages = 0
    is_total_wrong = False
    for _ in range(limits.MOST_PAGES):
        try:
            answer = fetch(offset)
        except Refused:
            if is_at_end:
                return
            raise
        objects = answer.page.objects
        total = None if is_total_wrong else answer.total_count
        fallen = reading.fall(total)
        # An edited row may have moved here: then the rows before it have not all been seen.
        is_tied = (bool(objects) and (key(objects[0]), version(objects[0])) in shown) if has_anchor else not fallen
        if offset > 0 and not is_tied:
            # Steps double while the list keeps moving; without an anchor, one row more, so that the next page has one.
            offset = max(0, offset - max(fallen + (not has_anchor), 2 ** (reading.step_back() - 1)))
            has_anchor, is_at_end = offset > 0, False
            continue
        if not objects and answer.has_next:
            empty_pages += 1
            if empty_pages >= limits.MOST_EMPTY_PAGES:
                break
            offset, has_anchor, is_at_end = _offset_behind(answer, offset), False, False
            continue
        empty_pages = 0
        if offset > 0 and not has_anchor and (objects or not is_at_end):
            reading.is_anchored = False
        # As full as pages get here: more rows may follow it, whatever the total says.
        is_full = len(objects) >= limit or (offset > 0 and len(objects) >= largest)
        largest = max(largest, len(objects))
        reached = offset + len(objects)
        # The anchor was requested again only to tie the pages together: if unchanged, it is not yielded twice.
        is_repeated = has_anchor and objects[0] == anchor
        reading.take(objects, key, reached, repeated=int(is_repeated))
        shown.update((key(item), version(item)) for item in objects)
        is_at_end = has_anchor and len(objects) == 1
        yield replace(answer, page=replace(answer.page, objects=objects[1:])) if is_repeated else answer
        if not objects or (answer.has_next is False and total in (None, reached)):
            return
        if answer.has_next is None and total == reached and not is_full:
            return
        # It may count the rows of its page: its changes then tell nothing of the list.
        is_total_wrong = is_total_wrong or (answer.has_next is True and total is not None and total <= reached)
        # The only row of a page cannot be the next page's anchor: the offset would not advance.
        has_anchor = len(objects) > 1
        anchor = objects[-1]
        offset = reached - has_anchor
    raise ReadingError("the list has no end.")


def _offset_behind(empty: OffsetPage, offset: int) -> int:
    """Where the page after an empty one begins, which only its link can say. Raises ReadingError where it does not."""
    if empty.next_offset is None or empty.next_offset <= offset:
        raise ReadingError("a page is empty, but its link to the next page does not say where that begins.")
    return empty.next_offset
