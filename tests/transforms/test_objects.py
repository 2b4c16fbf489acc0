import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.objects import decode_objects

FIELDS = pl.Struct({"id": pl.String, "energy": pl.String, "user": pl.Struct({"id": pl.String})})


def decode(*payloads: str | None) -> pl.DataFrame:
    return decode_objects(pl.Series(payloads, dtype=pl.String), FIELDS, ["id"])


@pytest.mark.parametrize(
    ("value", "text"), [("1.5", "1.5"), ('"1.5"', "1.5"), ("48213", "48213"), ("true", "true"), ("null", None)]
)
def test_a_value_is_text_however_the_vendor_writes_it(value: str, text: str | None) -> None:
    assert decode(f'{{"energy":{value}}}').row(0, named=True) == {
        "id": None,
        "energy": text,
        "user": None,
        "is_decodable": True,
    }


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "   ",
        "nope",
        "null",
        "[]",
        "7",
        '"id"',
        '{"id":"a"',
        '{"id":{"a":1}}',
        '{"id":[1]}',
        '{"id":{"a":1},"user":"x"}',
        '{"id":1},{"id":2}',
        '{"energy":1e400}',
        None,
    ],
)
def test_an_object_of_another_shape_is_alone_in_not_being_decodable(payload: str | None) -> None:
    decoded = decode('{"id":"before"}', payload, '{"id":"after"}')
    assert decoded["is_decodable"].to_list() == [True, False, True]
    assert decoded["id"].to_list() == ["before", None, "after"]


@pytest.mark.parametrize(
    "misfit",
    ['"user":"x"', '"user":""', '"user":7', '"user":[]', '"user":{"id":{}}', '"user":{"id":[1]}', '"energy":{"kwh":1}'],
)
def test_a_field_of_another_shape_is_absent_where_the_object_means_something_without_it(misfit: str) -> None:
    decoded = decode('{"id":1.50,"energy":2.50}', f'{{"id":"odd",{misfit}}}', '{"id":7,"user":{"id":"u"}}')
    assert decoded["is_decodable"].all()
    assert decoded["id"].to_list() == ["1.5", "odd", "7"]
    assert decoded["energy"].to_list() == ["2.5", None, None]
    assert decoded["user"].to_list() == [None, None, {"id": "u"}]


def test_the_other_fields_of_an_object_that_lacks_an_essential_one_are_read() -> None:
    decoded = decode('{"id":"before"}', '{"id":[1],"energy":2.50,"user":"x"}', '{"id":"after"}')
    assert decoded["is_decodable"].to_list() == [True, False, True]
    assert decoded["energy"].to_list() == [None, "2.5", None]


def test_two_halves_of_an_object_do_not_become_one_row() -> None:
    assert decode('{"id":"a', 'b"}', '{"id":"c"}')["is_decodable"].to_list() == [False, False, True]


def test_two_objects_in_one_payload_do_not_make_up_for_an_empty_one() -> None:
    assert decode("", '{"id":1},{"id":2}', '{"id":3}')["id"].to_list() == [None, None, "3"]


def test_no_objects_give_no_rows_with_the_same_columns() -> None:
    assert decode().schema == decode("{}").schema


def test_odd_objects_far_apart_in_a_long_column_are_found() -> None:
    payloads = [json.dumps({"id": row}) for row in range(40_000)]
    odd = [0, 16_383, 16_384, 30_001, 39_999]
    for row in odd:
        payloads[row] = '{"id":{}}'
    decoded = decode(*payloads)
    assert decoded.filter(~pl.col("is_decodable")).height == len(odd)
    assert decoded["id"].to_list() == [None if row in odd else str(row) for row in range(40_000)]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "user", "x"]), inner),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.lists(_JSON.map(json.dumps) | st.text(alphabet='{}[]":,id \n', max_size=12), max_size=20))
def test_every_payload_gives_one_row_and_each_is_decoded_as_if_alone(payloads: list[str]) -> None:
    together = decode(*payloads)
    assert together.height == len(payloads)
    assert together.rows() == [decode(payload).row(0) for payload in payloads]
