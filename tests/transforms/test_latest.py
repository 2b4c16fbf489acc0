from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms.latest import classify_receipts, winning_versions

RowsBuilder = Callable[..., pl.DataFrame]

EARLY = datetime(2026, 4, 1, tzinfo=UTC)
LATE = datetime(2026, 4, 2, tzinfo=UTC)


def winner(versions: pl.DataFrame) -> dict[str, Any]:
    return winning_versions(versions).row(0, named=True)


def test_the_newer_version_by_the_vendors_clock_wins_over_the_later_request(staged_sessions: RowsBuilder) -> None:
    versions = staged_sessions(
        {"version_at": LATE, "requested_at": EARLY, "content_hash": 1},
        {"version_at": EARLY, "requested_at": LATE, "content_hash": 2},
        {"version_at": None, "requested_at": LATE, "content_hash": 3},
    )
    assert winner(versions)["content_hash"] == 1


def test_the_later_request_wins_where_the_vendor_has_no_clock(staged_sessions: RowsBuilder) -> None:
    versions = staged_sessions({"requested_at": LATE, "content_hash": 1}, {"requested_at": EARLY, "content_hash": 2})
    assert winner(versions)["content_hash"] == 1


def test_closed_beats_open_on_a_tie(staged_sessions: RowsBuilder) -> None:
    versions = staged_sessions({"is_open": False, "content_hash": 1}, {"is_open": True, "content_hash": 2})
    assert winner(versions)["content_hash"] == 1


def test_the_larger_content_hash_settles_what_is_left(staged_sessions: RowsBuilder) -> None:
    assert winner(staged_sessions({"content_hash": -5}, {"content_hash": 3}))["content_hash"] == 3


@pytest.mark.parametrize("twins", [[{"read_at": EARLY}, {"read_at": LATE}], [{"scope": "all"}, {"scope": "user:1"}]])
def test_of_the_same_version_read_twice_the_same_row_counts_in_whatever_order(
    staged_sessions: RowsBuilder, twins: list[dict[str, Any]]
) -> None:
    assert_frame_equal(winning_versions(staged_sessions(*twins)), winning_versions(staged_sessions(*reversed(twins))))


def test_the_same_id_of_two_vendors_is_two_sessions(staged_sessions: RowsBuilder) -> None:
    assert winning_versions(staged_sessions({"vendor": "zaptec"}, {"vendor": "smappee"})).height == 2


def test_first_read_at_is_the_earliest_of_all_versions(staged_sessions: RowsBuilder) -> None:
    versions = staged_sessions(
        {"requested_at": LATE, "read_at": LATE, "first_read_at": LATE},
        {"requested_at": EARLY, "read_at": EARLY, "first_read_at": EARLY},
    )
    assert winner(versions)["read_at"] == LATE
    assert winner(versions)["first_read_at"] == EARLY


def test_a_session_keeps_its_location_when_a_scope_that_names_none_shows_it_last(staged_sessions: RowsBuilder) -> None:
    located = {"location_id": "I1", "located_at": EARLY, "requested_at": EARLY}
    assert winner(staged_sessions(located, {"requested_at": LATE}))["location_id"] == "I1"
    assert winner(staged_sessions(located, {"requested_at": LATE, "content_hash": 9}))["location_id"] == "I1"


def test_of_two_scopes_that_name_a_location_the_one_of_the_newest_run_counts(staged_sessions: RowsBuilder) -> None:
    before = {"location_id": "I1", "located_at": EARLY, "requested_at": EARLY}
    after = {"location_id": "I2", "located_at": LATE, "requested_at": LATE}
    assert winner(staged_sessions(before, after))["location_id"] == "I2"
    same_run = staged_sessions({**before, "requested_at": LATE}, {**after, "located_at": EARLY})
    assert winner(same_run)["location_id"] == "I1"


def test_a_location_that_the_session_itself_names_is_that_of_the_winner(staged_sessions: RowsBuilder) -> None:
    versions = staged_sessions({"location_id": "L1", "requested_at": EARLY}, {"requested_at": LATE})
    assert winner(versions)["location_id"] is None


_INSTANTS = st.sampled_from([EARLY, EARLY + timedelta(hours=1), LATE])
_PLACES = st.just({}) | st.fixed_dictionaries({"location_id": st.sampled_from("LM"), "located_at": _INSTANTS})
_VERSIONS = st.lists(
    st.fixed_dictionaries(
        {
            "session_id": st.sampled_from("ab"),
            "version_at": st.none() | _INSTANTS,
            "requested_at": _INSTANTS,
            "first_read_at": _INSTANTS,
            "read_at": _INSTANTS,
            "is_open": st.booleans(),
            "content_hash": st.integers(-2, 2),
            "scope": st.sampled_from(["all", "installation:1"]),
        }
    ).flatmap(lambda row: _PLACES.map(lambda place: row | place)),
    max_size=8,
)


@settings(max_examples=80)
@given(_VERSIONS, st.randoms(use_true_random=False), st.integers(0, 8))
def test_the_winner_depends_neither_on_order_nor_on_batches(
    staged_sessions: RowsBuilder, rows: list[dict[str, Any]], random: Any, cut: int
) -> None:
    at_once = winning_versions(staged_sessions(*rows))
    shuffled = random.sample(rows, len(rows))
    first_batch = winning_versions(staged_sessions(*shuffled[:cut]))
    in_batches = winning_versions(pl.concat([first_batch, staged_sessions(*shuffled[cut:])]))
    assert_frame_equal(at_once, in_batches)


