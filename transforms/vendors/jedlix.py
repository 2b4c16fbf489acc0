"""Jedlix (Smart Charging Api v2.0): sessions, charging locations, vehicles and users.

Sessions are filtered by start and end and carry no modification time. Charging locations carry updatedAt; vehicles
and users only the time of their creation, so a change shows only when they are read again.

Known lies: times are documented with three fraction digits and Z, but occur with six and with none; status words
changed their case between versions; a session that is switched off half-way is forced to end, and another follows. The
body of a session is not public: the field names below are the agreed interpretation.
"""

import polars as pl

from transforms.countries import country_alpha_2
from transforms.instants import instant_from_iso
from transforms.numbers import finite_number
from transforms.objects import decode_objects
from transforms.staged_dimensions import staged_dimension
from transforms.staged_sessions import SessionMeaning, parsed_iso_instant, parsed_number, staged_sessions
from transforms.texts import text_or_null
from warehouse.tables.staging import StagedLocation, StagedUser, StagedVehicle

SESSION = pl.Struct(
    {
        "id": pl.String,
        "userId": pl.String,
        "vehicleId": pl.String,
        "chargingLocationId": pl.String,
        "status": pl.String,
        "startTime": pl.String,
        "endTime": pl.String,
        "energyCharged": pl.String,
    }
)
CHARGING_LOCATION = pl.Struct(
    {
        "id": pl.String,
        "coordinates": pl.Struct({"latitude": pl.String, "longitude": pl.String}),
        "address": pl.Struct({"city": pl.String, "country": pl.String}),
        "updatedAt": pl.String,
    }
)
VEHICLE = pl.Struct(
    {
        "id": pl.String,
        "userId": pl.String,
        "details": pl.Struct({"brand": pl.String, "model": pl.String, "version": pl.String}),
    }
)
USER = pl.Struct({"id": pl.String, "createdAt": pl.String})

# An active session with an end has ended: the end decides, not the word.
STATUS_BY_WORD = {"complete": "completed", "active": "completed", "forceended": "forced_end"}
_ESSENTIALS = ("id", "startTime", "endTime", "energyCharged")
# A charging location is a home: two decimals locate it only to about a kilometre.
_COORDINATE_DECIMALS = 2


def stage_sessions(raw: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Stages sessions, open or closed, as StagedSession. A session with an end is closed, whatever its status."""
    meaning = SessionMeaning(
        session_id=pl.col("id"),
        started=parsed_iso_instant(pl.col("startTime")),
        ended=parsed_iso_instant(pl.col("endTime")),
        energy=parsed_number(pl.col("energyCharged")),
        is_closed=text_or_null(pl.col("endTime")).is_not_null(),
        status=pl.col("status").str.to_lowercase().replace_strict(STATUS_BY_WORD, default="unknown"),
        vendor_status=pl.col("status"),
        location_id=pl.col("chargingLocationId"),
        vehicle_id=pl.col("vehicleId"),
        user_id=pl.col("userId"),
    )
    return staged_sessions(raw, decode_objects(raw.get_column("payload"), SESSION, _ESSENTIALS), meaning, time_zone)


def stage_charging_locations(raw: pl.DataFrame, _time_zone: str) -> pl.DataFrame:
    """Stages charging locations as StagedLocation, without a name and with coarse coordinates."""
    address = pl.col("address").struct
    coordinates = pl.col("coordinates").struct
    return staged_dimension(
        raw,
        decode_objects(raw.get_column("payload"), CHARGING_LOCATION, ["id"]),
        StagedLocation,
        "location_id",
        {
            "location_id": text_or_null(pl.col("id")),
            "name": pl.lit(None),
            "city": text_or_null(address.field("city")),
            "country": country_alpha_2(address.field("country")),
            "latitude": finite_number(coordinates.field("latitude")).round(_COORDINATE_DECIMALS),
            "longitude": finite_number(coordinates.field("longitude")).round(_COORDINATE_DECIMALS),
            "time_zone": pl.lit(None),
        },
        clock=instant_from_iso(pl.col("updatedAt")),
    )


def stage_vehicles(raw: pl.DataFrame, _time_zone: str) -> pl.DataFrame:
    """Stages vehicles as StagedVehicle."""
    details = pl.col("details").struct
    return staged_dimension(
        raw,
        decode_objects(raw.get_column("payload"), VEHICLE, ["id"]),
        StagedVehicle,
        "vehicle_id",
        {
            "vehicle_id": text_or_null(pl.col("id")),
            "user_id": text_or_null(pl.col("userId")),
            "brand": text_or_null(details.field("brand")),
            "model": text_or_null(details.field("model")),
            "version": text_or_null(details.field("version")),
        },
    )


def stage_users(raw: pl.DataFrame, _time_zone: str) -> pl.DataFrame:
    """Stages users, known only by pseudonym, as StagedUser."""
    return staged_dimension(
        raw,
        decode_objects(raw.get_column("payload"), USER, ["id"]),
        StagedUser,
        "user_id",
        {"user_id": text_or_null(pl.col("id")), "created_at": instant_from_iso(pl.col("createdAt"))},
    )
