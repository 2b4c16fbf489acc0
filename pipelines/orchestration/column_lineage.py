"""Where each column comes from: the fields of the vendors' objects, through the staged tables to the published ones.

Declared here and checked by a test: every column has a source or is named among the computed ones, every source exists,
and every field of a vendor's object that is read leads to a column.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import dagster as dg

from transforms.vendors import STAGINGS
from transforms.vocabulary import paths
from warehouse.tables import (
    DIM_CHARGE_STATION,
    DIM_CONNECTOR,
    DIM_LOCATION,
    DIM_USER,
    DIM_VEHICLE,
    FACT_ENERGY,
    FACT_SESSION,
    OPEN_SESSION,
    REJECTED_SESSION,
    STAGED_CHARGE_STATION,
    STAGED_SESSION,
)
from warehouse.tables.table import Table

PAYLOAD = "payload."
"""Prefix that makes the dotted path of a field of the vendor's object a column of the raw log."""

Sources = Mapping[str, Sequence[str]]
"""Each column with the columns that it is made from."""

_ZAPTEC_SESSION: Sources = {
    "session_id": ["id"],
    "is_open": ["endDateTime"],
    "reason": ["voided", "replacedBySessionId", "startDateTime", "endDateTime", "energy"],
    "started_at": ["startDateTime"],
    "ended_at": ["endDateTime"],
    "energy_kwh": ["energy"],
    "status": ["aborted"],
    "station_id": ["chargerId"],
    "user_id": ["authorizedUser", "authorizedUser.id"],
    "token_id": ["tokenName"],
    "meter_series": ["energyDetails", "energyDetails.timestamp", "energyDetails.energy"],
    "meter_series_kind": ["energyDetails"],
}
_JEDLIX_SESSION: Sources = {
    "session_id": ["id"],
    "is_open": ["endTime"],
    "reason": ["startTime", "endTime", "energyCharged"],
    "started_at": ["startTime"],
    "ended_at": ["endTime"],
    "energy_kwh": ["energyCharged"],
    "status": ["status"],
    "vendor_status": ["status"],
    "location_id": ["chargingLocationId"],
    "vehicle_id": ["vehicleId"],
    "user_id": ["userId"],
}
_SMAPPEE_SESSION: Sources = {
    "session_id": ["id"],
    "is_open": ["status"],
    "reason": ["from", "to", "energy", "startReading", "stopReading"],
    "started_at": ["from"],
    "ended_at": ["to", "status"],
    "energy_kwh": ["energy", "startReading", "stopReading"],
    "energy_source": ["energy"],
    "status": ["status"],
    "vendor_status": ["status"],
    "station_id": ["serialNumber"],
    "connector_id": ["connector"],
    "user_id": ["userId"],
    "token_id": ["rfid"],
}
_EVSE = ["location.evses", "location.evses.uid"]
_PERIODS = ["start_date_time", "dimensions", "dimensions.type", "dimensions.volume"]

