"""Rows are counted in the months of the clock that their list is filtered by, none twice and none in no month."""

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.raw.raw_rows import RAW_SCHEMA
from pipelines.raw.rows_by_month import rows_by_month
from pipelines.vendors.contract import Window
from pipelines.vendors.instants import parsed_instant
from pipelines.vendors.smappee import OPEN_SESSIONS, SESSIONS
from sandbox.server import Sandbox
from tests.pipelines.conftest import SettingsBuilder
from tests.pipelines.raw.extracted import raw, read
from transforms.months import month_at

WINDOW = Window(datetime(2026, 1, 31, 22, 30, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC))


def raw_rows(*started: str | None) -> pa.Table:
    columns = {"vendor_started": pa.array(started, pa.string())}
    return pa.table({field.name: columns.get(field.name, pa.nulls(len(started), field.type)) for field in RAW_SCHEMA})


def counted(*started: str | None, window: Window = WINDOW, time_zone: str = "UTC") -> dict[str, int]:
    told = rows_by_month(raw_rows(*started), SESSIONS, window, time_zone)
    return {} if told is None else dict(json.loads(told))


def test_a_row_counts_in_the_month_of_its_clock_in_the_configured_zone() -> None:
    started = ["2026-01-31T23:30:00Z", "1770000000000", "2026-02-28T23:30:00Z"]
    assert counted(*started) == {"2026-01": 1, "2026-02": 2}
    assert counted(*started, time_zone="Europe/Amsterdam") == {"2026-02": 2, "2026-03": 1}


def test_a_row_without_a_clock_inside_its_window_counts_in_the_first_or_the_nearest_month() -> None:
    assert counted(None, "soon", "2020-01-01T00:00:00Z") == {"2026-01": 3}
    assert counted("2026-03-31T22:00:00Z", "2030-01-01T00:00:00Z", time_zone="Europe/Amsterdam") == {"2026-03": 2}


def test_nothing_is_counted_by_month_where_there_is_but_one() -> None:
    instants = WINDOW.from_at, datetime(2026, 2, 1, tzinfo=UTC)
    assert rows_by_month(raw_rows("2026-02-01T00:00:00Z"), SESSIONS, Window(*instants), "UTC") is None
    assert rows_by_month(raw_rows(None), SESSIONS, Window(None, WINDOW.to_at), "UTC") is None
    assert rows_by_month(raw_rows(None), OPEN_SESSIONS, WINDOW, "UTC") is None


INSTANTS = st.integers(-2_000, 1_000).map(lambda hours: (WINDOW.to_at + timedelta(hours=hours)).isoformat())


@given(st.lists(st.none() | INSTANTS))
def test_every_row_counts_once(started: Sequence[str | None]) -> None:
    assert sum(counted(*started, time_zone="Pacific/Auckland").values()) == len(started)


@pytest.mark.parametrize(
    ("vendor", "endpoint", "clock"),
    [
        ("zaptec", "sessions", "vendor_ended"),
        ("jedlix", "sessions", "vendor_ended"),
        ("greenflux", "cdrs", "vendor_modified"),
        ("smappee", "sessions", "vendor_started"),
    ],
)
def test_the_readings_of_a_vendor_count_what_the_raw_log_holds_of_each_month(
    vendor: str, endpoint: str, clock: str, sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings(vendor, CHARGEHOUSE_TIME_ZONE="Europe/Amsterdam")
    told: Counter[str] = Counter()
    for reading in read(settings):
        if reading.endpoint == endpoint and reading.from_at is not None:
            first = month_at(reading.from_at, "Europe/Amsterdam")
            told.update(json.loads(reading.rows_by_month or "{}") or {first: reading.rows_received})
    instants = [parsed_instant(text) for text in raw(settings, f"{vendor}_{endpoint}")[clock]]
    held = Counter(f"{at.astimezone(ZoneInfo('Europe/Amsterdam')):%Y-%m}" for at in instants if at is not None)
    assert +told == held
    assert len(held) > 1
