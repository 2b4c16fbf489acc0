"""The vendor radar over real readings: headers from an answer to the table, and the check both passing and failing."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import polars as pl
import pyarrow as pa
import pytest

from pipelines.orchestration.radar_assets import CHECK, build_radar, verdict
from pipelines.raw import raw_log as raw_log_module
from pipelines.raw.extraction import extract
from pipelines.raw.positions import Positions
from pipelines.raw.questions import refresh
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.readings import READING_SCHEMA, Reading, readings_table
from pipelines.settings import Settings
from pipelines.tables.building import build_coverage
from pipelines.tables.lakes import Lakes
from pipelines.tables.staging import stage
from pipelines.vendors.announcements import endpoints_in_use
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder
from warehouse.tables import STAGED_SESSION, VENDOR_RADAR

SUNSET = "Wed, 30 Jun 2027 23:59:59 GMT"
SOON = "Fri, 15 May 2026 23:59:59 GMT"
LINK = '<https://vendor.example/changes?key=secret>; rel="deprecation"'
RADAR = dg.AssetKey(["ops", "vendor_radar"])


def read(settings: Settings, as_of: datetime = NOW) -> list[Reading]:
    """A refresh up to the coverage, as its steps would do it."""
    readings = extract(settings, settings.vendors, refresh(settings, as_of), f"run of {as_of}")
    lakes, raw_log = Lakes.below(settings.data), RawLog(settings.data)
    stage(raw_log, lakes, settings.time_zone, as_of, "run")
    build_coverage(settings, lakes, raw_log, as_of)
    return readings


def materialized(settings: Settings) -> tuple[dg.AssetCheckEvaluation, Mapping[tuple[str, str], dict[str, object]]]:
    """The check's outcome, and the radar's rows by endpoint."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([build_radar(settings, Lakes.below(settings.data))], instance=instance)
    [evaluation] = result.get_asset_check_evaluations()
    rows = Lakes.below(settings.data).published.scan(VENDOR_RADAR).collect()
    return evaluation, {(row["vendor"], row["endpoint"]): row for row in rows.iter_rows(named=True)}


def announce(sandbox: Sandbox, vendor: str, endpoint: str, **headers: str) -> None:
    sandbox.faults.arm("headers", vendor, endpoint=endpoint, times=None, value=headers)


