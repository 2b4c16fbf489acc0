"""When what one reading has shown is proof. Each is a second thought of the readers, which others cover as a rule."""

import pytest

from pipelines.vendors.paging.list_pass import ListPass
from pipelines.vendors.paging.pages import NumberedPage, Page
from tests.pipelines.vendors.paging.histories_of_lists import row
from tests.pipelines.vendors.paging.moving_list import ASKED_AT

Answer = tuple[int, list[int]]
"""The total that is told, and the rows."""


def version_of(item: int) -> int:
    """Rows 2n and 2n + 1 are two versions of one object."""
    return item // 2


def reading(*answers: Answer, of_versions: bool = False) -> ListPass:
    made = ListPass(versions=[] if of_versions else None)
    rows = 0
    for total, objects in answers:
        made.fall(total)
        rows += len(objects)
        made.take(objects, version_of if of_versions else row, rows)
    return made


def test_known_rows_are_left_unread_only_under_a_total_that_has_stayed_the_same() -> None:
    known = frozenset(range(2, 20))
    first_two = reading((20, [0, 1, 2]), (20, [3, 4, 5]))
    assert first_two.lacks_only(known)
    assert not reading((21, [0, 1, 2]), (20, [3, 4, 5])).lacks_only(known)
    assert not reading((19, [0, 1, 2]), (20, [3, 4, 5])).lacks_only(known)


@pytest.mark.parametrize(("total", "is_worth_it"), [(9, False), (10, True)])
def test_known_rows_are_left_unread_only_where_more_than_two_pages_are_left(total: int, is_worth_it: bool) -> None:
    assert reading((total, [0, 1, 2])).lacks_only(frozenset(range(2, total))) == is_worth_it


@pytest.mark.parametrize(
    ("rows", "total", "is_borne_out"), [([18, 19], 20, True), ([18, 19], 21, False), ([19], 20, False)]
)
def test_a_last_page_bears_out_a_total_that_it_tells_itself_and_that_leaves_it_as_many_rows(
    rows: list[int], total: int, is_borne_out: bool
) -> None:
    last = NumberedPage(Page(rows, ASKED_AT), total, 7)
    assert reading((20, [0, 1, 2])).ends_with(last) == is_borne_out


@pytest.mark.parametrize(
    ("totals_before", "totals", "is_proof"),
    [
        ((3, 3), (3, 3), True),
        ((3, 3), (4, 3), False),
        ((4, 3), (3, 3), False),
        ((4, 4), (3, 3), False),
        ((4, 4), (4, 4), False),
    ],
)
def test_versions_that_come_again_are_proof_only_under_one_total_that_counts_them_all_the_while(
    totals_before: tuple[int, int], totals: tuple[int, int], is_proof: bool
) -> None:
    """Two versions of one row on different pages: by their keys they are a row too few."""
    before, again = (
        reading((first, [0, 2]), (second, [1]), of_versions=True) for first, second in (totals_before, totals)
    )
    assert again.is_whole(before) == is_proof
