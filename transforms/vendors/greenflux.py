"""GreenFlux (Charge-Location Management API, OCPI 2.1.1 CDR object): locations, charge stations and CDRs.

Every list is filtered by its last modification: `modified` (else `created`) for locations and charge stations,
`last_updated` for CDRs. A CDR that comes again with a newer `last_updated` replaces the older one.

Known lies: durations are in hours, energy in kWh, but a connector's power in W; coordinates are text; countries are
alpha-3; a status change of an EVSE does not count as a modification; a CDR names an EVSE, not a charge station; removed
assets merely change their state.
"""

import polars as pl

from transforms.charging_periods import CHARGING_PERIODS, period_points
from transforms.countries import country_alpha_2
from transforms.instants import instant_from_iso
from transforms.numbers import finite_number
from transforms.objects import decode_objects
from transforms.staged_dimensions import staged_dimension
from transforms.staged_sessions import SessionMeaning, parsed_iso_instant, parsed_number, staged_sessions
from transforms.texts import text_or_null
from transforms.time_zones import iana_time_zone
from warehouse.tables.staging import StagedChargeStation, StagedLocation

CDR = pl.Struct(
    {
        "id": pl.String,
        "start_date_time": pl.String,
        "stop_date_time": pl.String,
        "auth_id": pl.String,
        "token_uid": pl.String,
        "driver_external_id": pl.String,
        "location": pl.Struct(
            {
                "id": pl.String,
                "evses": pl.List(pl.Struct({"uid": pl.String, "connectors": pl.List(pl.Struct({"id": pl.String}))})),
            }
        ),
        "currency": pl.String,
        "charging_periods": CHARGING_PERIODS,
        "total_cost": pl.String,
        "total_energy": pl.String,
        "total_time": pl.String,
        "total_parking_time": pl.String,
        "last_updated": pl.String,
    }
)
LOCATION = pl.Struct(
    {
        "id": pl.String,
        "name": pl.String,
        "city": pl.String,
        "country": pl.String,
        "coordinates": pl.Struct({"latitude": pl.String, "longitude": pl.String}),
        "time_zone": pl.String,
        "created": pl.String,
        "modified": pl.String,
        "last_updated": pl.String,
    }
)
CHARGE_STATION = pl.Struct(
    {
        "charge_station_id": pl.String,
        "location_id": pl.String,
        "name": pl.String,
        "deploy_state": pl.String,
        "firmware_version": pl.String,
        "evses": pl.List(
            pl.Struct(
                {
                    "uid": pl.String,
                    "evse_id": pl.String,
                    "connectors": pl.List(
                        pl.Struct(
                            {
                                "id": pl.String,
                                "standard": pl.String,
                                "power_type": pl.String,
                                "max_electric_power": pl.String,
                            }
                        )
                    ),
                }
            )
        ),
        "created": pl.String,
        "modified": pl.String,
    }
)

# A CDR counts without the rest: without periods its energy is spread evenly, without a cost it has none.
_CDR_ESSENTIALS = ("id", "start_date_time", "stop_date_time", "total_energy", "last_updated")
_SECONDS_PER_HOUR = 3600
_WATTS_PER_KW = 1000


