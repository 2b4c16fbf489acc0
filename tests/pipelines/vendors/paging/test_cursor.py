"""A cursor is followed to the end of its list, and no further."""

from itertools import count

import pytest
from hypothesis import given

from pipelines.faults import ReadingError
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.cursor import read_cursor_pages
from pipelines.vendors.paging.pages import CursorPage, Page
from tests.pipelines.vendors.paging.histories_of_lists import LEAVES, PAGE_SIZES, SIZES, scripts
from tests.pipelines.vendors.paging.moving_list import ASKED_AT, Move, MovingList, rows_of


@pytest.mark.parametrize("cycle", [1, 2, 3])
def test_a_cursor_that_leads_to_the_same_pages_under_ever_new_names_is_not_followed_for_ever(cycle: int) -> None:
    numbers = count()

    def fetch(cursor: str | None) -> CursorPage:
        number = next(numbers)
        rows = [10 * (number % cycle), 10 * (number % cycle) + 1]
        return CursorPage(Page(rows, ASKED_AT), f"cursor-{number}", True)

    with pytest.raises(ReadingError, match="the same rows come again and again"):
        rows_of(read_cursor_pages(fetch))
    assert next(numbers) <= limits.MOST_PAGES_WITHOUT_NEWS + cycle + 1


def test_a_cursor_is_followed_through_any_number_of_repeated_pages_that_news_comes_between() -> None:
    pages = limits.MOST_PAGES_WITHOUT_NEWS * 3
    answers = iter([CursorPage(Page([n // 2], ASKED_AT), f"c{n}", n < pages) for n in range(pages + 1)])
    assert set(rows_of(read_cursor_pages(lambda _: next(answers)))) == set(range(pages // 2 + 1))


@given(SIZES, PAGE_SIZES, scripts(LEAVES))
def test_a_cursor_loses_no_row(rows: int, size: int, script: list[list[Move]]) -> None:
    moving = MovingList(rows, script)
    got = rows_of(read_cursor_pages(lambda cursor: moving.after(cursor, size)))
    assert moving.stayed <= set(got)
    assert len(got) == len(set(got))


def test_an_empty_page_of_a_cursor_is_no_end() -> None:
    answers = iter(
        [
            CursorPage(Page([1], ASKED_AT), "a", True),
            CursorPage(Page([], ASKED_AT), "b", True),
            CursorPage(Page([2], ASKED_AT), None, False),
        ]
    )
    assert rows_of(read_cursor_pages(lambda cursor: next(answers))) == [1, 2]


@pytest.mark.parametrize("cursors", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_a_cursor_that_repeats_or_runs_in_circles_is_refused(cursors: list[str]) -> None:
    named = iter(cursors)
    with pytest.raises(ReadingError, match="the cursor repeats"):
        rows_of(read_cursor_pages(lambda cursor: CursorPage(Page([1], ASKED_AT), next(named), True)))


@pytest.mark.parametrize("cursor", [None, ""])
def test_a_cursor_that_is_missing_though_there_is_more_is_refused(cursor: str | None) -> None:
    with pytest.raises(ReadingError, match="has no cursor"):
        rows_of(read_cursor_pages(lambda _: CursorPage(Page([1], ASKED_AT), cursor, True)))


@pytest.mark.parametrize("limit", ["MOST_EMPTY_PAGES", "MOST_PAGES"])
def test_a_cursor_is_not_followed_for_ever(monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(limits, limit, 30)
    numbers = count(1)

    def fetch(cursor: str | None) -> CursorPage:
        number = next(numbers)
        return CursorPage(Page([] if limit == "MOST_EMPTY_PAGES" else [number], ASKED_AT), str(number), True)

    with pytest.raises(ReadingError, match="has no end"):
        rows_of(read_cursor_pages(fetch))
    assert next(numbers) <= 32


def test_only_empty_pages_in_a_row_are_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that filters the rows of its pages leaves many pages of a long list empty."""
    monkeypatch.setattr(limits, "MOST_EMPTY_PAGES", 3)
    pages = [CursorPage(Page([] if n % 3 else [n], ASKED_AT), f"c{n}", n < 30) for n in range(31)]
    answers = iter(pages)
    assert rows_of(read_cursor_pages(lambda _: next(answers))) == list(range(0, 31, 3))
