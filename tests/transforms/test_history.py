from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl

from transforms.history import dim_charge_station, dim_connector, dim_location, dim_user, dim_vehicle
from warehouse.tables.dimensions import DimChargeStation, DimConnector, DimLocation, DimUser, DimVehicle
from warehouse.tables.staging import StagedLocation, StagedUser, StagedVehicle

RowsBuilder = Callable[..., pl.DataFrame]

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
