"""Reads the four vendors with dlt's declarative REST source into DuckDB, then builds both facts there in SQL.

`python -m benchmarks.yardsticks.dlt_declarative FOLDER LOADER`. Everything is merged by its key; nested values stay
JSON, which is faster than child tables. LOADER is the format in which dlt hands rows to DuckDB: `insert_values`, its
default, or `parquet`. Prints the number of sessions and their kWh.

Chargehouse does more, which is left out here: positions for the next run, a record of what was rejected and why,
pseudonyms, the history of stations and locations, and a state that readers can keep open during a run.
"""

import sys
from datetime import datetime
from pathlib import Path

import dlt
import duckdb
from dlt.common.destination import TLoaderFileFormat
from dlt.sources.rest_api import rest_api_source
from dlt.sources.rest_api.typing import EndpointResource, PaginatorConfig, RESTAPIConfig

from benchmarks.yardsticks import accounts

_FACTS = Path(__file__).with_name("facts.sql")


def _list(name: str, path: str, field: str, key: str = "id", **page_size: int) -> EndpointResource:
    """A list that is read in full."""
    return {
        "name": name,
        "primary_key": key,
        "endpoint": {"path": path, "params": dict(page_size), "data_selector": field},
    }


def _as_text(resource: EndpointResource, *columns: str) -> EndpointResource:
    """Loads as text the columns that mix numbers and text, or hold times that cannot be read: SQL converts them."""
    return {**resource, "columns": {column: {"data_type": "text"} for column in columns}}


def _config(vendor: str, paginator: PaginatorConfig, resources: list[EndpointResource]) -> RESTAPIConfig:
    return {
        "client": {
            "base_url": accounts.base_url(vendor) + "/",
            "headers": accounts.headers(vendor),
            "paginator": paginator,
        },
        "resource_defaults": {"write_disposition": "merge"},
        "resources": list(resources),
    }


def _zaptec() -> RESTAPIConfig:
    sessions: EndpointResource = {
        "name": "zaptec_sessions",
        "primary_key": "id",
        "include_from_parent": ["Id"],
        "endpoint": {
            "path": "api/sessions/archived",
            "params": {
                "InstallationId": "{resources.zaptec_installations.Id}",
                "From": accounts.read_from(),
                "To": accounts.read_to(),
                "PageSize": 200,
            },
            "data_selector": "sessions",
            "paginator": {"type": "cursor", "cursor_path": "cursor", "cursor_param": "Cursor"},
        },
    }
    return _config(
        "zaptec",
        {"type": "page_number", "base_page": 0, "page_param": "PageIndex", "total_path": "Pages"},
        [
            _list("zaptec_installations", "api/installation", "Data", "Id", PageSize=100),
            _list("zaptec_chargers", "api/chargers", "Data", "Id", PageSize=100),
            _as_text(sessions, "start_date_time", "end_date_time", "energy"),
        ],
    )


def _jedlix() -> RESTAPIConfig:
    return _config(
        "jedlix",
        {"type": "page_number", "base_page": 1, "page_param": "pageIndex", "total_path": "totalPages"},
        [
            _list("jedlix_users", "api/v2/users", "items", pageSize=100),
            _list("jedlix_vehicles", "api/v2/vehicles", "items", pageSize=100),
            _list("jedlix_charging_locations", "api/v2/charging-locations", "items", pageSize=100),
            _as_text(
                _list("jedlix_sessions", "api/v2/sessions", "items", pageSize=100),
                "start_time",
                "end_time",
                "energy_charged",
            ),
        ],
    )


def _greenflux() -> RESTAPIConfig:
    return _config(
        "greenflux",
        {"type": "header_link"},
        [
            _list("greenflux_locations", "api/2.0/Locations", "data", limit=100, offset=0),
            _list(
                "greenflux_charge_stations", "api/2.0/ChargeStations", "data", "charge_station_id", limit=100, offset=0
            ),
            _as_text(
                _list("greenflux_cdrs", "api/1.0/cdrs", "data", limit=100, offset=0),
                "start_date_time",
                "stop_date_time",
                "last_updated",
                "total_energy",
            ),
        ],
    )


def _smappee() -> RESTAPIConfig:
    start = f"{datetime.fromisoformat(accounts.read_from()).timestamp() * 1000:.0f}"
    sessions: EndpointResource = {
        "name": "smappee_sessions",
        "primary_key": "id",
        "include_from_parent": ["serviceLocationId"],
        "endpoint": {
            "path": "chargingparks/{resources.smappee_parks.serviceLocationId}/sessions",
            "params": {"range": start},
            "data_selector": "$",
        },
    }
    return _config(
        "smappee",
        {"type": "single_page"},
        [
            _list("smappee_parks", "servicelocation", "serviceLocations", "serviceLocationId"),
            _as_text(sessions, "serial_number", "energy"),
        ],
    )


def main(folder: str, loader: TLoaderFileFormat) -> None:
    """Pulls into FOLDER/yardstick.duckdb and builds the facts there."""
    database = Path(folder) / "yardstick.duckdb"
    pipeline = dlt.pipeline(
        "yardstick",
        pipelines_dir=str(Path(folder) / "pipelines"),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="raw",
    )
    sources = [
        rest_api_source(config, name=vendor, max_table_nesting=0, parallelized=True)
        for vendor, config in zip(accounts.VENDORS, (_zaptec(), _jedlix(), _greenflux(), _smappee()), strict=True)
    ]
    pipeline.run(sources, loader_file_format=loader).raise_on_failed_jobs()
    with duckdb.connect(str(database)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(_FACTS.read_text())
        sessions, energy_kwh = connection.execute("SELECT count(*), sum(energy_kwh) FROM fact_session").fetchall()[0]
    print(f"{sessions:,} sessions, {energy_kwh:,} kWh")


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # the format comes from the benchmark
