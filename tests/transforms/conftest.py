"""Builders of raw and staged rows: a test states what it is about, everything else has a plain default."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from transforms.vendors import STAGINGS
from warehouse.tables.staging import StagedChargeStation, StagedSession

Row = dict[str, Any]
RowsBuilder = Callable[..., pl.DataFrame]

READ_AT = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)

_INSTANT = pl.Datetime("us", "UTC")
RAW_COLUMNS: dict[str, pl.DataType] = {
    "vendor": pl.String(),
    "endpoint": pl.String(),
    "scope": pl.String(),
    "object_id": pl.String(),
    "vendor_modified": pl.String(),
    "payload": pl.String(),
    "content_hash": pl.Int64(),
    "requested_at": _INSTANT,
    "as_of": _INSTANT,
    "run_id": pl.String(),
}


def _raw_rows(vendor: str, endpoint: str, *objects: Any, scope: str = "all") -> pl.DataFrame:
    rows = [
        {
            "vendor": vendor,
            "endpoint": endpoint,
            "scope": scope,
            "object_id": None,
            "vendor_modified": content.get("last_updated") if isinstance(content, dict) else None,
            "payload": content if isinstance(content, str) else json.dumps(content),
            "content_hash": position - 1,
            "requested_at": READ_AT,
            "as_of": READ_AT,
            "run_id": "run-1",
        }
        for position, content in enumerate(objects)
    ]
    return pl.DataFrame(rows, schema=RAW_COLUMNS)


@pytest.fixture(scope="session")
def raw_rows() -> RowsBuilder:
    """Raw rows of objects (or of payload texts), with the content hashes -1, 0, 1, ..."""
    return _raw_rows


@pytest.fixture(scope="session")
def stage() -> Callable[..., list[Row]]:
    """Stages objects of one endpoint; returns the rows, each of which the schema has accepted by itself."""

    def staged(vendor: str, endpoint: str, *objects: Any, scope: str = "all", time_zone: str = "UTC") -> list[Row]:
        staging = STAGINGS[vendor, endpoint]
        frame = staging.stage(_raw_rows(vendor, endpoint, *objects, scope=scope), time_zone)
        for row in frame.iter_slices(1):
            staging.table.schema.validate(row)
        return frame.to_dicts()

    return staged


@pytest.fixture(scope="session")
def staged_sessions() -> RowsBuilder:
    """StagedSession rows: closed, valid, one hour, 10 kWh, unless a test says otherwise."""
    plain: Mapping[str, Any] = {
        "vendor": "zaptec",
        "session_id": "s",
        "month": "2026-03",
        "scope": "all",
        "is_open": False,
        "started_at": datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
        "ended_at": datetime(2026, 3, 2, 11, 0, tzinfo=UTC),
        "energy_kwh": 10.0,
        "energy_source": "reported",
        "status": "completed",
        "requested_at": READ_AT,
        "read_at": READ_AT,
        "first_read_at": READ_AT,
        "content_hash": 0,
    }

    def build(*rows: Mapping[str, Any]) -> pl.DataFrame:
        return pl.DataFrame([{**plain, **row} for row in rows], schema=StagedSession.create_empty().schema)

    return build


@pytest.fixture(scope="session")
def staged_stations() -> RowsBuilder:
    """StagedChargeStation rows of GreenFlux; `evses` maps the uid of an EVSE to the ids of its connectors."""
    plain: Mapping[str, Any] = {
        "vendor": "greenflux",
        "station_id": "S1",
        "location_id": "L1",
        "version_at": datetime(2026, 1, 1, tzinfo=UTC),
        "is_clocked": True,
        "read_at": READ_AT,
        "requested_at": READ_AT,
    }

    def build(*rows: Mapping[str, Any]) -> pl.DataFrame:
        complete = []
        for row in rows:
            own = dict(row)
            evses: Mapping[str, list[str]] = own.pop("evses", {})
            connectors = [{"evse_uid": uid, "connector_id": id_} for uid, ids in evses.items() for id_ in ids]
            complete.append({**plain, "connectors": connectors, **own})
        return pl.DataFrame(complete, schema=StagedChargeStation.create_empty().schema)

    return build
