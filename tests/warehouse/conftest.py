"""Rows for real tables in a temporary lake."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from warehouse.column_types import polars_schema
from warehouse.lake import Lake
from warehouse.tables import FACT_SESSION, REJECTED_SESSION

READ_AT = datetime(2025, 6, 1, tzinfo=UTC)

Sessions = Callable[..., pl.DataFrame]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def sessions() -> Sessions:
    """Sessions of one hour, one per given start, named `{name}-{n}`."""

    def build(name: str, *starts: datetime, lasting: timedelta = timedelta(hours=1)) -> pl.DataFrame:
        rows = [
            {
                "vendor": "zaptec",
                "session_id": f"{name}-{number}",
                "month": f"{start:%Y-%m}",
                "started_at": start,
                "ended_at": start + lasting,
                "connected_seconds": lasting.total_seconds(),
                "energy_kwh": "12.345678",
                "status": "completed",
                "read_at": READ_AT,
            }
            for number, start in enumerate(starts)
        ]
        schema = polars_schema(FACT_SESSION)
        text = pl.DataFrame(rows, schema={**schema, "energy_kwh": pl.String(), "cost_amount": pl.String()})
        return text.cast({name: schema[name] for name in ("energy_kwh", "cost_amount")})

    return build


@pytest.fixture
def rejected() -> Sessions:
    """Rejected sessions, one per given month (None: no readable start)."""

    def build(name: str, *months: str | None) -> pl.DataFrame:
        rows = [
            {
                "vendor": "smappee",
                "session_id": f"{name}-{number}",
                "month": month,
                "reason": "unreadable",
                "payload": "{}",
                "read_at": READ_AT,
            }
            for number, month in enumerate(months)
        ]
        return pl.DataFrame(rows, schema=polars_schema(REJECTED_SESSION))

    return build


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes that were flushed to disk, in order: inodes, because a file may get its name afterwards."""
    flush = os.fsync
    inodes: list[int] = []

    def noted(descriptor: int) -> None:
        flush(descriptor)
        inodes.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", noted)
    return inodes