FIELDS: Mapping[tuple[str, str], Sources] = {
    ("zaptec", "sessions"): _ZAPTEC_SESSION,
    ("zaptec", "installations"): {
        "location_id": ["Id"],
        "name": ["Name"],
        "city": ["City"],
        "country": ["CountryCode"],
        "latitude": ["Latitude"],
        "longitude": ["Longitude"],
        "time_zone": ["TimeZoneIanaName"],
    },
    ("zaptec", "chargers"): {"station_id": ["Id"], "name": ["Name"], "location_id": ["InstallationId"]},
    ("jedlix", "sessions"): _JEDLIX_SESSION,
    ("jedlix", "open_sessions"): _JEDLIX_SESSION,
    ("jedlix", "users"): {"user_id": ["id"], "created_at": ["createdAt"]},
    ("jedlix", "vehicles"): {
        "vehicle_id": ["id"],
        "user_id": ["userId"],
        "brand": ["details", "details.brand"],
        "model": ["details.model"],
        "version": ["details.version"],
    },
    ("jedlix", "charging_locations"): {
        "location_id": ["id"],
        "city": ["address", "address.city"],
        "country": ["address.country"],
        "latitude": ["coordinates", "coordinates.latitude"],
        "longitude": ["coordinates.longitude"],
        "version_at": ["updatedAt"],
    },
    ("greenflux", "cdrs"): {
        "session_id": ["id"],
        "is_open": ["stop_date_time"],
        "reason": ["start_date_time", "stop_date_time", "total_energy"],
        "started_at": ["start_date_time"],
        "ended_at": ["stop_date_time"],
        "energy_kwh": ["total_energy"],
        "charging_seconds": ["total_time", "total_parking_time"],
        "evse_uid": _EVSE,
        "connector_id": ["location.evses", "location.evses.connectors", "location.evses.connectors.id"],
        "location_id": ["location", "location.id"],
        "user_id": ["driver_external_id"],
        "token_id": ["token_uid", "auth_id"],
        "cost_amount": ["total_cost"],
        "currency": ["currency"],
        "meter_series": ["charging_periods", *(f"charging_periods.{name}" for name in _PERIODS), "stop_date_time"],
        "meter_series_kind": ["charging_periods"],
        "version_at": ["last_updated"],
    },
    ("greenflux", "locations"): {
        "location_id": ["id"],
        "name": ["name"],
        "city": ["city"],
        "country": ["country"],
        "latitude": ["coordinates", "coordinates.latitude"],
        "longitude": ["coordinates.longitude"],
        "time_zone": ["time_zone"],
        "version_at": ["modified", "created", "last_updated"],
    },
    ("greenflux", "charge_stations"): {
        "station_id": ["charge_station_id"],
        "location_id": ["location_id"],
        "name": ["name"],
        "deploy_state": ["deploy_state"],
        "firmware_version": ["firmware_version"],
        "connectors": [
            "evses",
            "evses.uid",
            "evses.evse_id",
            "evses.connectors",
            "evses.connectors.id",
            "evses.connectors.standard",
            "evses.connectors.power_type",
            "evses.connectors.max_electric_power",
        ],
        "version_at": ["modified", "created"],
    },
    ("smappee", "sessions"): _SMAPPEE_SESSION,
    ("smappee", "open_sessions"): _SMAPPEE_SESSION,
}
"""By vendor and endpoint: the fields of the vendor's object, as dotted paths, that each staged column is made from."""

RAW_SOURCES: Sources = {
    "vendor": ["vendor"],
    "session_id": ["object_id"],
    "scope": ["scope"],
    "location_id": ["scope"],
    "located_at": ["as_of"],
    "payload": ["payload"],
    "requested_at": ["requested_at"],
    "read_at": ["as_of"],
    "first_read_at": ["as_of"],
    "version_at": ["as_of"],
    "content_hash": ["content_hash"],
}
"""What staged columns take from the raw log itself. Where the vendor has no clock, a version begins at the reading."""

_STATION = [(STAGED_SESSION, "station_id"), (STAGED_SESSION, "evse_uid"), (STAGED_CHARGE_STATION, "connectors")]
_LOCATION = [(STAGED_SESSION, "location_id"), (STAGED_CHARGE_STATION, "location_id")]
_LINKED = {"station_id": _STATION, "location_id": _LOCATION}

