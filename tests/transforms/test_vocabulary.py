from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.vendors import STAGINGS
from transforms.vocabulary import SEEN, new_vocabulary, paths, seen_fields, seen_words, with_claims
from warehouse.tables.operations import Vocabulary

RowsBuilder = Callable[..., pl.DataFrame]

FIRST = datetime(2026, 3, 1, tzinfo=UTC)
LATER = FIRST + timedelta(days=1)
NOTHING_KNOWN = Vocabulary.create_empty()


def fields(*rows: tuple[str, str, str, datetime]) -> pl.DataFrame:
    schema = {"vendor": pl.String, "endpoint": pl.String, "field": pl.String, "seen_at": SEEN["seen_at"]}
    return seen_fields(pl.DataFrame(rows, schema=schema, orient="row"))


def words(staged: pl.DataFrame, *endpoints: tuple[str, str]) -> list[tuple[object, ...]]:
    received = pl.DataFrame(endpoints, schema=["vendor", "endpoint"], orient="row")
    return sorted(seen_words(received, staged).rows())


def test_paths_name_what_is_inside_objects_and_lists() -> None:
    session = STAGINGS["greenflux", "cdrs"].fields
    assert {"id", "location", "location.evses.connectors.id", "charging_periods.dimensions.volume"} <= set(
        paths(session)
    )


def test_a_field_is_claimed_where_a_transform_reads_it() -> None:
    seen = fields(
        ("zaptec", "sessions", "energyDetails.timestamp", FIRST),
        ("zaptec", "sessions", "carbonIntensity", FIRST),
        ("zaptec", "chargers", "energyDetails.timestamp", FIRST),
    )
    found = new_vocabulary(NOTHING_KNOWN, seen)
    assert found.select("endpoint", "name", "is_claimed").rows() == [
        ("chargers", "energyDetails.timestamp", False),
        ("sessions", "carbonIntensity", False),
        ("sessions", "energyDetails.timestamp", True),
    ]
    Vocabulary.validate(found)


@pytest.mark.parametrize("place", list(STAGINGS), ids=str)
def test_every_field_that_is_decoded_is_claimed(place: tuple[str, str]) -> None:
    found = new_vocabulary(NOTHING_KNOWN, fields(*((*place, path, FIRST) for path in paths(STAGINGS[place].fields))))
    assert found.height
    assert found["is_claimed"].all()


def test_what_is_known_is_not_told_again_and_the_first_sight_counts() -> None:
    row = ("jedlix", "users", "nickname")
    known = new_vocabulary(NOTHING_KNOWN, fields((*row, LATER), (*row, FIRST)))
    assert known["first_seen_at"].to_list() == [FIRST]
    assert new_vocabulary(known, fields((*row, LATER))).is_empty()


def test_a_claim_is_that_of_today() -> None:
    stored = new_vocabulary(NOTHING_KNOWN, fields(("jedlix", "users", "id", FIRST))).with_columns(is_claimed=False)
    assert with_claims(stored)["is_claimed"].to_list() == [True]


def test_only_words_that_nobody_knows_are_told(staged_sessions: RowsBuilder) -> None:
    staged = staged_sessions(
        {"vendor": "jedlix", "vendor_status": "COMPLETE", "read_at": FIRST},
        {"vendor": "jedlix", "vendor_status": "Paused", "read_at": LATER},
        {"vendor": "jedlix", "vendor_status": "Paused", "read_at": FIRST},
        {"vendor": "jedlix", "vendor_status": None, "read_at": FIRST},
        {"vendor": "smappee", "vendor_status": "suspended", "is_open": True, "read_at": FIRST},
        {"vendor": "smappee", "vendor_status": "FINISHED", "is_open": True, "read_at": FIRST},
        {"vendor": "zaptec", "vendor_status": "Paused", "read_at": FIRST},
    )
    endpoints = [("jedlix", "sessions")] * 4 + [("smappee", "open_sessions")] * 2 + [("zaptec", "sessions")]
    assert words(staged, *endpoints) == [
        ("jedlix", "sessions", "word", "status=Paused", FIRST),
        ("smappee", "open_sessions", "word", "status=FINISHED", FIRST),
    ]


def test_a_word_is_never_claimed(staged_sessions: RowsBuilder) -> None:
    staged = staged_sessions({"vendor": "jedlix", "vendor_status": "Paused", "status": "unknown"})
    received = pl.DataFrame([("jedlix", "sessions")], schema=["vendor", "endpoint"], orient="row")
    assert new_vocabulary(NOTHING_KNOWN, seen_words(received, staged))["is_claimed"].to_list() == [False]


@pytest.mark.parametrize(
    "word", ["Active", "Complete", "ForceEnded", "INITIAL", "STARTED", "CHARGING", "SUSPENDED", "STOPPING", "STOPPED"]
)
def test_the_vendors_own_words_are_known(word: str) -> None:
    assert any(word.lower() in staging.status_words for staging in STAGINGS.values())
