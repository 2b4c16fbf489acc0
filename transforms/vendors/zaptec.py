"""Zaptec: archived sessions, installations and chargers.

Sessions come from the session archive (camelCase); they are filtered by their end, carry no modification time and may
arrive days late, when an offline charger reconnects. Installations and chargers (PascalCase) carry no usable time:
a version begins when it is first read.

Known lies: a voided session keeps its energy; a corrected one may name its replacement without being voided; the
session does not name its installation, which only the requested scope tells; nobody outside Zaptec knows for certain
whether `energyDetails` is energy per interval or cumulative, and old firmware leaves it out.
"""

import polars as pl

from transforms.countries import country_alpha_2
from transforms.instants import instant_from_iso
from transforms.numbers import finite_number
from transforms.objects import decode_objects
from transforms.staged_dimensions import staged_dimension
from transforms.staged_sessions import SessionMeaning, parsed_iso_instant, parsed_number, staged_sessions
from transforms.texts import flag, scoped_id, text_or_null
from transforms.time_zones import iana_time_zone
from warehouse.tables.staging import StagedChargeStation, StagedLocation

SESSION = pl.Struct(
    {
        "id": pl.String,
        "replacedBySessionId": pl.String,
        "chargerId": pl.String,
        "startDateTime": pl.String,
        "endDateTime": pl.String,
        "energy": pl.String,
        "energyDetails": pl.List(pl.Struct({"timestamp": pl.String, "energy": pl.String})),
        "authorizedUser": pl.Struct({"id": pl.String}),
        "tokenName": pl.String,
        "voided": pl.String,
        "aborted": pl.String,
    }
)
INSTALLATION = pl.Struct(
    {
        "Id": pl.String,
        "Name": pl.String,
        "City": pl.String,
        "CountryCode": pl.String,
        "Latitude": pl.String,
        "Longitude": pl.String,
        "TimeZoneIanaName": pl.String,
    }
)
CHARGER = pl.Struct({"Id": pl.String, "Name": pl.String, "InstallationId": pl.String})

# A session counts without the rest: without details its energy is spread evenly.
_ESSENTIALS = ("id", "startDateTime", "endDateTime", "energy", "voided", "replacedBySessionId")
# Whether the points are energy per interval or cumulative is decided for each session, from their sum.
_METER_SERIES_KIND = "undecided"


def stage_sessions(raw: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Stages archived sessions as StagedSession. A session is closed when it has an end."""
    point = pl.struct(
        at=instant_from_iso(pl.element().struct.field("timestamp")),
        energy_kwh=finite_number(pl.element().struct.field("energy")),
    )
    details = pl.col("energyDetails")
    meaning = SessionMeaning(
        session_id=pl.col("id"),
        started=parsed_iso_instant(pl.col("startDateTime")),
        ended=parsed_iso_instant(pl.col("endDateTime")),
        energy=parsed_number(pl.col("energy")),
        is_closed=text_or_null(pl.col("endDateTime")).is_not_null(),
        is_void=flag(pl.col("voided")),
        is_replaced=text_or_null(pl.col("replacedBySessionId")).is_not_null(),
        status=pl.when(flag(pl.col("aborted"))).then(pl.lit("aborted")).otherwise(pl.lit("completed")),
        station_id=pl.col("chargerId"),
        scope_location_id=scoped_id(pl.col("scope"), "installation"),
        user_id=pl.col("authorizedUser").struct.field("id"),
        token_id=pl.col("tokenName"),
        meter_series=pl.when(details.list.len() > 0).then(details.list.eval(point)),
        meter_series_kind=pl.lit(_METER_SERIES_KIND),
    )
    return staged_sessions(raw, decode_objects(raw.get_column("payload"), SESSION, _ESSENTIALS), meaning, time_zone)


def stage_installations(raw: pl.DataFrame, _time_zone: str) -> pl.DataFrame:
    """Stages installations as StagedLocation."""
    return staged_dimension(
        raw,
        decode_objects(raw.get_column("payload"), INSTALLATION, ["Id"]),
        StagedLocation,
        "location_id",
        {
            "location_id": text_or_null(pl.col("Id")),
            "name": text_or_null(pl.col("Name")),
            "city": text_or_null(pl.col("City")),
            "country": country_alpha_2(pl.col("CountryCode")),
            "latitude": finite_number(pl.col("Latitude")),
            "longitude": finite_number(pl.col("Longitude")),
            "time_zone": iana_time_zone(pl.col("TimeZoneIanaName")),
        },
    )


def stage_chargers(raw: pl.DataFrame, _time_zone: str) -> pl.DataFrame:
    """Stages chargers as StagedChargeStation."""
    return staged_dimension(
        raw,
        decode_objects(raw.get_column("payload"), CHARGER, ["Id"]),
        StagedChargeStation,
        "station_id",
        {
            "station_id": text_or_null(pl.col("Id")),
            "location_id": text_or_null(pl.col("InstallationId")),
            "name": text_or_null(pl.col("Name")),
            "deploy_state": pl.lit(None),
            "firmware_version": pl.lit(None),
            "connectors": pl.lit(None),
        },
    )