PUBLISHED: Mapping[Table, Mapping[str, Sequence[tuple[Table, str]]]] = {
    FACT_SESSION: {
        **_LINKED,
        "connected_seconds": [(STAGED_SESSION, "started_at"), (STAGED_SESSION, "ended_at")],
        "idle_seconds": [(STAGED_SESSION, name) for name in ("started_at", "ended_at", "charging_seconds")],
        "read_at": [(STAGED_SESSION, "first_read_at")],
    },
    FACT_ENERGY: {
        **_LINKED,
        "slot_start_at": [(STAGED_SESSION, "started_at"), (STAGED_SESSION, "ended_at")],
        "month": [(STAGED_SESSION, "started_at"), (STAGED_SESSION, "ended_at")],
        "energy_kwh": [
            (STAGED_SESSION, name)
            for name in ("energy_kwh", "meter_series", "meter_series_kind", "started_at", "ended_at")
        ],
        "method": [(STAGED_SESSION, "meter_series"), (STAGED_SESSION, "meter_series_kind")],
    },
    REJECTED_SESSION: {**_LINKED, "read_at": [(STAGED_SESSION, "first_read_at")]},
    OPEN_SESSION: {**_LINKED, "seen_at": [(STAGED_SESSION, "read_at")]},
    DIM_CONNECTOR: {
        name: [(STAGED_CHARGE_STATION, "connectors")]
        for name in ("evse_uid", "evse_id", "connector_id", "standard", "power_type", "max_power_kw")
    },
}
"""The published columns that are not simply the staged column of the same name."""

_VALIDITY = ("valid_from", "valid_to", "is_current")

SOURCE_TABLES: Mapping[Table, str] = {
    **dict.fromkeys((FACT_SESSION, FACT_ENERGY, REJECTED_SESSION, OPEN_SESSION), "staged_session"),
    DIM_LOCATION: "staged_location",
    DIM_CHARGE_STATION: "staged_charge_station",
    DIM_CONNECTOR: "staged_charge_station",
    DIM_VEHICLE: "staged_vehicle",
    DIM_USER: "staged_user",
}
"""The staged table that each published table is built from."""

COMPUTED: Mapping[str, frozenset[str]] = {
    "staged_session": frozenset({"month"}),
    **dict.fromkeys(
        ("staged_location", "staged_charge_station", "staged_vehicle", "staged_user"), frozenset({"is_clocked"})
    ),
}
"""By table, the columns that come from no single upstream column."""


def column_sources(table: Table) -> dict[str, list[tuple[dg.AssetKey, str]]]:
    """Each column of a table, with the columns of upstream assets that it is made from.

    Empty for the operations tables, which are counts.
    """
    if table.group == "staging":
        return _staged_sources(table)
    if table not in SOURCE_TABLES:
        return {}
    source = dg.AssetKey(["staging", SOURCE_TABLES[table]])
    own = PUBLISHED.get(table, {})
    found: dict[str, list[tuple[dg.AssetKey, str]]] = {}
    for column in table.schema.column_names():
        if column in own:
            found[column] = [(dg.AssetKey(["staging", each.name]), name) for each, name in own[column]]
        else:
            found[column] = [(source, "version_at" if column in _VALIDITY else column)]
    return found


@cache
def lineage_metadata(table: Table) -> Mapping[str, Any]:
    """What Dagster shows as the table's column lineage."""
    sources = column_sources(table)
    if not sources:
        return {}
    lineage = dg.TableColumnLineage(
        {column: [dg.TableColumnDep(key, name) for key, name in deps] for column, deps in sources.items()}
    )
    return {"dagster/column_lineage": lineage}


def read_fields(vendor: str, endpoint: str) -> list[str]:
    """The fields of an endpoint's objects that staging reads, as dotted paths."""
    return list(paths(STAGINGS[vendor, endpoint].fields))


def _staged_sources(table: Table) -> dict[str, list[tuple[dg.AssetKey, str]]]:
    computed = COMPUTED.get(table.name, frozenset())
    return {
        column: sources
        for column in table.schema.column_names()
        if column not in computed and (sources := list(_sources_of_staged(table, column)))
    }


def _sources_of_staged(table: Table, column: str) -> Iterator[tuple[dg.AssetKey, str]]:
    for (vendor, endpoint), staging in STAGINGS.items():
        if staging.table != table:
            continue
        key = dg.AssetKey(["raw", vendor, endpoint])
        fields = FIELDS[vendor, endpoint].get(column, [])
        for field in fields:
            yield key, f"{PAYLOAD}{field}"
        # A session whose object names no location takes that of its scope.
        if column != "location_id" or (table == STAGED_SESSION and not fields):
            for name in RAW_SOURCES.get(column, []):
                yield key, name
