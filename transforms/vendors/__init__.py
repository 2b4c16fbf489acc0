"""The vendors: which raw rows become which staged table, and how.

A vendor is one module here and its lines in the registry.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from transforms.vendors import greenflux, jedlix, smappee, zaptec
from warehouse.tables import STAGED_CHARGE_STATION, STAGED_LOCATION, STAGED_SESSION, STAGED_USER, STAGED_VEHICLE
from warehouse.tables.table import Table


@dataclass(frozen=True)
class Staging:
    """How the raw rows of one endpoint become rows of one staged table: `stage(raw, time_zone)`."""

    table: Table
    stage: Callable[[pl.DataFrame, str], pl.DataFrame]


STAGINGS: Mapping[tuple[str, str], Staging] = MappingProxyType(
    {
        ("zaptec", "installations"): Staging(STAGED_LOCATION, zaptec.stage_installations),
        ("zaptec", "chargers"): Staging(STAGED_CHARGE_STATION, zaptec.stage_chargers),
        ("zaptec", "sessions"): Staging(STAGED_SESSION, zaptec.stage_sessions),
        ("jedlix", "users"): Staging(STAGED_USER, jedlix.stage_users),
        ("jedlix", "vehicles"): Staging(STAGED_VEHICLE, jedlix.stage_vehicles),
        ("jedlix", "charging_locations"): Staging(STAGED_LOCATION, jedlix.stage_charging_locations),
        ("jedlix", "sessions"): Staging(STAGED_SESSION, jedlix.stage_sessions),
        ("jedlix", "open_sessions"): Staging(STAGED_SESSION, jedlix.stage_sessions),
        ("greenflux", "locations"): Staging(STAGED_LOCATION, greenflux.stage_locations),
        ("greenflux", "charge_stations"): Staging(STAGED_CHARGE_STATION, greenflux.stage_charge_stations),
        ("greenflux", "cdrs"): Staging(STAGED_SESSION, greenflux.stage_cdrs),
        ("smappee", "sessions"): Staging(STAGED_SESSION, smappee.stage_sessions),
        ("smappee", "open_sessions"): Staging(STAGED_SESSION, smappee.stage_sessions),
    }
)
