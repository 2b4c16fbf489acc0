"""No row that stays in an offset list is lost, or the reading fails; a list that comes to rest is read."""

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.faults import ReadingError
from pipelines.vendors.http_client import Refused
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.offset import read_offset_pages
from pipelines.vendors.paging.pages import OffsetPage, Page
from tests.pipelines.vendors.paging.histories_of_lists import (
    ENTERS,
    GOES_TO_THE_TAIL,
    LEAVES,
    PAGE_SIZES,
    SIZES,
    got_or_refused,
    row,
    scripts,
    version,
)
from tests.pipelines.vendors.paging.moving_list import ASKED_AT, Move, MovingList, rows_of


@given(SIZES, PAGE_SIZES, PAGE_SIZES, scripts(ENTERS, LEAVES), st.booleans(), st.booleans())
def test_offset_pages_lose_no_row_whatever_enters_and_leaves(
    rows: int, limit: int, cap: int, script: list[list[Move]], tells_total: bool, links: bool
) -> None:
    # If a server gives one row at a time, nothing ties its pages together: two passes in a row have to be the same.
    script = script if cap > 1 else [moves[:1] for moves in script]
    moving = MovingList(rows, script)
    got = got_or_refused(
        lambda: read_offset_pages(
            lambda offset: moving.offset(offset, min(cap, max(limit, 2)), tells_total=tells_total, links=links),
            row,
            version,
            max(limit, 2),
        )
    )
    assert got is None or moving.stayed <= set(got)


@given(SIZES, st.integers(2, 7), scripts(GOES_TO_THE_TAIL), st.booleans())
def test_offset_pages_with_totals_lose_no_row_when_edited_rows_go_to_the_tail(
    rows: int, cap: int, script: list[list[Move]], links: bool
) -> None:
    moving = MovingList(rows, script)
    got = got_or_refused(lambda: read_offset_pages(lambda at: moving.offset(at, cap, links=links), row, version, cap))
    assert got is None or moving.stayed <= set(got)


@given(SIZES, st.integers(2, 7), scripts(GOES_TO_THE_TAIL, LEAVES), st.booleans())
def test_offset_pages_without_totals_lose_no_row_when_edited_rows_leave_or_go_to_the_tail(
    rows: int, cap: int, script: list[list[Move]], links: bool
) -> None:
    moving = MovingList(rows, script)
    got = got_or_refused(
        lambda: read_offset_pages(lambda at: moving.offset(at, cap, tells_total=False, links=links), row, version, cap)
    )
    assert got is None or moving.stayed <= set(got)


@pytest.mark.parametrize("fetches_before", [1, 2, 3])
def test_rows_given_one_at_a_time_without_a_total_are_read_until_two_readings_agree(fetches_before: int) -> None:
    # Nothing ties such pages together: that a row behind the one that leaves was passed over, none of them shows.
    moving = MovingList(5, [*[[]] * fetches_before, [Move("leaves", 0)]])
    got = rows_of(read_offset_pages(lambda at: moving.offset(at, 1, tells_total=False), row, version, 100))
    assert moving.stayed == {1, 2, 3, 4} <= set(got)


@given(SIZES, PAGE_SIZES, scripts(LEAVES, ENTERS), st.integers(-5, 9))
def test_offset_pages_lose_no_row_to_a_total_that_lies(rows: int, cap: int, script: list[list[Move]], lie: int) -> None:
    moving = MovingList(rows, script if cap > 1 else ())
    got = got_or_refused(lambda: read_offset_pages(lambda at: moving.offset(at, cap, lie=lie), row, version, cap))
    # A total of none for a list of some is the one lie that a first page contradicts by itself.
    assert got is None or moving.stayed <= set(got)


@given(SIZES, st.integers(2, 7), st.integers())
def test_offset_pages_of_a_server_that_orders_ties_anew_lose_no_row(rows: int, cap: int, seed: int) -> None:
    moving = MovingList(rows)
    got = got_or_refused(lambda: read_offset_pages(lambda at: moving.offset(at, cap, shuffle=seed), row, version, cap))
    assert got is None or moving.stayed <= set(got)


