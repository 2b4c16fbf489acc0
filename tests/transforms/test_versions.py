from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms.versions import distinct_versions, with_validity
from warehouse.tables.staging import StagedVehicle

KEY = ["vendor", "vehicle_id"]
ATTRIBUTES = ["user_id", "brand", "model", "version"]
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def vehicles(
    *rows: tuple[datetime, str], is_clocked: bool = False, requested_at: datetime | None = None
) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "vendor": "jedlix",
                "vehicle_id": "v",
                "brand": brand,
                "version_at": version_at,
                "is_clocked": is_clocked,
                "read_at": requested_at or version_at,
                "requested_at": requested_at or version_at,
            }
            for version_at, brand in rows
        ],
        schema=StagedVehicle.create_empty().schema,
    )


def new_brands(known: pl.DataFrame, received: pl.DataFrame) -> list[str]:
    return distinct_versions(known, received, KEY, ATTRIBUTES)["brand"].to_list()


def test_an_unclocked_version_is_new_only_where_it_differs_from_the_one_before() -> None:
    received = vehicles((FIRST, "A"), (FIRST + DAY, "A"), (FIRST + 2 * DAY, "B"), (FIRST + 3 * DAY, "A"))
    assert new_brands(vehicles(), received) == ["A", "B", "A"]
    assert new_brands(vehicles((FIRST - DAY, "A")), received) == ["B", "A"]


def test_a_clocked_version_is_new_even_where_nothing_but_its_time_differs() -> None:
    known = vehicles((FIRST, "A"), is_clocked=True)
    received = vehicles((FIRST, "A"), (FIRST + DAY, "A"), (FIRST + DAY, "A"), (FIRST, "B"), is_clocked=True)
    assert sorted(new_brands(known, received)) == ["A", "B"]


def test_an_edit_taken_back_under_the_same_clock_is_kept() -> None:
    versions = [
        vehicles((FIRST, brand), is_clocked=True, requested_at=FIRST + requested * DAY)
        for requested, brand in enumerate("ABA")
    ]
    assert new_brands(versions[0], pl.concat(versions[1:])) == ["B", "A"]


def history(versions: pl.DataFrame) -> list[tuple[Any, ...]]:
    columns = ["brand", "valid_from", "valid_to", "is_current"]
    return with_validity(versions, KEY, ATTRIBUTES).select(columns).rows()


def test_versions_hold_until_the_next_that_differs() -> None:
    versions = vehicles((FIRST + 2 * DAY, "B"), (FIRST, "A"), (FIRST + DAY, "A"))
    assert history(versions) == [("A", FIRST, FIRST + 2 * DAY, False), ("B", FIRST + 2 * DAY, None, True)]


def test_of_versions_that_begin_at_once_the_last_requested_holds() -> None:
    earlier = vehicles((FIRST, "B"), requested_at=FIRST)
    later = vehicles((FIRST, "A"), requested_at=FIRST + DAY)
    assert history(pl.concat([later, earlier])) == [("A", FIRST, None, True)]


def clocked(*rows: tuple[int, int, str]) -> pl.DataFrame:
    """Versions as (day of the clock, day of the reading, brand)."""
    return pl.concat(
        [
            vehicles((FIRST + clock * DAY, brand), is_clocked=True, requested_at=FIRST + read * DAY)
            for clock, read, brand in rows
        ]
    )


def test_an_edit_that_leaves_the_clock_as_it_was_begins_when_it_was_read() -> None:
    """As with a GreenFlux location that has only `created`."""
    versions = clocked((0, 5, "A"), (0, 6, "A"), (0, 7, "B"), (0, 9, "A"))
    assert history(versions) == [
        ("A", FIRST, FIRST + 7 * DAY, False),
        ("B", FIRST + 7 * DAY, FIRST + 9 * DAY, False),
        ("A", FIRST + 9 * DAY, None, True),
    ]


def test_an_edit_read_when_the_clock_had_gone_on_takes_the_place_of_the_one_before() -> None:
    versions = clocked((0, 5, "A"), (0, 7, "B"), (6, 8, "C"))
    assert history(versions) == [("B", FIRST, FIRST + 6 * DAY, False), ("C", FIRST + 6 * DAY, None, True)]


def test_an_edit_read_too_late_follows_the_edits_read_in_time() -> None:
    versions = clocked((0, 1, "A"), (0, 2, "A"), (0, 3, "B"), (0, 7, "C"), (6, 8, "D"))
    assert history(versions) == [
        ("A", FIRST, FIRST + 3 * DAY, False),
        ("C", FIRST + 3 * DAY, FIRST + 6 * DAY, False),
        ("D", FIRST + 6 * DAY, None, True),
    ]


def unclocked(*rows: tuple[int, str]) -> pl.DataFrame:
    """Versions as (day of the reading, brand)."""
    return pl.concat([vehicles((FIRST + read * DAY, brand)) for read, brand in rows])


