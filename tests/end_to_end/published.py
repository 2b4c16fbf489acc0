"""A Chargehouse of its own for a test: an environment, its commands, and what it published."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from unittest.mock import patch

import duckdb

from pipelines import command
from pipelines.personal_data import Pseudonyms
from pipelines.settings import Settings, load_settings
from sandbox.server import Sandbox
from tests.outside import outside

KEY = "a key for tests"
Row = dict[str, Any]


TABLES = (
    "fact_session",
    "fact_energy",
    "rejected_session",
    "open_session",
    "dim_location",
    "dim_charge_station",
    "dim_connector",
    "dim_vehicle",
    "dim_user",
)
"""The tables whose every row the oracle knows."""


class Vendors(Protocol):
    """Whatever plays the vendors, in this process or another."""

    def environment(self) -> dict[str, str]: ...


class Chargehouse:
    """The command line over a data folder and a sandbox. `variables` are further environment variables."""

    def __init__(self, data: Path, sandbox: Vendors, **variables: str) -> None:
        self.data = data
        self._environment = {
            **sandbox.environment(),
            "CHARGEHOUSE_DATA": str(data),
            "CHARGEHOUSE_PSEUDONYM_KEY": KEY,
            "CHARGEHOUSE_RETRY_PAUSE_SECONDS": "0.01",
            **variables,
        }

    def run(self, *arguments: str, **variables: str) -> int:
        """Run a command; returns its exit status."""
        with patch.dict(os.environ, {**outside(), **self._environment, **variables}, clear=True):
            return command.main(list(arguments))

    def settings(self) -> Settings:
        """The settings that its commands have."""
        return load_settings(self._environment, Path(os.devnull))

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The published warehouse's answer, instants in UTC."""
        with duckdb.connect(str(self.data / "warehouse.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql).fetchall()

    def rows(self, table: str, columns: Sequence[str]) -> list[Row]:
        """These columns of a published table."""
        names = ", ".join(f'"{column}"' for column in columns)
        return [dict(zip(columns, row, strict=True)) for row in self.query(f"SELECT {names} FROM {table}")]

    def truth(self, sandbox: Sandbox, refreshes: list[datetime]) -> dict[str, list[Row]]:
        """What the sandbox says must be published after refreshes at these instants."""
        pseudonyms = {
            vendor: Pseudonyms(vendor, KEY.encode()) for vendor in ("zaptec", "jedlix", "greenflux", "smappee")
        }
        return sandbox.truth(
            refreshes,
            self._environment.get("CHARGEHOUSE_TIME_ZONE", "UTC"),
            first_read_at=datetime.fromisoformat(self._environment["CHARGEHOUSE_FIRST_MONTH"] + "-01").replace(
                tzinfo=UTC
            ),
            pseudonym=lambda vendor, kind, value: pseudonyms[vendor].of(kind, value),
        )


def comparable(rows: Iterable[Mapping[str, Any]], order: Iterable[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Rows as sorted tuples of text, columns in the order of `order`'s rows, so that two sets can be compared."""
    columns = list(next(iter(order)))
    return sorted(tuple(_text(row[column]) for column in columns) for row in rows)


def _text(value: Any) -> str:
    match value:
        case None:
            return "-"
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds")
        case Decimal():
            return f"{value.normalize():f}"
        case float():
            return f"{value:.6f}".rstrip("0").rstrip(".")
        case _:
            return str(value)
