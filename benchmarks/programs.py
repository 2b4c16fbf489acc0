"""How each program is started: Chargehouse, and the programs it is measured against."""

import json
import sys
from datetime import datetime
from pathlib import Path

from benchmarks import environments
from benchmarks.cost import Cost, cost_of
from benchmarks.served import Served

REFRESH = "chargehouse refresh"
FLOOR = "the floor: fetch, parse, write Parquet"
DLT = "dlt declarative, its default loader"
DLT_PARQUET = "dlt declarative, loading Parquet"
SINGER = "Singer tap into DuckDB (pull alone)"
IMPORTS = "its imports alone"

_IMPORTED = "import dagster, dlt, polars, duckdb, deltalake"
# Switches off dlt's telemetry, and its warnings about columns without a value.
_QUIET = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


def refresh(served: Served, data: Path, as_of: datetime, first_month: str, **variables: str) -> Cost:
    """`chargehouse refresh`, everything included."""
    environment = {"CHARGEHOUSE_DATA": str(data), "CHARGEHOUSE_FIRST_MONTH": first_month, **served.environment()}
    command = [sys.executable, "-m", "pipelines.command", "refresh", "--as-of", as_of.isoformat()]
    return cost_of(command, {**environment, **variables})


def imports() -> Cost:
    """The interpreter and the imports that no run can do without."""
    return cost_of([sys.executable, "-c", _IMPORTED], {})


def floor(served: Served, folder: Path, read_from: datetime) -> Cost:
    """The floor, which writes into FOLDER."""
    return cost_of(_yardstick("floor", str(folder)), _reading(served, folder, read_from))


def dlt_declarative(served: Served, folder: Path, read_from: datetime, loader: str) -> Cost:
    """dlt's declarative source into FOLDER/yardstick.duckdb, with both facts; `loader` is the format of its files."""
    return cost_of(_yardstick("dlt_declarative", str(folder), loader), _reading(served, folder, read_from))


def singer(served: Served, folder: Path, read_from: datetime) -> Cost:
    """The Singer tap, piped into its target, which writes FOLDER/yardstick.duckdb."""
    tap, target = folder / "tap.json", folder / "target.json"
    tap.write_text("{}")
    target.write_text(
        json.dumps(
            {
                "path": str(folder / "yardstick.duckdb"),
                "default_target_schema": "raw",
                "temp_dir": str(folder),
            }
        )
    )
    return cost_of(
        [str(environments.interpreter("singer")), "-m", "benchmarks.yardsticks.singer.tap", "--config", str(tap)],
        _reading(served, folder, read_from),
        into=[str(environments.interpreter("singer").with_name("target-duckdb")), "--config", str(target)],
    )


def _yardstick(name: str, *arguments: str) -> list[str]:
    return [str(environments.interpreter(name)), "-m", f"benchmarks.yardsticks.{name}", *arguments]


def _reading(served: Served, folder: Path, read_from: datetime) -> dict[str, str]:
    return {
        **served.environment(),
        "YARDSTICK_FROM": read_from.isoformat(),
        "YARDSTICK_TO": served.as_of.isoformat(),
        "DLT_DATA_DIR": str(folder / "dlt"),
        **_QUIET,
    }