def test_a_version_that_its_clock_places_between_readings_without_one_is_current_in_batches_as_at_once() -> None:
    first, second = unclocked((0, "A"), (4, "A")), clocked((2, 5, "B"))
    at_once = distinct_versions(vehicles(), pl.concat([first, second]), KEY, ATTRIBUTES)
    known = distinct_versions(vehicles(), first, KEY, ATTRIBUTES)
    in_batches = pl.concat([known, distinct_versions(known, second, KEY, ATTRIBUTES)])
    assert (
        history(at_once)
        == history(in_batches)
        == [
            ("A", FIRST, FIRST + 2 * DAY, False),
            ("B", FIRST + 2 * DAY, None, True),
        ]
    )


_BOTH = "now with a clock, now without"
_ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(0, 4),
        st.integers(0, 4),
        st.integers(0, 1),
        st.sampled_from(["A", "B", None]),
        st.sampled_from(["clocked", "unclocked", _BOTH]),
    ),
    max_size=10,
)
Rows = list[tuple[int | None, int, int, str | None, str]]
"""Day of the vendor's clock, day of the run, request of the run, brand, vehicle."""


def frame(rows: Rows) -> pl.DataFrame:
    versions = []
    for at, read, request, brand, vehicle_id in rows:
        clock = {"clocked": at or 0, "unclocked": None}.get(vehicle_id, at)
        versions.append(
            {
                "vendor": "jedlix",
                "vehicle_id": vehicle_id,
                "brand": brand,
                # Without a vendor's clock, a version begins when it is read.
                "version_at": FIRST + (read if clock is None else clock) * DAY,
                "is_clocked": clock is not None,
                "read_at": FIRST + read * DAY,
                "requested_at": FIRST + read * DAY + request * HOUR,
            }
        )
    return pl.DataFrame(versions, schema=StagedVehicle.create_empty().schema)


@settings(max_examples=80)
@given(_ROWS, st.randoms(use_true_random=False))
def test_history_never_depends_on_the_order_of_rows(rows: Rows, random: Any) -> None:
    shuffled = random.sample(rows, len(rows))
    assert_frame_equal(with_validity(frame(rows), KEY, ATTRIBUTES), with_validity(frame(shuffled), KEY, ATTRIBUTES))


@settings(max_examples=80)
@given(_ROWS)
def test_validities_touch_and_never_overlap_and_one_is_current(rows: Rows) -> None:
    for _, versions in with_validity(frame(rows), KEY, ATTRIBUTES).group_by(KEY):
        ordered = versions.sort("valid_from")
        assert ordered["valid_to"].to_list() == [*ordered["valid_from"].to_list()[1:], None]
        assert ordered["is_current"].to_list() == [False] * (ordered.height - 1) + [True]


@settings(max_examples=80)
@given(_ROWS, st.tuples(st.integers(0, 4), st.integers(0, 1)))
def test_batches_in_the_order_of_time_keep_what_one_batch_keeps(rows: Rows, cut: tuple[int, int]) -> None:
    none = vehicles()
    at_once = distinct_versions(none, frame(rows), KEY, ATTRIBUTES)
    first = distinct_versions(none, frame([row for row in rows if row[1:3] < cut]), KEY, ATTRIBUTES)
    second = distinct_versions(first, frame([row for row in rows if row[1:3] >= cut]), KEY, ATTRIBUTES)
    assert_frame_equal(
        with_validity(at_once, KEY, ATTRIBUTES), with_validity(pl.concat([first, second]), KEY, ATTRIBUTES)
    )


@settings(max_examples=80)
@given(_ROWS)
def test_history_of_the_versions_kept_is_the_history_of_all(rows: Rows) -> None:
    # A repeat of a version read without a clock is not kept, even if a clock places another version in between.
    rows = [row for row in rows if row[4] != _BOTH]
    kept = distinct_versions(vehicles(), frame(rows), KEY, ATTRIBUTES)
    assert_frame_equal(with_validity(kept, KEY, ATTRIBUTES), with_validity(frame(rows), KEY, ATTRIBUTES))


@settings(max_examples=40)
@given(_ROWS)
def test_what_was_kept_is_never_new_again(rows: Rows) -> None:
    kept = distinct_versions(vehicles(), frame(rows), KEY, ATTRIBUTES)
    assert distinct_versions(kept, kept, KEY, ATTRIBUTES).height == 0


@settings(max_examples=80)
@given(_ROWS)
def test_the_current_version_is_the_newest_by_the_vendors_clock_and_then_by_request(rows: Rows) -> None:
    versions = frame(rows)
    current = with_validity(versions, KEY, ATTRIBUTES).filter("is_current")
    newest = versions
    for column in ("version_at", "requested_at"):
        newest = newest.filter(pl.col(column) == pl.col(column).max().over(KEY))
    assert current.height == versions["vehicle_id"].n_unique()
    # Of several versions in one answer, any may be current.
    assert current.join(newest, on=[*KEY, "brand"], how="semi", nulls_equal=True).height == current.height