@given(
    SIZES,
    st.integers(1, 7),
    st.booleans(),
    st.booleans(),
    st.lists(st.one_of(ENTERS, LEAVES), max_size=3),
    st.data(),
)
def test_offset_pages_of_a_list_that_comes_to_rest_are_read(
    rows: int, cap: int, tells_total: bool, links: bool, moves: list[Move], data: st.DataObject
) -> None:
    script: list[list[Move]] = [[] for _ in range(12)]
    for move in moves:
        script[data.draw(st.integers(0, 11))].append(move)
    moving = MovingList(rows, script if cap > 1 else ())
    got = rows_of(
        read_offset_pages(
            lambda at: moving.offset(at, cap, tells_total=tells_total, links=links), row, version, max(cap, 2)
        )
    )
    assert moving.stayed <= set(got)


@settings(max_examples=30)
@given(st.integers(40, 300), st.integers(8, 50), st.booleans())
def test_an_offset_list_edited_at_every_single_request_is_read_whole(rows: int, cap: int, tells_total: bool) -> None:
    moving = MovingList(rows, [[Move("leaves", 0)]] * rows)
    got = rows_of(read_offset_pages(lambda at: moving.offset(at, cap, tells_total=tells_total), row, version, cap))
    assert moving.stayed <= set(got)


@pytest.mark.parametrize("cap", [1, 3, 7])
@pytest.mark.parametrize("tells_total", [True, False])
def test_a_server_that_caps_its_pages_below_the_limit_is_read_to_the_end(cap: int, tells_total: bool) -> None:
    moving = MovingList(23)
    got = rows_of(read_offset_pages(lambda at: moving.offset(at, cap, tells_total=tells_total), row, version, 100))
    assert sorted(set(got)) == list(range(23))


@pytest.mark.parametrize("told", [9, 13, 17])
def test_a_total_that_is_told_where_a_capped_page_ends_hides_no_row_behind_it(told: int) -> None:
    moving = MovingList(30)
    got = rows_of(read_offset_pages(lambda at: moving.offset(at, 5, lie=told - 30), row, version, 100))
    assert sorted(set(got)) == list(range(30))


def test_a_short_offset_list_with_a_total_takes_one_request() -> None:
    moving = MovingList(23)
    assert rows_of(read_offset_pages(lambda at: moving.offset(at, 100), row, version, 100)) == list(range(23))
    assert moving.fetches == 1


def test_the_row_that_ties_two_pages_together_is_received_once() -> None:
    moving = MovingList(25)
    assert rows_of(read_offset_pages(lambda at: moving.offset(at, 10), row, version, 10)) == list(range(25))
    assert moving.fetches == 3


def test_a_last_offset_page_that_is_exactly_full_ends_the_list() -> None:
    moving = MovingList(20)
    got = rows_of(read_offset_pages(lambda at: moving.offset(at, 10), row, version, 10))
    assert sorted(set(got)) == list(range(20))
    assert moving.fetches <= 4


@pytest.mark.parametrize("cap", [3, 7, 23])
def test_a_server_that_refuses_what_lies_behind_the_end_is_read_to_the_end(cap: int) -> None:
    moving = MovingList(23)

    def fetch(offset: int) -> OffsetPage:
        if offset >= 23:
            raise Refused(200, "refused with OCPI status 2001")
        return moving.offset(offset, cap, tells_total=False)

    assert rows_of(read_offset_pages(fetch, row, version, 100)) == list(range(23))


@pytest.mark.parametrize("refused_at", [0, 4, 5])
def test_a_refusal_before_the_end_fails_an_offset_list(refused_at: int) -> None:
    def fetch(offset: int) -> OffsetPage:
        if offset >= refused_at:
            raise Refused(404, "not found")
        return MovingList(23).offset(offset, 1 if refused_at == 5 else 5, tells_total=False)

    with pytest.raises(Refused):
        rows_of(read_offset_pages(fetch, row, version, 100))


def test_an_offset_list_whose_totals_go_to_and_fro_ends() -> None:
    moving = MovingList(40)
    totals = count()
    got = got_or_refused(
        lambda: read_offset_pages(lambda at: moving.offset(at, 1, lie=-(next(totals) % 2)), row, version, 1)
    )
    assert got is None or set(got) == set(range(40))
    assert moving.fetches < 1_000


