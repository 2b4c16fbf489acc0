"""Rows that are in a list several times: on one page, as versions, permanently or because the list moved."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from pipelines.vendors.paging.numbered import read_numbered_pages
from pipelines.vendors.paging.offset import read_offset_pages
from pipelines.vendors.paging.pages import NumberedPage, OffsetPage, Page
from tests.pipelines.vendors.paging.histories_of_lists import (
    ENTERS_AT_THE_HEAD,
    GOES_TO_THE_TAIL,
    LEAVES,
    PAGE_SIZES,
    SIZES,
    got_or_refused,
    row,
    scripts,
    version,
)
from tests.pipelines.vendors.paging.moving_list import ASKED_AT, EDITED, Move, MovingList, rows_of


def test_rows_that_share_a_key_in_one_answer_are_different_rows() -> None:
    keys = [1, 2, 2, 3, 3, 3]
    numbered = NumberedPage(Page(keys, ASKED_AT), 6, 1)
    assert rows_of(read_numbered_pages(lambda number: numbered, row)) == keys
    assert (
        rows_of(read_offset_pages(lambda at: OffsetPage(Page(keys[at:], ASKED_AT), 6, None), row, version, 100)) == keys
    )


def object_of(item: int) -> int:
    """Rows 2n and 2n + 1 are two versions of one object."""
    return item % EDITED // 2


def whole(item: int) -> int:
    """Two versions of an object differ, whether or not an edit moved one."""
    return item


def test_two_versions_of_a_row_that_a_list_holds_for_good_are_both_read() -> None:
    versions = [1, 2, 3, 4, 5, 6, 0]
    for total in (7, None):
        got = read_numbered_pages(
            lambda n, total=total: NumberedPage(Page(versions[3 * n - 3 : 3 * n], ASKED_AT), total, 3), object_of
        )
        assert set(rows_of(got)) == set(versions)
    got = read_offset_pages(lambda at: OffsetPage(Page(versions[at : at + 3], ASKED_AT), 7, None), object_of, whole, 3)
    assert set(rows_of(got)) == set(versions)


def test_a_row_that_ties_two_pages_together_is_received_again_where_it_was_edited_in_between() -> None:
    answers = iter([(0, [2, 4]), (1, [5, 6]), (0, [2, 5]), (1, [5, 6]), (2, [6])])

    def fetch(offset: int) -> OffsetPage:
        expected, rows = next(answers)
        assert offset == expected
        return OffsetPage(Page(rows, ASKED_AT), 3, None)

    assert rows_of(read_offset_pages(fetch, object_of, whole, 2)) == [2, 4, 2, 5, 6]


@given(SIZES, PAGE_SIZES, scripts(ENTERS_AT_THE_HEAD, LEAVES), st.booleans(), st.none() | st.integers())
def test_numbered_pages_lose_no_object_of_a_row(
    rows: int, size: int, script: list[list[Move]], tells_total: bool, seed: int | None
) -> None:
    script = script if seed is None else []
    moving = MovingList(rows, script)

    def fetch(number: int) -> NumberedPage:
        return moving.numbered(number, size, tells_total=tells_total, shuffle=seed)

    got = got_or_refused(lambda: read_numbered_pages(fetch, object_of))
    # Without totals, only a changed order shows that one row left as another entered.
    is_noticeable = tells_total or not any(move.kind == "enters" for moves in script for move in moves)
    assert got is None or not is_noticeable or moving.stayed <= set(got)


@given(SIZES, st.integers(2, 7), scripts(GOES_TO_THE_TAIL), st.booleans(), st.none() | st.integers())
def test_offset_pages_lose_no_object_of_a_row(
    rows: int, cap: int, script: list[list[Move]], links: bool, seed: int | None
) -> None:
    moving = MovingList(rows, script)
    got = got_or_refused(
        lambda: read_offset_pages(lambda at: moving.offset(at, cap, links=links, shuffle=seed), object_of, whole, cap)
    )
    assert got is None or moving.stayed <= set(got)


@given(st.integers(4, 24), st.integers(2, 7), st.booleans(), st.booleans())
def test_versions_on_any_pages_are_read(rows: int, size: int, numbered: bool, tells_total: bool) -> None:
    moving = MovingList(rows)
    # Puts the versions of an object on different pages.
    moving.rows.sort(key=lambda item: (item % 2, item))

    def pages() -> Iterator[Page]:
        if numbered:
            return read_numbered_pages(lambda n: moving.numbered(n, size, tells_total=tells_total), object_of)
        return read_offset_pages(lambda at: moving.offset(at, size, tells_total=tells_total), object_of, whole, size)

    assert set(rows_of(pages())) == set(range(rows))
