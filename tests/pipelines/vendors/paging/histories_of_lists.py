"""What may happen to a list while it is read, for property tests; and helpers that read it."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from hypothesis import strategies as st

from pipelines.faults import ReadingError
from pipelines.vendors.paging.pages import Page
from tests.pipelines.vendors.paging.moving_list import EDITED, Move, rows_of

SIZES = st.integers(0, 24)
PAGE_SIZES = st.integers(1, 7)
PLACES = st.integers(0, 1000)
ENTERS = st.builds(Move, st.just("enters"), PLACES)
ENTERS_AT_THE_HEAD = st.just(Move("enters", 0))
LEAVES = st.builds(Move, st.just("leaves"), PLACES)
GOES_TO_THE_TAIL = st.builds(Move, st.just("goes to the tail"), PLACES)


def scripts(*moves: st.SearchStrategy[Move], most_at_once: int = 6) -> st.SearchStrategy[list[list[Move]]]:
    """The moves to make before each of the first fetches."""
    return st.lists(st.lists(st.one_of(*moves), max_size=most_at_once), max_size=25)


def row(item: int) -> int:
    """The key of a row: its number, whatever its version."""
    return item % EDITED


def version(item: int) -> int:
    """What an edit changes in a row."""
    return item // EDITED


def got_or_refused(read: Callable[[], Iterator[Page]]) -> list[int] | None:
    with suppress(ReadingError):
        return rows_of(read())
    return None
