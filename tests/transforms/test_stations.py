from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from transforms.stations import station_links, station_locations, with_station

RowsBuilder = Callable[..., pl.DataFrame]

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def test_an_evse_belongs_to_the_station_that_showed_it_last(staged_stations: RowsBuilder) -> None:
    stations = staged_stations(
        {"station_id": "A", "evses": {"E": ["1"]}, "version_at": JANUARY},
        {"station_id": "B", "evses": {"E": ["1"]}, "version_at": FEBRUARY},
        # A newer version of a station without the EVSE takes it from nobody.
        {"station_id": "C", "evses": {}, "version_at": FEBRUARY},
    )
    assert station_links(stations).rows() == [("greenflux", "E", "B")]


def test_an_evse_of_two_stations_at_once_belongs_to_the_smaller_id(staged_stations: RowsBuilder) -> None:
    stations = staged_stations({"station_id": "B", "evses": {"E": ["1"]}}, {"station_id": "A", "evses": {"E": ["1"]}})
    assert station_links(stations).rows() == [("greenflux", "E", "A")]


def test_a_station_stood_at_its_first_location_before_it_was_known_and_stands_at_its_last(
    staged_stations: RowsBuilder,
) -> None:
    stations = staged_stations(
        {"location_id": "new", "version_at": FEBRUARY},
        {"location_id": None, "version_at": JANUARY - timedelta(days=1)},
        {"location_id": "old", "version_at": JANUARY},
        {"location_id": None, "version_at": FEBRUARY + timedelta(days=1)},
    )
    assert station_locations(stations).rows() == [
        ("greenflux", "S1", "old", None, FEBRUARY),
        ("greenflux", "S1", "new", FEBRUARY, None),
    ]


def test_a_session_is_where_its_station_stood_when_it_began(
    staged_sessions: RowsBuilder, staged_stations: RowsBuilder
) -> None:
    stations = staged_stations(
        {"location_id": "old", "version_at": JANUARY}, {"location_id": "new", "version_at": FEBRUARY}
    )
    starts = (JANUARY - timedelta(days=9), JANUARY, FEBRUARY - timedelta(milliseconds=1), FEBRUARY, None)
    sessions = staged_sessions(
        *({"vendor": "greenflux", "station_id": "S1", "started_at": started_at} for started_at in starts)
    )
    linked = with_station(sessions, station_links(stations), station_locations(stations))
    assert linked["location_id"].to_list() == ["old", "old", "old", "new", "new"]
    assert linked["started_at"].to_list() == list(starts)


@pytest.mark.parametrize("newest", [{"version_at": FEBRUARY, "requested_at": JANUARY}, {"requested_at": FEBRUARY}])
def test_the_newest_version_is_that_of_the_vendors_clock_and_then_the_last_requested(
    staged_stations: RowsBuilder, newest: dict[str, datetime]
) -> None:
    older = {"version_at": JANUARY, "requested_at": FEBRUARY if "version_at" in newest else JANUARY}
    links = station_links(
        staged_stations(
            {"station_id": "A", "evses": {"E": ["1"]}, **older},
            {"station_id": "B", "evses": {"E": ["1"]}, **older, **newest},
        )
    )
    assert links.rows() == [("greenflux", "E", "B")]


def test_a_session_gets_its_station_through_the_evse_and_its_location_through_the_station(
    staged_sessions: RowsBuilder, staged_stations: RowsBuilder
) -> None:
    stations = staged_stations({"evses": {"E": ["1"]}}, {"vendor": "zaptec", "station_id": "Z", "location_id": "I"})
    sessions = staged_sessions(
        {"vendor": "greenflux", "evse_uid": "E"},
        {"vendor": "greenflux", "evse_uid": "E", "location_id": "own"},
        {"vendor": "greenflux", "evse_uid": "unknown"},
        {"vendor": "zaptec", "station_id": "Z"},
        {"vendor": "smappee", "station_id": "Z"},
    )
    linked = with_station(sessions, station_links(stations), station_locations(stations))
    assert linked.schema == sessions.schema
    assert linked.select("station_id", "location_id").rows() == [
        ("S1", "L1"),
        ("S1", "own"),
        (None, None),
        ("Z", "I"),
        ("Z", None),
    ]


_SHOWN = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.sampled_from([None, "L1", "L2"]),
        st.sampled_from([JANUARY, FEBRUARY]),
        st.sampled_from([JANUARY, FEBRUARY]),
        st.sets(st.sampled_from("EF")),
    ),
    max_size=6,
)


@settings(max_examples=40)
@given(_SHOWN, st.randoms(use_true_random=False))
def test_links_depend_on_no_order_and_keep_every_session_as_it_is(
    staged_sessions: RowsBuilder, staged_stations: RowsBuilder, shown: list[tuple[Any, ...]], random: Random
) -> None:
    def stations(rows: list[tuple[Any, ...]]) -> pl.DataFrame:
        names = ("station_id", "location_id", "version_at", "requested_at")
        return staged_stations(
            *(
                {**dict(zip(names, row[:4], strict=True)), "evses": {uid: ["1"] for uid in sorted(row[4])}}
                for row in rows
            )
        )

    versions, shuffled = stations(shown), stations(random.sample(shown, len(shown)))
    links, locations = station_links(versions), station_locations(versions)
    assert_frame_equal(links, station_links(shuffled))
    assert_frame_equal(locations, station_locations(shuffled))
    sessions = staged_sessions(
        *(
            {"vendor": "greenflux", "evse_uid": uid, "station_id": station_id, "location_id": location_id}
            for uid in ("E", "F", "G", None)
            for station_id in ("A", "C", None)
            for location_id in ("L9", None)
        )
    )
    linked = with_station(sessions, links, locations)
    filled_in = ["station_id", "location_id"]
    assert_frame_equal(linked.drop(filled_in), sessions.drop(filled_in))
    for name in filled_in:
        given_by_itself = sessions[name].is_not_null()
        assert linked[name].filter(given_by_itself).equals(sessions[name].filter(given_by_itself))
    assert_frame_equal(with_station(linked, links, locations), linked)