def stage_cdrs(raw: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Stages CDRs as StagedSession, with `last_updated` as the clock of the version."""
    decoded = decode_objects(raw.get_column("payload"), CDR, _CDR_ESSENTIALS)
    points = period_points(decoded, instant_from_iso(pl.col("stop_date_time")))
    location = pl.col("location").struct
    evse = location.field("evses").list.first()
    charging_hours = finite_number(pl.col("total_time")) - finite_number(pl.col("total_parking_time"))
    charging_seconds = (charging_hours * _SECONDS_PER_HOUR).round(3).clip(lower_bound=0)
    meaning = SessionMeaning(
        session_id=pl.col("id"),
        started=parsed_iso_instant(pl.col("start_date_time")),
        ended=parsed_iso_instant(pl.col("stop_date_time")),
        energy=parsed_number(pl.col("total_energy")),
        is_closed=text_or_null(pl.col("stop_date_time")).is_not_null(),
        status=pl.lit("completed"),
        charging_seconds=pl.when(charging_seconds.is_finite()).then(charging_seconds),
        evse_uid=evse.struct.field("uid"),
        connector_id=evse.struct.field("connectors").list.first().struct.field("id"),
        location_id=location.field("id"),
        user_id=pl.col("driver_external_id"),
        token_id=pl.coalesce(text_or_null(pl.col("token_uid")), "auth_id"),
        cost_amount=finite_number(pl.col("total_cost")),
        currency=pl.col("currency"),
        meter_series=pl.col("points"),
        meter_series_kind=pl.lit("interval"),
        # An issue that cannot be decoded replaces the one before all the same: it is the vendor's newest word.
        version_at=instant_from_iso(pl.coalesce("last_updated", "vendor_modified")),
    )
    return staged_sessions(raw, decoded.with_columns(points.alias("points")), meaning, time_zone)


def stage_locations(raw: pl.DataFrame, _time_zone: str) -> pl.DataFrame:
    """Stages locations as StagedLocation."""
    coordinates = pl.col("coordinates").struct
    return staged_dimension(
        raw,
        decode_objects(raw.get_column("payload"), LOCATION, ["id"]),
        StagedLocation,
        "location_id",
        {
            "location_id": text_or_null(pl.col("id")),
            "name": text_or_null(pl.col("name")),
            "city": text_or_null(pl.col("city")),
            "country": country_alpha_2(pl.col("country")),
            "latitude": finite_number(coordinates.field("latitude")),
            "longitude": finite_number(coordinates.field("longitude")),
            "time_zone": iana_time_zone(pl.col("time_zone")),
        },
        clock=pl.coalesce(instant_from_iso(pl.col("modified", "created", "last_updated"))),
    )


def stage_charge_stations(raw: pl.DataFrame, _time_zone: str) -> pl.DataFrame:
    """Stages charge stations, with their EVSEs and connectors, as StagedChargeStation."""
    decoded = decode_objects(raw.get_column("payload"), CHARGE_STATION, ["charge_station_id"])
    return staged_dimension(
        raw,
        decoded.with_columns(_connectors(decoded).alias("connectors")),
        StagedChargeStation,
        "station_id",
        {
            "station_id": text_or_null(pl.col("charge_station_id")),
            "location_id": text_or_null(pl.col("location_id")),
            "name": text_or_null(pl.col("name")),
            "deploy_state": text_or_null(pl.col("deploy_state")),
            "firmware_version": text_or_null(pl.col("firmware_version")),
            "connectors": pl.col("connectors"),
        },
        clock=pl.coalesce(instant_from_iso(pl.col("modified", "created"))),
    )


def _connectors(stations: pl.DataFrame) -> pl.Series:
    """For each station, its connectors in one list, each with its EVSE; an EVSE without connectors appears once."""
    power_kw = (finite_number(pl.col("connectors").struct.field("max_electric_power")) / _WATTS_PER_KW).round(6)
    connectors = (
        stations.select(pl.row_index("station"), "evses")
        .filter(pl.col("evses").list.len() > 0)
        .explode("evses")
        .unnest("evses")
        .explode("connectors", empty_as_null=True)
        .group_by("station", maintain_order=True)
        .agg(
            connectors=pl.struct(
                evse_uid=text_or_null(pl.col("uid")),
                evse_id=text_or_null(pl.col("evse_id")),
                connector_id=text_or_null(pl.col("connectors").struct.field("id")),
                standard=text_or_null(pl.col("connectors").struct.field("standard")),
                power_type=text_or_null(pl.col("connectors").struct.field("power_type")),
                # Zero stands for "not filled in".
                max_power_kw=pl.when(power_kw != 0).then(power_kw),
            )
        )
    )
    return (
        stations.select(pl.row_index("station"))
        .join(connectors, on="station", how="left", maintain_order="left")
        .get_column("connectors")
    )
