"""What tells the rows of a list from each other."""

import pytest

from pipelines.vendors.paging.pages import key_by_id


def test_a_row_is_known_by_its_id_whatever_else_of_it_changes() -> None:
    key = key_by_id("id")
    assert key({"id": 7, "kwh": 1}) == key({"id": "7", "kwh": 2}) != key({"id": 8, "kwh": 1})


@pytest.mark.parametrize("nothing", [{}, {"id": None}, {"id": ""}])
def test_rows_without_an_id_are_not_taken_for_one_row(nothing: dict[str, object]) -> None:
    key = key_by_id("id")
    assert key({**nothing, "kwh": 1}) == key({**nothing, "kwh": 1}) != key({**nothing, "kwh": 2})
    assert key("no object") != key("nor this")