KNOWN = pl.DataFrame(
    {"vendor": ["zaptec", "zaptec"], "object_id": ["a", "no-id-0000000000000007"], "content_hash": [1, 7]}
)


def outcomes(known: pl.DataFrame, *rows: tuple[str | None, int, datetime, int], loads: Sequence[int] = ()) -> list[str]:
    received = pl.DataFrame(
        [("zaptec", *row, load) for row, load in zip(rows, loads or [1] * len(rows), strict=True)],
        schema={
            "vendor": pl.String,
            "object_id": pl.String,
            "content_hash": pl.Int64,
            "requested_at": pl.Datetime("us", "UTC"),
            "position": pl.Int64,
            "load_number": pl.Int64,
        },
        orient="row",
    )
    classified = classify_receipts(known, received)
    assert classified.columns == [*received.columns, "outcome"]
    assert_frame_equal(classified.drop("outcome"), received)
    return classified["outcome"].to_list()


def test_a_row_is_new_once_and_then_unchanged_or_changed() -> None:
    rows = [("b", 1, EARLY, 0), ("b", 1, EARLY, 1), ("b", 2, EARLY, 2), ("b", 1, LATE, 0)]
    assert outcomes(KNOWN, *rows) == ["new", "unchanged", "changed", "changed"]


def test_a_known_object_is_compared_with_the_version_known() -> None:
    assert outcomes(KNOWN, ("a", 1, EARLY, 0)) == ["unchanged"]
    assert outcomes(KNOWN, ("a", 2, EARLY, 0)) == ["changed"]


def test_rows_are_taken_in_the_order_of_requests_whatever_the_order_received() -> None:
    assert outcomes(KNOWN.clear(), ("a", 2, LATE, 0), ("a", 2, EARLY, 5), ("a", 1, EARLY, 0)) == [
        "unchanged",
        "changed",
        "new",
    ]


def test_rows_of_one_answer_are_taken_in_their_order_there() -> None:
    assert outcomes(KNOWN, ("a", 1, EARLY, 7), ("a", 2, EARLY, 3)) == ["changed", "changed"]
    assert outcomes(KNOWN, ("a", 1, EARLY, 3), ("a", 2, EARLY, 7)) == ["unchanged", "changed"]


def test_rows_that_nothing_puts_in_order_come_to_the_same_in_any_order() -> None:
    one, other = ("a", 1, EARLY, 0), ("a", 2, EARLY, 0)
    assert outcomes(KNOWN, one, other) == outcomes(KNOWN, other, one)[::-1]


def test_the_same_id_of_two_vendors_is_two_objects() -> None:
    received = pl.DataFrame(
        [(vendor, "b", 1, EARLY, 0, 1) for vendor in ("zaptec", "smappee")],
        schema=["vendor", "object_id", "content_hash", "requested_at", "position", "load_number"],
        orient="row",
    )
    assert classify_receipts(KNOWN, received)["outcome"].to_list() == ["new", "new"]


def test_rows_of_an_earlier_load_come_first_whenever_they_were_asked_for() -> None:
    asked_late, asked_early = ("a", 1, LATE, 0), ("a", 1, EARLY, 0)
    assert outcomes(KNOWN.clear(), asked_late, asked_early, loads=[1, 2]) == ["new", "unchanged"]


def test_an_object_without_an_id_is_known_by_its_content() -> None:
    assert outcomes(KNOWN, (None, 7, EARLY, 0), (None, 8, EARLY, 1), (None, 8, EARLY, 2)) == [
        "unchanged",
        "new",
        "unchanged",
    ]


_RECEIVED = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", None, "no-id-0000000000000001"]),
        st.integers(-1, 2),
        st.sampled_from([EARLY, LATE]),
        st.integers(0, 2),
        st.integers(1, 3),
    ),
    max_size=10,
)
Received = list[tuple[str | None, int, datetime, int, int]]
"""Object, content, request, position and load."""


def classified(known: dict[str, int], rows: Received) -> Counter[tuple[Any, ...]]:
    held = pl.DataFrame(
        [("zaptec", object_id, content) for object_id, content in known.items()], KNOWN.schema, orient="row"
    )
    return Counter(zip(rows, outcomes(held, *(row[:4] for row in rows), loads=[row[4] for row in rows]), strict=True))


@settings(max_examples=60)
@given(_RECEIVED, st.integers(1, 4))
def test_outcomes_are_those_of_a_plain_count_load_by_load_and_together(rows: Received, cut: int) -> None:
    known: dict[str, int] = {}
    known_at_cut: dict[str, int] = {}
    expected: Counter[tuple[Any, ...]] = Counter()
    for row in sorted(rows, key=lambda row: (row[4], row[2], row[3], row[1])):
        object_id, content, _, _, load = row
        name = object_id or f"no-id-{content % 2**64:016x}"
        expected[row, "unchanged" if known.get(name) == content else "changed" if name in known else "new"] += 1
        known[name] = content
        if load < cut:
            known_at_cut[name] = content
    assert classified({}, rows) == expected
    first = classified({}, [row for row in rows if row[4] < cut])
    assert first + classified(known_at_cut, [row for row in rows if row[4] >= cut]) == expected
