"""Helpers that run extractions and look at what they leave in the raw log."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from pipelines.raw.extraction import extract
from pipelines.raw.questions import refresh
from pipelines.raw.raw_log import RawLog
from pipelines.raw.readings import Reading
from pipelines.settings import Settings, load_settings
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW
from tests.pipelines.scripted_server import ScriptedServer
from tests.pipelines.vendors.asked import variables

VENDORS = ("zaptec", "jedlix", "greenflux", "smappee")
LISTS = {
    "zaptec": ("installations", "chargers", "sessions"),
    "jedlix": ("users", "vehicles", "charging_locations", "sessions"),
    "greenflux": ("locations", "charge_stations", "cdrs"),
    "smappee": ("sessions",),
}
DAY = timedelta(days=1)


def read(settings: Settings, as_of: datetime = NOW, *vendors: str) -> list[Reading]:
    return extract(settings, vendors or settings.vendors, refresh(settings, as_of), f"run-{as_of:%d%H%M%S}")


def settings_for(vendor: str, server: ScriptedServer, directory: Path, **changed: str) -> Settings:
    """Settings of this vendor alone, played by scripted answers."""
    of_vendor = {
        name: value for name, value in variables(server).items() if name.startswith((vendor.upper(), "CHARGE"))
    }
    data = {"CHARGEHOUSE_DATA": str(directory / "data"), "CHARGEHOUSE_FIRST_MONTH": "2026-01"}
    return load_settings({**of_vendor, **data, **changed}, directory / ".env")


def raw(settings: Settings, table: str) -> pl.DataFrame:
    files = RawLog(settings.data).files(table)
    return (
        pl.concat([pl.read_parquet(file.path, hive_partitioning=False) for file in files]) if files else pl.DataFrame()
    )


def payloads(settings: Settings, *tables: str) -> Counter[str]:
    return Counter(payload for table in tables for payload in raw(settings, table)["payload"])


def shown_ids(sandbox: Sandbox, vendor: str, endpoint: str) -> set[str]:
    return {line.object_id for line, _ in sandbox.world.shown(vendor, endpoint, sandbox.now)}


def ids(settings: Settings, *tables: str) -> set[str]:
    frames = [frame for table in tables if not (frame := raw(settings, table)).is_empty()]
    return {object_id for frame in frames for object_id in frame["object_id"] if object_id is not None}


def windows(readings: list[Reading], endpoint: str, scope: str | None = None) -> list[Reading]:
    return [each for each in readings if each.endpoint == endpoint and scope in (None, each.scope)]
