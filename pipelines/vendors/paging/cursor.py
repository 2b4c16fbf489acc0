"""Lists paged by cursor, where each answer names the next: the server has to keep the pages consistent."""

from collections.abc import Callable, Iterator

from pipelines.faults import ReadingError
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.pages import CursorPage, Page


def read_cursor_pages(fetch: Callable[[str | None], CursorPage]) -> Iterator[Page]:
    """Follow a cursor until the vendor says there is no more.

    Raises ReadingError for a list without end, and for a cursor that repeats, or is missing although there is more:
    rows would be repeated for ever, or lost.
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
            raise ReadingError("more pages follow, but the response has no cursor.")
        if answer.cursor in seen:
            raise ReadingError("the cursor repeats, so the list cannot be read to its end.")
        empty_pages = 0 if answer.page.objects else empty_pages + 1
        if empty_pages >= limits.MOST_EMPTY_PAGES or len(seen) >= limits.MOST_PAGES:
            raise ReadingError("the list has no end.")
        if answer.page.objects:
            # The first and last row identify a page, and cost less to hash than all its rows.
            ends = repr((answer.page.objects[0], answer.page.objects[-1]))
            pages_without_news = pages_without_news + 1 if hash(ends) in shown else 0
            shown.add(hash(ends))
        if pages_without_news > limits.MOST_PAGES_WITHOUT_NEWS:
            raise ReadingError("the same rows come again and again, so the list cannot be read to its end.")
        seen.add(answer.cursor)
        cursor = answer.cursor
