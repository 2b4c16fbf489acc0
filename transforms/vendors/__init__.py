"""The vendors: which raw rows become which staged table, and how.

A vendor has one module here and its entries in the registry; docs/design.md lists what it needs elsewhere.
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
    """How the raw rows of one endpoint become rows of one staged table: `stage(raw, time_zone)`.

    `fields`: the fields that are read from the vendor's objects. `status_field`: the field with a session's status
    word, of which `status_words` are known, in lower case; None where a session has no such word.
    """

    table: Table
    stage: Callable[[pl.DataFrame, str], pl.DataFrame]
    fields: pl.Struct
    status_field: str | None = None
    status_words: frozenset[str] = frozenset()


_JEDLIX_SESSIONS = Staging(
    STAGED_SESSION, jedlix.stage_sessions, jedlix.SESSION, "status", frozenset(jedlix.STATUS_BY_WORD)
)
_SMAPPEE_SESSIONS = Staging(
    STAGED_SESSION,
    smappee.stage_sessions,
    smappee.SESSION,
    "status",
    frozenset(word.lower() for word in (smappee.CLOSED_STATUS, *smappee.RUNNING_STATUSES)),
)


STAGINGS: Mapping[tuple[str, str], Staging] = MappingProxyType(
    {
        ("zaptec", "installations"): Staging(STAGED_LOCATION, zaptec.stage_installations, zaptec.INSTALLATION),
        ("zaptec", "chargers"): Staging(STAGED_CHARGE_STATION, zaptec.stage_chargers, zaptec.CHARGER),
        ("zaptec", "sessions"): Staging(STAGED_SESSION, zaptec.stage_sessions, zaptec.SESSION),
        ("jedlix", "users"): Staging(STAGED_USER, jedlix.stage_users, jedlix.USER),
        ("jedlix", "vehicles"): Staging(STAGED_VEHICLE, jedlix.stage_vehicles, jedlix.VEHICLE),
        ("jedlix", "charging_locations"): Staging(
            STAGED_LOCATION, jedlix.stage_charging_locations, jedlix.CHARGING_LOCATION
        ),
        ("jedlix", "sessions"): _JEDLIX_SESSIONS,
        ("jedlix", "open_sessions"): _JEDLIX_SESSIONS,
        ("greenflux", "locations"): Staging(STAGED_LOCATION, greenflux.stage_locations, greenflux.LOCATION),
        ("greenflux", "charge_stations"): Staging(
            STAGED_CHARGE_STATION, greenflux.stage_charge_stations, greenflux.CHARGE_STATION
        ),
        ("greenflux", "cdrs"): Staging(STAGED_SESSION, greenflux.stage_cdrs, greenflux.CDR),
        ("smappee", "sessions"): _SMAPPEE_SESSIONS,
        ("smappee", "open_sessions"): _SMAPPEE_SESSIONS,
    }
)

SESSION_LISTS = tuple(place for place, staging in STAGINGS.items() if staging.table == STAGED_SESSION)
"""Vendor and endpoint of every list of sessions."""
