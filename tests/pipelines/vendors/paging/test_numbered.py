"""No row that stays in a numbered list is lost, or the reading fails; a list that comes to rest is read."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.faults import ReadingError
from pipelines.vendors.http_client import Refused
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.numbered import PAGES_AT_ONCE, KnownRows, read_numbered_pages
from pipelines.vendors.paging.pages import NumberedPage, Page
from tests.pipelines.vendors.paging.histories_of_lists import (
    ENTERS,
    ENTERS_AT_THE_HEAD,
    LEAVES,
    PAGE_SIZES,
    SIZES,
    got_or_refused,
    row,
    scripts,
)
from tests.pipelines.vendors.paging.moving_list import ASKED_AT, Move, MovingList, rows_of


# If rows enter anywhere and leave at the same moment, only the net change shows; so here they enter at the head.
@given(SIZES, PAGE_SIZES, scripts(ENTERS_AT_THE_HEAD, LEAVES))
def test_numbered_pages_lose_no_row_whatever_leaves_and_enters_at_the_head(
    rows: int, size: int, script: list[list[Move]]
) -> None:
    moving = MovingList(rows, script)
    got = got_or_refused(lambda: read_numbered_pages(lambda number: moving.numbered(number, size), row))
    assert got is None or moving.stayed <= set(got)


@given(SIZES, PAGE_SIZES, scripts(ENTERS))
def test_numbered_pages_lose_no_row_when_others_enter_anywhere(rows: int, size: int, script: list[list[Move]]) -> None:
    moving = MovingList(rows, script)
    got = got_or_refused(lambda: read_numbered_pages(lambda number: moving.numbered(number, size), row))
    assert got is None or moving.stayed <= set(got)


@given(SIZES, PAGE_SIZES, scripts(ENTERS, LEAVES, most_at_once=1))
def test_numbered_pages_lose_no_row_when_one_at_a_time_moves(rows: int, size: int, script: list[list[Move]]) -> None:
    moving = MovingList(rows, script)
    got = got_or_refused(lambda: read_numbered_pages(lambda number: moving.numbered(number, size), row))
    assert got is None or moving.stayed <= set(got)


@given(SIZES, PAGE_SIZES, scripts(LEAVES))
def test_numbered_pages_without_totals_lose_no_row(rows: int, size: int, script: list[list[Move]]) -> None:
    moving = MovingList(rows, script)
    got = got_or_refused(
        lambda: read_numbered_pages(lambda number: moving.numbered(number, size, tells_total=False), row)
    )
    assert got is None or moving.stayed <= set(got)


@given(SIZES, PAGE_SIZES, scripts(LEAVES, ENTERS_AT_THE_HEAD), st.integers(-5, 9))
def test_numbered_pages_lose_no_row_to_a_total_that_lies_high_and_notice_one_that_lies_low(
    rows: int, size: int, script: list[list[Move]], lie: int
) -> None:
    moving = MovingList(rows, script if lie >= 0 else ())
    got = got_or_refused(lambda: read_numbered_pages(lambda number: moving.numbered(number, size, lie=lie), row))
    # If the total is too low but fills its last page, nothing contradicts the vendor.
    is_noticeable = lie >= 0 or (rows + lie) % size > 0
    assert got is None or not is_noticeable or moving.stayed <= set(got)


@given(SIZES, PAGE_SIZES, st.integers())
def test_numbered_pages_of_a_server_that_orders_ties_anew_lose_no_row(rows: int, size: int, seed: int) -> None:
    moving = MovingList(rows)
    got = got_or_refused(lambda: read_numbered_pages(lambda number: moving.numbered(number, size, shuffle=seed), row))
    assert got is None or moving.stayed <= set(got)


@given(SIZES, PAGE_SIZES, st.booleans(), st.lists(st.one_of(ENTERS_AT_THE_HEAD, LEAVES), max_size=3), st.data())
def test_numbered_pages_of_a_list_that_comes_to_rest_are_read(
    rows: int, size: int, tells_total: bool, moves: list[Move], data: st.DataObject
) -> None:
    script: list[list[Move]] = [[] for _ in range(12)]
    for move in moves:
        script[data.draw(st.integers(0, 11))].append(move)
    moving = MovingList(rows, script)
    got = rows_of(read_numbered_pages(lambda number: moving.numbered(number, size, tells_total=tells_total), row))
    assert moving.stayed <= set(got)


def read_but_for(
    moving: MovingList, ended: Collection[int], known: Collection[int], size: int, **how: Any
) -> Iterator[Page]:
    """Read a list in which the server counts the rows `ended`, and the reader believes `known` to be among those."""
    others: set[int] = set()

    def is_rest_of(total: int) -> bool:
        return sum(number in ended for number in moving.rows) == total - len(others)

    pages = read_numbered_pages(
        lambda number: moving.numbered(number, size, **how), row, KnownRows(frozenset(known), is_rest_of)
    )
    for page in pages:
        others.update(number for number in page.objects if number not in ended)
        yield page


@given(SIZES, PAGE_SIZES, st.data(), st.integers())
def test_numbered_pages_show_every_row_that_has_not_ended_whatever_the_order(
    rows: int, size: int, data: st.DataObject, seed: int
) -> None:
    moving = MovingList(rows)
    ended, known = (data.draw(st.sets(st.integers(0, rows + 3))) for _ in range(2))
    got = got_or_refused(lambda: read_but_for(moving, ended, known, size, shuffle=seed))
    assert got is None or moving.stayed - ended <= set(got)


def test_known_rows_are_no_rest_where_the_last_page_holds_more_than_the_total_leaves_for_it() -> None:
    rows, told, size = range(10), 7, 2

    def fetch(number: int) -> NumberedPage:
        return NumberedPage(Page(rows[(number - 1) * size : number * size], ASKED_AT), told, -(-told // size))

    pages = list(read_numbered_pages(fetch, row, KnownRows(frozenset(range(1, 7)), lambda total: True)))
    assert {item for page in pages for item in page.objects} == {*rows}


@given(SIZES, PAGE_SIZES, scripts(st.one_of(ENTERS_AT_THE_HEAD, LEAVES)), st.integers(-2, 2), st.data())
def test_numbered_pages_show_every_row_that_has_not_ended_while_rows_move_and_totals_lie(
    rows: int, size: int, script: list[list[Move]], lie: int, data: st.DataObject
) -> None:
    moving = MovingList(rows, script)
    ended = data.draw(st.sets(st.integers(0, rows)))
    # The reader knows most of them, and some rows that have left the list or were never in it.
    known = ended ^ data.draw(st.sets(st.integers(0, rows + 3), max_size=3))
    got = got_or_refused(lambda: read_but_for(moving, ended, known, size, lie=lie))
    # If the total is too low but fills its last page, nothing contradicts the vendor.
    is_noticeable = lie >= 0 or (not script and (rows + lie) % size > 0)
    assert got is None or not is_noticeable or moving.stayed - ended <= set(got)


def test_a_numbered_list_is_read_no_further_than_to_where_only_known_rows_are_left() -> None:
    moving = MovingList(1_000)
    ended = set(range(1_000)) - {3, 27}
    assert {3, 27} <= set(rows_of(read_but_for(moving, ended, ended, 10)))
    # The first page, one batch of pages that are asked for at once, and the last page.
    assert moving.fetches == 1 + PAGES_AT_ONCE + 1


@pytest.mark.parametrize("tells_total", [True, False])
def test_a_numbered_list_without_a_total_or_whose_last_row_is_not_known_is_read_whole(tells_total: bool) -> None:
    moving = MovingList(100)
    ended = set(range(99 if tells_total else 100))
    assert set(rows_of(read_but_for(moving, ended, ended, 10, tells_total=tells_total))) == set(range(100))


@pytest.mark.parametrize(("running", "fetches"), [(99, 2), (55, 12)])
def test_a_known_row_that_does_not_stand_in_the_list_hides_no_other(running: int, fetches: int) -> None:
    moving = MovingList(100)
    ended = set(range(100)) - {running}
    assert running in rows_of(read_but_for(moving, ended, {*ended, 1_000}, 10))
    # The first page and the last, once; then, where these did not show it, all the others and one beyond the end.
    assert moving.fetches == fetches


def test_a_list_without_totals_is_read_though_it_moves_in_every_second_reading() -> None:
    enters = [Move("enters", 0)]
    moving = MovingList(4, [[], [], [], enters, [], [], [], enters, [], [], [], enters])
    got = rows_of(read_numbered_pages(lambda number: moving.numbered(number, 3, tells_total=False), row))
    assert moving.stayed <= set(got)


def test_a_list_that_gains_a_row_in_every_reading_is_read() -> None:
    """As with a busy tenant: a new session begins before every second request."""
    moving = MovingList(20, [[] if asked % 2 == 0 else [Move("enters", 0)] for asked in range(200)])
    assert moving.stayed <= set(rows_of(read_numbered_pages(lambda number: moving.numbered(number, 5), row)))


def test_a_numbered_list_at_rest_is_read_once_and_no_page_further() -> None:
    moving = MovingList(25)
    assert rows_of(read_numbered_pages(lambda number: moving.numbered(number, 10), row)) == list(range(25))
    assert moving.fetches == 3


def test_a_last_numbered_page_that_is_exactly_full_ends_the_list() -> None:
    moving = MovingList(20)
    assert rows_of(read_numbered_pages(lambda number: moving.numbered(number, 10), row)) == list(range(20))
    assert moving.fetches == 3, "one more shows that the total is not cut to a limit"


@pytest.mark.parametrize("rows", [10, 25])
def test_a_page_more_is_asked_for_only_where_the_last_of_several_is_full(rows: int) -> None:
    moving = MovingList(rows)
    assert rows_of(read_numbered_pages(lambda number: moving.numbered(number, 10), row)) == list(range(rows))
    assert moving.fetches == -(-rows // 10)


class Capped:
    """A list whose server counts its total no further than `pages` whole pages."""

    def __init__(self, moving: MovingList, size: int, pages: int) -> None:
        self.moving, self.size, self.most = moving, size, pages * size

    def page(self, number: int) -> NumberedPage:
        answer = self.moving.numbered(number, self.size)
        told = min(answer.total_count or 0, self.most)
        return replace(answer, total_count=told, total_pages=-(-told // self.size))


@given(st.integers(0, 60), PAGE_SIZES, st.integers(2, 4))
def test_numbered_pages_are_read_past_a_total_that_is_capped(rows: int, size: int, pages: int) -> None:
    got = rows_of(read_numbered_pages(Capped(MovingList(rows), size, pages).page, row))
    assert set(got) == set(range(rows))


# One move at a time on a list far above the limit: if a whole page of rows enters at once, a page behind the last looks
# like one already shown; and if a list shrinks to the limit, nothing shows it.
@given(st.integers(26, 40), st.integers(2, 7), st.integers(2, 4), scripts(ENTERS_AT_THE_HEAD, LEAVES, most_at_once=1))
def test_numbered_pages_lose_no_row_to_a_total_that_is_capped(
    more: int, size: int, pages: int, script: list[list[Move]]
) -> None:
    moving = MovingList(pages * size + more, script)
    got = got_or_refused(lambda: read_numbered_pages(Capped(moving, size, pages).page, row))
    assert got is None or moving.stayed <= set(got)


@pytest.mark.parametrize("tells_total", [True, False])
@pytest.mark.parametrize("beyond", ["refused", "not answered", "the last page again", "the first page again"])
def test_a_page_behind_the_last_that_holds_nothing_new_ends_the_list(beyond: str, tells_total: bool) -> None:
    moving = MovingList(20)
    faults = {"refused": Refused(404, "not found"), "not answered": ReadingError("HTTP 500; gave up after 8 tries.")}

    def fetch(number: int) -> NumberedPage:
        if number > 2 and beyond in faults:
            raise faults[beyond]
        return moving.numbered(number if number <= 2 else 2 if "last" in beyond else 1, 10, tells_total=tells_total)

    readings = 1 if tells_total else 2
    assert rows_of(read_numbered_pages(fetch, row)) == list(range(20)) * readings
    assert moving.fetches <= 3 * readings


def test_a_page_behind_the_last_that_counts_no_rows_is_no_fall_of_the_total() -> None:
    moving = MovingList(19, [[], [Move("enters", 0)]])

    def fetch(number: int) -> NumberedPage:
        page = moving.numbered(number, 10)
        return page if page.page.objects else NumberedPage(page.page, 0, 0)

    assert moving.stayed < set(rows_of(read_numbered_pages(fetch, row)))
    assert moving.fetches <= 6


def test_a_page_that_is_not_answered_behind_a_total_that_is_proved_wrong_is_a_fault() -> None:
    def fetch(number: int) -> NumberedPage:
        if number > 2:
            raise ReadingError("HTTP 500; gave up after 8 tries.")
        return replace(MovingList(30).numbered(number, 10), total_count=15, total_pages=2)

    with pytest.raises(ReadingError, match="HTTP 500"):
        rows_of(read_numbered_pages(fetch, row))


def test_a_server_that_ignores_which_page_is_asked_for_is_not_asked_for_ever() -> None:
    asked = count()

    def fetch(number: int) -> NumberedPage:
        next(asked)
        return NumberedPage(Page([1, 2], ASKED_AT), None, 5_000)

    with pytest.raises(ReadingError, match="the same rows come again and again"):
        rows_of(read_numbered_pages(fetch, row))
    assert next(asked) <= limits.MOST_PAGES_WITHOUT_NEWS + 1 + PAGES_AT_ONCE


def test_a_numbered_list_that_never_ends_is_not_taken_for_one_that_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_PAGES", 30)
    asked = count()

    def fetch(number: int) -> NumberedPage:
        next(asked)
        return NumberedPage(Page([2 * number, 2 * number + 1], ASKED_AT), None, number + 1)

    with pytest.raises(ReadingError, match="the list has no end"):
        rows_of(read_numbered_pages(fetch, row))
    # Two at once, then as many as may be in turn.
    assert next(asked) == 2 + 30


def test_a_fall_of_more_rows_than_a_page_holds_is_stepped_back_over() -> None:
    """Six of the rows leave at once; a single page back is not far enough."""
    leave_first_six = [Move("leaves", 0)] * 6
    moving = MovingList(30, [[], [Move("leaves", 0)], *[[]] * 12, leave_first_six])
    got = rows_of(read_numbered_pages(lambda number: moving.numbered(number, 3), row))
    assert moving.stayed == set(range(7, 30)) <= set(got)
    # Ten at once; four in turn, and the fifth, under which they leave; then from the third to the new end, the eighth.
    assert moving.fetches == 10 + 5 + 6, "no row was missed, so that nothing was read again"


@pytest.mark.parametrize("total", [4, None])
def test_a_row_that_stands_on_two_pages_again_and_again_is_no_proof(total: int | None) -> None:
    """The list may just as well have moved under an unchanged total, and hide another row each time."""
    keys = [1, 2, 2, 3]
    with pytest.raises(ReadingError, match=f"incomplete after {limits.PASSES} passes"):
        rows_of(read_numbered_pages(lambda n: NumberedPage(Page(keys[2 * n - 2 : 2 * n], ASKED_AT), total, 2), row))


def test_a_single_page_of_more_rows_than_its_total_counts_is_not_taken_for_the_last() -> None:
    moving = MovingList(4)
    got = rows_of(read_numbered_pages(lambda number: moving.numbered(number, 3, lie=-2), row))
    assert set(got) == set(range(4))


def test_an_empty_numbered_page_in_the_middle_is_no_end() -> None:
    pages = {1: [1, 2], 2: [], 3: [3, 4]}
    read = read_numbered_pages(lambda number: NumberedPage(Page(pages.get(number, []), ASKED_AT), None, 3), row)
    assert set(rows_of(read)) == {1, 2, 3, 4}


@pytest.mark.parametrize("total", [3, 99])
def test_numbered_pages_whose_total_is_never_reached_are_refused(total: int) -> None:
    answer = NumberedPage(Page([1, 2], ASKED_AT), total, 1)
    with pytest.raises(ReadingError, match=f"incomplete after {limits.PASSES} passes"):
        rows_of(read_numbered_pages(lambda number: answer, row))


def test_numbered_pages_whose_totals_go_to_and_fro_end() -> None:
    moving = MovingList(40)
    totals = count()
    got = got_or_refused(
        lambda: read_numbered_pages(lambda number: moving.numbered(number, 4, lie=-(next(totals) % 2)), row)
    )
    assert got is None or set(got) == set(range(40))
    assert moving.fetches < 1_000
