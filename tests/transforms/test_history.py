import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import dataframely as dy
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.transforms.drawn_objects import ANY_JSON, objects
from transforms.history import dim_charge_station, dim_connector, dim_location, dim_user, dim_vehicle
from transforms.vendors import STAGINGS
from warehouse.tables.dimensions import DimChargeStation, DimConnector, DimLocation, DimUser, DimVehicle
from warehouse.tables.staging import StagedLocation, StagedUser, StagedVehicle

RowsBuilder = Callable[..., pl.DataFrame]
Dimension = Callable[[pl.DataFrame], pl.DataFrame]

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)


def test_a_station_that_moves_has_two_versions_and_the_newer_is_current(staged_stations: RowsBuilder) -> None:
    stations = dim_charge_station(
        staged_stations({"location_id": "L2", "version_at": FEBRUARY}, {"location_id": "L1", "version_at": JANUARY})
    )
    DimChargeStation.validate(stations)
    assert stations.select("location_id", "valid_from", "valid_to", "is_current").rows() == [
        ("L1", JANUARY, FEBRUARY, False),
        ("L2", FEBRUARY, None, True),
    ]


def test_a_change_of_connectors_alone_is_no_version_of_the_station(staged_stations: RowsBuilder) -> None:
    versions = staged_stations(
        {"evses": {"E1": ["1"]}, "version_at": JANUARY}, {"evses": {"E1": ["1", "2"]}, "version_at": FEBRUARY}
    )
    assert dim_charge_station(versions).height == 1


def test_a_connector_missing_from_a_newer_version_stays_current(staged_stations: RowsBuilder) -> None:
    connectors = dim_connector(
        staged_stations(
            {"evses": {"E1": ["1", "2"]}, "version_at": JANUARY},
            {"evses": {"E1": ["1"], "E2": ["1"]}, "version_at": FEBRUARY},
        )
    )
    DimConnector.validate(connectors)
    assert connectors.select("evse_uid", "connector_id", "valid_from", "is_current").rows() == [
        ("E1", "1", JANUARY, True),
        ("E1", "2", JANUARY, True),
        ("E2", "1", FEBRUARY, True),
    ]


def test_an_evse_without_a_public_id_is_named_by_its_uid(staged_stations: RowsBuilder) -> None:
    assert dim_connector(staged_stations({"evses": {"E1": ["1"]}}))["evse_id"].to_list() == ["E1"]


def test_an_evse_without_a_uid_is_known_by_its_public_id(staged_stations: RowsBuilder) -> None:
    connectors = [{"evse_uid": None, "evse_id": "NL*1", "connector_id": "1"}]
    known = dim_connector(staged_stations({"connectors": connectors}))
    assert known.select("evse_uid", "evse_id").rows() == [("NL*1", "NL*1")]


def test_an_evse_without_connectors_has_no_connector(staged_stations: RowsBuilder) -> None:
    connectors = [{"evse_uid": "E1", "connector_id": None}, {"evse_uid": "E2", "connector_id": "1"}]
    assert dim_connector(staged_stations({"connectors": connectors}))["evse_uid"].to_list() == ["E2"]


def test_stations_without_connectors_have_none(staged_stations: RowsBuilder) -> None:
    assert dim_connector(staged_stations({"connectors": None}, {"station_id": "S2"})).height == 0


def test_locations_vehicles_and_users_match_their_schemas() -> None:
    version = {"version_at": JANUARY, "is_clocked": False, "read_at": JANUARY, "requested_at": JANUARY}
    locations = pl.DataFrame(
        [{"vendor": "jedlix", "location_id": "L", "latitude": 52.09, **version}],
        schema=StagedLocation.create_empty().schema,
    )
    vehicles = pl.DataFrame(
        [{"vendor": "jedlix", "vehicle_id": "V", **version}], schema=StagedVehicle.create_empty().schema
    )
    users = pl.DataFrame(
        [{"vendor": "jedlix", "user_id": "p_1", "created_at": JANUARY, **version}],
        schema=StagedUser.create_empty().schema,
    )
    for schema, dimension in (
        (DimLocation, dim_location(locations)),
        (DimVehicle, dim_vehicle(vehicles)),
        (DimUser, dim_user(users)),
    ):
        assert schema.validate(dimension).height == 1


_DIMENSIONS: list[tuple[str, str, Dimension, type[dy.Schema]]] = [
    ("zaptec", "installations", dim_location, DimLocation),
    ("zaptec", "chargers", dim_charge_station, DimChargeStation),
    ("jedlix", "charging_locations", dim_location, DimLocation),
    ("jedlix", "vehicles", dim_vehicle, DimVehicle),
    ("jedlix", "users", dim_user, DimUser),
    ("greenflux", "locations", dim_location, DimLocation),
    ("greenflux", "charge_stations", dim_charge_station, DimChargeStation),
    ("greenflux", "charge_stations", dim_connector, DimConnector),
]


@pytest.mark.parametrize(("vendor", "endpoint", "dimension", "schema"), _DIMENSIONS)
@settings(max_examples=12)
@given(data=st.data(), random=st.randoms(use_true_random=False))
def test_whatever_is_received_each_object_has_one_history_in_any_order(
    raw_rows: RowsBuilder,
    vendor: str,
    endpoint: str,
    dimension: Dimension,
    schema: type[dy.Schema],
    data: st.DataObject,
    random: Random,
) -> None:
    staging = STAGINGS[vendor, endpoint]
    items = data.draw(st.lists(objects(staging.fields, ANY_JSON), max_size=6))
    days = data.draw(st.lists(st.integers(0, 3), min_size=len(items), max_size=len(items)))
    read_at = pl.Series([JANUARY + timedelta(day) for day in days], dtype=pl.Datetime("us", "UTC"))
    raw = raw_rows(vendor, endpoint, *map(json.dumps, items)).with_columns(as_of=read_at, requested_at=read_at)
    staged = staging.stage(raw, "UTC")
    history = dimension(staged)
    schema.validate(history)
    key = [name for name in schema.primary_key() if name != "valid_from"]
    assert history.filter("is_current").select(key).is_unique().all()
    assert history.filter("is_current").height == history.select(key).n_unique()
    assert history.filter(pl.col("valid_to") <= pl.col("valid_from")).is_empty()
    shuffled = random.sample(range(staged.height), staged.height)
    assert_frame_equal(history, dimension(staged[shuffled]))
