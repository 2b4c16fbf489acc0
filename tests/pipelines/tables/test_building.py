"""What is built after the facts, and published: rebuilt if what it is made of has changed, and only then."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.layout import DATABASE
from pipelines.raw.positions import Positions
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.readings import Reading, readings_table
from pipelines.tables.building import (
    build_coverage,
    build_dimension,
    build_open_sessions,
    publish_warehouse,
    unpublished_tables,
)
from pipelines.tables.lakes import NEWS, Lakes
from tests.pipelines.orchestration.sound_house import AS_OF, RUN, house_settings, rewrite
from warehouse.data_files import now_milliseconds
from warehouse.lake import RETENTION_HOURS
from warehouse.query import query
from warehouse.tables import (
    COVERAGE,
    DIM_LOCATION,
    OPEN_SESSION,
    PUBLISHED_TABLES,
    STAGED_CHARGE_STATION,
    STAGED_LOCATION,
    STAGED_SESSION,
)
from warehouse.tables.table import Table


@pytest.fixture
def lakes(data: Path) -> Lakes:
    """The lakes of a sound warehouse, in which the staged tables carry a mark of their news."""
    lakes = Lakes.below(data)
    for number, table in enumerate((STAGED_SESSION, STAGED_CHARGE_STATION, STAGED_LOCATION), 1):
        change(lakes, table, number)
    build_open_sessions(lakes)
    build_dimension(lakes, DIM_LOCATION)
    return lakes


def change(lakes: Lakes, table: Table, news: int) -> None:
    """Mark a staged table as changed."""
    lakes.staging.append(table, table.schema.create_empty(), {NEWS: news})


def version(lakes: Lakes, table: Table) -> int:
    found = lakes.published.version(table)
    assert found is not None
    return found


@pytest.mark.parametrize("source", [STAGED_SESSION, STAGED_CHARGE_STATION], ids=lambda table: table.name)
def test_running_sessions_are_built_when_sessions_or_stations_have_changed(lakes: Lakes, source: Table) -> None:
    before, rows = version(lakes, OPEN_SESSION), lakes.published.scan(OPEN_SESSION).collect().height
    assert build_open_sessions(lakes) == rows == 2
    assert version(lakes, OPEN_SESSION) == before
    change(lakes, source, 4711)
    assert build_open_sessions(lakes) == rows
    assert version(lakes, OPEN_SESSION) == before + 1
    assert lakes.published.scan(OPEN_SESSION).collect().height == rows


def test_a_dimension_is_built_when_its_staged_table_has_changed_or_tells_no_news(lakes: Lakes, data: Path) -> None:
    before = version(lakes, DIM_LOCATION)
    assert build_dimension(lakes, DIM_LOCATION) == 2
    assert version(lakes, DIM_LOCATION) == before
    change(lakes, STAGED_LOCATION, 4711)
    assert build_dimension(lakes, DIM_LOCATION) == 2
    assert version(lakes, DIM_LOCATION) == before + 1
    lakes.staging.forget(STAGED_LOCATION)
    assert build_dimension(lakes, DIM_LOCATION) == 0
    assert build_dimension(lakes, DIM_LOCATION) == 0
    assert version(lakes, DIM_LOCATION) == before + 3


def covered(data: Path, lakes: Lakes, as_of: timedelta = timedelta()) -> pl.DataFrame:
    build_coverage(house_settings(data), lakes, RawLog(data), AS_OF + as_of)
    # The first month depends on the instant that is asked for.
    return lakes.published.scan(COVERAGE).filter(pl.col("month") >= "2025-01").collect()


def test_the_coverage_reaches_to_the_newest_refresh_whatever_instant_is_asked_for(data: Path, lakes: Lakes) -> None:
    bounds = (AS_OF - timedelta(days=40), AS_OF - timedelta(days=20))
    behind = Reading(RUN, AS_OF, "greenflux", "cdrs", "other", "refresh", "complete", *bounds)
    RawLog(data).append({READINGS: [readings_table([behind])]}, Positions(), ["greenflux"])
    coverage = covered(data, lakes)
    assert coverage["month"].max() == "2026-04"
    for days in (-60, 30):
        assert_frame_equal(covered(data, lakes, timedelta(days=days)), coverage)


def test_a_list_of_what_runs_now_is_whole_whatever_bounds_it_was_asked_with(data: Path, lakes: Lakes) -> None:
    bounds = (AS_OF - timedelta(days=20), AS_OF)
    places = [("smappee", endpoint, "park:1") for endpoint in ("open_sessions", "sessions")]
    readings = [Reading(RUN, AS_OF, *place, "refresh", "complete", *bounds) for place in places]
    RawLog(data).append({READINGS: [readings_table(readings)]}, Positions(), ["smappee"])
    before = covered(data, lakes).filter(pl.col("vendor") == "smappee", pl.col("month") < "2026-03")
    states = before.group_by("endpoint").agg(pl.col("state").unique()).sort("endpoint").rows()
    assert states == [("open_sessions", ["complete"]), ("sessions", ["never"])]


def test_a_list_of_what_runs_now_is_a_gap_where_one_of_its_stretches_could_not_be_read(
    data: Path, lakes: Lakes
) -> None:
    place, middle = ("jedlix", "open_sessions", "all"), AS_OF - timedelta(days=20)
    failed = Reading(RUN, AS_OF, *place, "reconcile", "failed", middle - timedelta(days=20), middle, message="HTTP 404")
    complete = Reading(RUN, AS_OF, *place, "reconcile", "complete", middle, AS_OF)
    RawLog(data).append({READINGS: [readings_table([failed, complete])]}, Positions(), ["jedlix"])
    gaps = covered(data, lakes).filter(pl.col("endpoint") == "open_sessions", pl.col("vendor") == "jedlix")
    assert "gap" in gaps["state"]
    tomorrow = AS_OF + timedelta(days=1)
    later = Reading("later", tomorrow, *place, "refresh", "complete", middle, tomorrow)
    RawLog(data).append({READINGS: [readings_table([later])]}, Positions(), ["jedlix"])
    healed = covered(data, lakes).filter(pl.col("endpoint") == "open_sessions", pl.col("vendor") == "jedlix")
    assert healed["state"].unique().to_list() == ["complete"]
    assert healed["read_at"].unique().to_list() == [tomorrow], "it was read whole then"


def test_the_files_of_the_publication_before_stay_for_those_who_have_it_open(
    data: Path, lakes: Lakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_warehouse(lakes, data)
    [file] = [Path(file.path) for file in lakes.published.files(OPEN_SESSION)]
    # Replaced for longer than any version stays readable by itself.
    weeks_ago = now_milliseconds() - 3 * RETENTION_HOURS * 3_600_000
    monkeypatch.setattr("warehouse.snapshot.now_milliseconds", lambda: weeks_ago)
    rewrite(data, OPEN_SESSION, lambda rows: rows.clear())
    publish_warehouse(lakes, data)
    assert file.exists()
    publish_warehouse(lakes, data)
    assert not file.exists(), "no publication names it any more"


def test_what_has_changed_since_the_publication_is_told(data: Path, lakes: Lakes) -> None:
    with_rows = {table.name for table in PUBLISHED_TABLES if lakes.published.files(table)}
    assert set(unpublished_tables(lakes, data)) == with_rows
    publish_warehouse(lakes, data)
    assert unpublished_tables(lakes, data) == {}
    rewrite(data, OPEN_SESSION, lambda rows: rows.clear())
    assert unpublished_tables(lakes, data) == {OPEN_SESSION.name: version(lakes, OPEN_SESSION)}
    publish_warehouse(lakes, data)
    assert unpublished_tables(lakes, data) == {}
    (data / DATABASE).write_bytes(b"no database")
    assert set(unpublished_tables(lakes, data)) == with_rows - {OPEN_SESSION.name}
    publish_warehouse(lakes, data)
    assert query(data / DATABASE, "SELECT count(*) FROM dim_location").rows == [(2,)]