def test_where_nothing_is_announced_the_check_passes_with_numbers(sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings()
    read(settings)
    evaluation, rows = materialized(settings)
    assert (evaluation.check_name, evaluation.passed) == (CHECK, True)
    assert evaluation.metadata["months_at_risk"].value == 0
    assert evaluation.metadata["endpoints_deprecated"].value == 0
    assert set(rows) == {(endpoint.vendor, endpoint.name) for endpoint in endpoints_in_use(settings)}
    sessions = rows["zaptec", "sessions"]
    assert sessions["oldest_available_at"] == NOW.replace(year=2024)
    assert str(sessions["announced_source_url"]).startswith("https://docs.zaptec.com/")
    assert rows["jedlix", "sessions"]["api_version"] == "v2"
    assert rows["greenflux", "cdrs"]["api_version"] == "1.0"


def test_a_radar_before_the_first_reading_is_a_radar(sandbox_settings: SettingsBuilder) -> None:
    evaluation, rows = materialized(sandbox_settings("zaptec"))
    assert evaluation.passed
    assert rows["zaptec", "sessions"]["seen_at"] is None


def test_an_endpoint_switched_off_is_not_on_the_radar(sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("greenflux", GREENFLUX_STATIONS_VERSION="off", GREENFLUX_CDRS_VERSION="2.0")
    assert {(each.name, each.api_version) for each in endpoints_in_use(settings)} == {
        ("locations", "2.0"),
        ("cdrs", "2.0"),
    }


def test_a_deprecated_endpoint_is_a_warning_until_the_vendor_takes_it_back(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("zaptec", "greenflux")
    announce(sandbox, "zaptec", "installations", Deprecation="@1767225600", Link=LINK)
    # GreenFlux also pages by Link headers: this one must neither end its paging nor mislead it.
    announce(sandbox, "greenflux", "cdrs", Sunset=SUNSET, Link=LINK)
    received = sum(reading.rows_received for reading in read(settings) if reading.endpoint == "cdrs")
    evaluation, rows = materialized(settings)
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.WARN)
    installations, cdrs = rows["zaptec", "installations"], rows["greenflux", "cdrs"]
    assert installations["deprecated_at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert cdrs["sunset_at"] == datetime(2027, 6, 30, 23, 59, 59, tzinfo=UTC)
    assert {row["retirement_url"] for row in (installations, cdrs)} == {"https://vendor.example/changes"}
    assert "zaptec installations is deprecated as of 2026-01-01" in (evaluation.description or "")
    assert "greenflux cdrs ends on 2027-06-30" in (evaluation.description or "")
    assert rows["zaptec", "chargers"]["deprecated_at"] is None
    shown = len(list(sandbox.world.shown("greenflux", "cdrs", NOW)))
    assert received >= shown > 100
    sandbox.faults.clear()
    sandbox.now = NOW + timedelta(hours=1)
    read(settings, sandbox.now)
    assert materialized(settings)[0].passed


def test_an_endpoint_that_ends_soon_is_an_error(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> None:
    settings = sandbox_settings("zaptec")
    announce(sandbox, "zaptec", "sessions", Sunset=SOON)
    read(settings)
    evaluation, rows = materialized(settings)
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert rows["zaptec", "sessions"]["months_at_risk"] == 0, "everything was read"


def test_what_could_not_be_read_and_is_about_to_go_is_an_error_until_it_is_read(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    """The same sandbox two years later: what it shows is barely within the time that the vendor promises to keep it."""
    later = NOW.replace(year=2028, month=1)
    sandbox.now = later
    settings = sandbox_settings("zaptec", CHARGEHOUSE_FIRST_MONTH="2026-01")
    sandbox.faults.arm("status", "zaptec", endpoint="sessions", times=None, value=403)
    read(settings, later)
    evaluation, rows = materialized(settings)
    sessions = rows["zaptec", "sessions"]
    assert (evaluation.passed, evaluation.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert isinstance(sessions["months_at_risk"], int)
    assert sessions["months_at_risk"] > 0
    assert sessions["rows_at_risk"] is None
    assert "an unknown number of rows" in (evaluation.description or "")
    sandbox.faults.clear()
    sandbox.now = later + timedelta(hours=1)
    read(settings, sandbox.now)
    evaluation, rows = materialized(settings)
    assert evaluation.passed
    sessions = rows["zaptec", "sessions"]
    assert (sessions["months_at_risk"], sessions["rows_at_risk"]) == (0, 0)


def test_sessions_older_than_the_vendor_keeps_them_are_counted_as_only_here(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    settings = sandbox_settings("zaptec")
    read(settings)
    sandbox.now = datetime(2030, 1, 1, tzinfo=UTC)
    read(settings, sandbox.now)
    evaluation, rows = materialized(settings)
    held = Lakes.below(settings.data).staging
    assert rows["zaptec", "sessions"]["sessions_only_here"] == sum(held.row_counts(STAGED_SESSION).values()) > 50
    assert evaluation.metadata["sessions_only_here"].value == rows["zaptec", "sessions"]["sessions_only_here"]


def test_the_verdict_names_the_worst_first_and_not_everything() -> None:
    columns = VENDOR_RADAR.schema.columns()
    empty = dict.fromkeys(columns)
    rows = [
        {
            **empty,
            "vendor": "zaptec",
            "endpoint": f"list{number}",
            "api_version": "v1",
            "seen_at": NOW,
            "deprecated_at": NOW,
            "months_at_risk": int(number == 6),
            "months_lost": 0,
            "rows_at_risk": 12 * int(number == 6),
        }
        for number in range(7)
    ]
    found = verdict(pl.DataFrame(rows, schema={name: column.dtype for name, column in columns.items()}))
    assert found.fault == dg.AssetCheckSeverity.ERROR
    assert found.description.startswith("zaptec list6: the vendor removes 1 incompletely read month(s)")
    assert found.description.endswith("And 3 more.")
    assert found.numbers["endpoints_deprecated"] == 7


def test_readings_of_an_older_version_have_no_such_columns_and_count_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_log = RawLog(tmp_path)
    reading = Reading("run", NOW, "zaptec", "sessions", "all", "refresh", "complete", None, NOW, 3)
    new = ("deprecated_at", "sunset_at", "retirement_url")
    older = pa.schema([field for field in READING_SCHEMA if field.name not in new])
    with monkeypatch.context() as patched:
        patched.setattr(raw_log_module, "READING_SCHEMA", older)
        raw_log.append({READINGS: [readings_table([reading]).select(older.names)]}, Positions(), ["zaptec"])
    assert set(new).isdisjoint(pl.read_parquet_schema(next((tmp_path / "raw" / READINGS).glob("*.parquet"))))
    newer = Reading(
        "next", NOW, "zaptec", "sessions", "all", "refresh", "complete", None, NOW, 4, deprecated_at=NOW, sunset_at=NOW
    )
    raw_log.append({READINGS: [readings_table([newer])]}, Positions(), ["zaptec"])
    readings = raw_log.readings()
    assert readings.columns == READING_SCHEMA.names
    assert readings["rows_received"].to_list() == [3, 4]
    assert readings["deprecated_at"].to_list() == readings["sunset_at"].to_list() == [None, NOW]
    assert readings["retirement_url"].to_list() == [None, None]
