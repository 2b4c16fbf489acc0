"""The dimensions: every version of every object, from the staged versions."""

from collections.abc import Sequence

import dataframely as dy
import polars as pl

from transforms.versions import with_validity
from warehouse.tables.dimensions import DimChargeStation, DimConnector, DimLocation, DimUser, DimVehicle

_VALIDITY = ("valid_from", "valid_to", "is_current")


def dim_location(staged_location: pl.DataFrame) -> pl.DataFrame:
    """Turns StagedLocation versions into DimLocation."""
    return _dimension(staged_location, DimLocation, ["vendor", "location_id"])


def dim_charge_station(staged_charge_station: pl.DataFrame) -> pl.DataFrame:
    """Turns StagedChargeStation versions into DimChargeStation."""
    return _dimension(staged_charge_station, DimChargeStation, ["vendor", "station_id"])


def dim_connector(staged_charge_station: pl.DataFrame) -> pl.DataFrame:
    """Turns the connectors inside StagedChargeStation versions into DimConnector.

    A version of a connector begins with the first station version that shows it. A connector that is missing from a
    newer version of its station keeps its last version as the current one: absence is not removal.
    """
    connectors = (
        staged_charge_station.filter(pl.col("connectors").list.len() > 0)
        .select("vendor", "station_id", "connectors", "version_at", "is_clocked", "read_at", "requested_at")
        .explode("connectors")
        .unnest("connectors")
        # OCPI: `uid` is the key, `evse_id` the public id; each stands in where the other is not given.
        .with_columns(
            evse_uid=pl.coalesce("evse_uid", "evse_id"),
            evse_id=pl.coalesce("evse_id", "evse_uid"),
        )
        .filter(pl.col("evse_uid").is_not_null() & pl.col("connector_id").is_not_null())
    )
    return _dimension(connectors, DimConnector, ["vendor", "station_id", "evse_uid", "connector_id"])


def dim_vehicle(staged_vehicle: pl.DataFrame) -> pl.DataFrame:
    """Turns StagedVehicle versions into DimVehicle."""
    return _dimension(staged_vehicle, DimVehicle, ["vendor", "vehicle_id"])


def dim_user(staged_user: pl.DataFrame) -> pl.DataFrame:
    """Turns StagedUser versions into DimUser."""
    return _dimension(staged_user, DimUser, ["vendor", "user_id"])


def _dimension(versions: pl.DataFrame, schema: type[dy.Schema], key: Sequence[str]) -> pl.DataFrame:
    attributes = [name for name in schema.column_names() if name not in (*key, *_VALIDITY)]
    return schema.cast(with_validity(versions, key, attributes).select(schema.column_names()))