def test_an_offset_list_that_never_ends_is_not_taken_for_one_that_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_PAGES", 30)
    asked = count()

    def fetch(offset: int) -> OffsetPage:
        next(asked)
        return OffsetPage(Page([offset, offset + 1], ASKED_AT), None, None)

    with pytest.raises(ReadingError, match="the list has no end"):
        rows_of(read_offset_pages(fetch, row, version, 2))
    assert next(asked) == 30


@pytest.mark.parametrize("rows", [1, 3, 150])
def test_a_server_that_ignores_the_offset_is_not_asked_for_ever(rows: int) -> None:
    asked = count()

    def fetch(offset: int) -> OffsetPage:
        next(asked)
        return OffsetPage(Page(list(range(rows)), ASKED_AT), None, None)

    with pytest.raises(ReadingError, match="the same rows come again and again"):
        rows_of(read_offset_pages(fetch, row, version, 100))
    assert next(asked) <= limits.MOST_PAGES_WITHOUT_NEWS + 2


def filtered_page(rows: int, hidden: range, offset: int, limit: int) -> OffsetPage:
    """A page of a server that filters rows out after it has cut the pages, and links to the next one."""
    shown = [number for number in range(offset, min(offset + limit, rows)) if number not in hidden]
    has_next = offset + limit < rows
    return OffsetPage(Page(shown, ASKED_AT), None, has_next, offset + limit if has_next else None)


@given(st.integers(0, 60), st.integers(2, 7), st.integers(0, 6), st.integers(0, 6))
def test_paging_goes_on_behind_pages_that_the_server_has_emptied(rows: int, limit: int, first: int, pages: int) -> None:
    hidden = range(first * limit, (first + pages) * limit)
    got = list(read_offset_pages(lambda offset: filtered_page(rows, hidden, offset, limit), row, version, limit))
    assert {item for page in got for item in page.objects} == {*range(rows)} - {*hidden}


@pytest.mark.parametrize("next_offset", [None, 0, 2])
def test_an_empty_page_whose_link_does_not_lead_on_is_refused(next_offset: int | None) -> None:
    def fetch(offset: int) -> OffsetPage:
        return OffsetPage(Page([0, 1][offset:], ASKED_AT), None, True, next_offset)

    with pytest.raises(ReadingError, match="does not say where that begins"):
        list(read_offset_pages(fetch, row, version, 2))


def test_a_list_of_empty_pages_that_link_on_for_ever_is_given_up() -> None:
    with pytest.raises(ReadingError, match="no end"):
        list(read_offset_pages(lambda offset: OffsetPage(Page([], ASKED_AT), None, True, offset + 2), row, version, 2))


def test_a_row_pulled_forward_over_the_end_of_a_list_of_one_row_a_page_is_read() -> None:
    rows = [0, 1, 2]

    def fetch(offset: int) -> OffsetPage:
        if len(rows) > 1:
            rows.pop(0)
        return OffsetPage(Page(rows[offset : offset + 1], ASKED_AT), None, None)

    assert 2 in [item for page in read_offset_pages(fetch, row, version, 5) for item in page.objects]


def test_a_row_that_an_edit_put_in_the_place_of_the_anchor_ties_nothing() -> None:
    # Rows 0 and 1 of 101 are edited between two pages and go to the tail: row 0 is then where the anchor was.
    moving = MovingList(101, [[], [Move("goes to the tail"), Move("goes to the tail")]])
    got = rows_of(read_offset_pages(lambda at: moving.offset(at, 100, tells_total=False), row, version, 100))
    assert set(got) == set(range(101))


def test_a_row_that_leaves_behind_a_page_of_nothing_but_the_anchor_pulls_none_out_of_sight() -> None:
    moving = MovingList(10, [[], [], [Move("leaves")]])
    caps = iter([5, 1])
    pages = read_offset_pages(lambda at: moving.offset(at, next(caps, 5), tells_total=False), row, version, 100)
    assert set(range(1, 10)) <= set(rows_of(pages))


def test_a_total_that_counts_the_rows_of_its_page_keeps_no_linked_row_from_being_read() -> None:
    moving = MovingList(50)

    def fetch(offset: int) -> OffsetPage:
        answer = moving.offset(offset, 20, links=True)
        return replace(answer, total_count=len(answer.page.objects))

    assert rows_of(read_offset_pages(fetch, row, version, 100)) == list(range(50))
    assert moving.fetches <= 5
