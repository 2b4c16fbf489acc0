"""What Dagster shows of a run: counts, previews without personal data, reasons, lineage and pictures."""

import re
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest

from pipelines.settings import Settings
from pipelines.vendors import ENDPOINTS
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder
from tests.pipelines.orchestration.operated import Operated, metadata_of, operated
from warehouse.tables import FACT_ENERGY, FACT_SESSION

PICTURES = {
    "fact_energy": ["Energy by month", "Load curve", "Energy by hour"],
    "fact_session": ["Sessions by month", "Plug-ins by hour"],
}


@pytest.fixture
def house(sandbox: Sandbox, sandbox_settings: SettingsBuilder) -> Iterator[Operated]:
    settings: Settings = sandbox_settings("zaptec", "greenflux", "smappee")
    with operated(settings, sandbox) as house:
        as_of = {"raw_log": {"config": {"as_of": NOW.isoformat()}}}
        assert house.run("refresh", configuration={"ops": as_of}).success
        yield house


def told(house: Operated, *key: str, partition: str | None = None) -> dict[str, object]:
    return dict(metadata_of(house.instance, key, partition))


def test_a_refresh_tells_what_there_is_to_know(house: Operated) -> None:
    for endpoint in ENDPOINTS["zaptec"]:
        raw = told(house, "raw", "zaptec", endpoint.name)
        assert raw["as_of"] == NOW.isoformat()
        for count in ("rows_received", "windows", "requests", "bytes_received"):
            assert isinstance(raw[count], int)
            assert raw[count], count
        assert raw["retries"] == raw["failed_windows"] == 0
        preview = str(raw["preview"])
        assert preview.startswith("| object_id | scope | vendor_started")
        assert "payload" not in preview

    months = house.lakes.published.months(FACT_SESSION)
    audit = str(told(house, "ops", "load_audit")["months_touched_and_why"])
    assert all(f"| {month} | new |" in audit for month in months)

    counts = house.lakes.published.row_counts(FACT_SESSION)
    for month in months:
        of_month = told(house, "fact_session", partition=month)
        assert of_month["dagster/partition_row_count"] == of_month["rows_change"] == counts[month]
        assert of_month["energy_kwh"] == of_month["energy_kwh_change"]
        assert of_month["touched_last_because"] == "new"

    for table in (FACT_SESSION, FACT_ENERGY):
        newest = told(house, table.name)
        shown = re.findall(r"!\[(.+?)\]\(data:image/svg\+xml;base64,[A-Za-z0-9+/=]+\)", str(newest["pictures"]))
        assert shown == PICTURES[table.name]
        assert isinstance(newest["dagster/column_lineage"], dg.TableColumnLineage)
        assert str(newest["preview"]).startswith("| vendor | session_id |")
        older = told(house, table.name, partition=months[0])
        assert "pictures" not in older, "pictures stand on the newest month alone"
    for key in (["dim_location"], ["ops", "coverage"], ["ops", "month_quality"], ["ops", "vocabulary"]):
        assert "preview" in told(house, *key), key


def test_months_built_by_hand_in_one_run_each_have_their_own_numbers(house: Operated) -> None:
    months = house.lakes.published.months(FACT_SESSION)
    first, last = months[0], months[-1]
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    assert house.run("build_months", tags).success
    counts = house.lakes.published.row_counts(FACT_SESSION)
    for month in months:
        of_month = told(house, "fact_session", partition=month)
        assert (of_month["dagster/partition_row_count"], of_month["rows_change"]) == (counts[month], 0)
    assert "pictures" in told(house, "fact_session", partition=last)


def test_a_month_read_again_from_the_ui_asks_every_vendor_for_it_and_is_rebuilt(house: Operated) -> None:
    asked = len(house.sandbox.requests)
    month = house.lakes.published.months(FACT_SESSION)[1]
    assert house.run("backfill_months", {"dagster/partition": month}).success
    vendors = {request.vendor for request in list(house.sandbox.requests)[asked:]}
    assert vendors == {"zaptec", "greenflux", "smappee"}
    assert told(house, "ops", "month_reading", partition=month)["failures"] == 0
    assert told(house, "fact_session", partition=month)["rows_change"] == 0


def test_a_load_that_brings_nothing_leaves_the_facts_up_to_date(house: Operated) -> None:
    month = house.lakes.published.months(FACT_SESSION)[-1]
    assert house.run("build_months", {"dagster/partition": month}).success
    assert house.load(NOW + timedelta(milliseconds=1)).success
    graph = house.definitions.get_repository_def().asset_graph
    resolver = CachingStaleStatusResolver(house.instance, graph, LoadingContextForTest(house.instance))
    assert resolver.get_status(dg.AssetKey("fact_session"), month) == StaleStatus.FRESH
