"""The web UI as a person meets it after a refresh on the command line: graph, months, pictures, checks, one click."""

import dagster as dg
import pytest

from pipelines.orchestration.radar_assets import CHECK as RADAR_CHECK
from pipelines.orchestration.sensors import FINISHED
from pipelines.orchestration.table_specs import table_key
from pipelines.tables.lakes import MONTHLY_FACTS
from tests.browser.window import Window
from tests.pipelines.orchestration.operated import Operated
from warehouse.tables import FACT_ENERGY, VENDOR_RADAR

GROUPS = (
    *("raw_zaptec", "raw_jedlix", "raw_greenflux", "raw_smappee"),
    *("staging", "facts", "dimensions", "operations", "publication"),
)
PICTURES_OF = {"fact_energy": 3, "fact_session": 2}
VERDICTS = {
    ("fact_energy", "slots_add_up_to_the_session"): "The slots of every session add up exactly to its energy.",
    ("fact_session", "one_row_per_session"): "Every session appears once.",
    ("ops/load_audit", "nothing_unaccounted"): "Everything received is accounted for.",
    ("ops/coverage", "months_complete"): "Every month was read from end to end.",
}


def test_the_asset_graph_shows_every_stage_from_the_vendors_to_the_publication(window: Window) -> None:
    window.open("/asset-groups")
    for group in GROUPS:
        window.sees(group)


def test_after_a_refresh_every_stored_month_of_a_fact_is_materialized(window: Window, house: Operated) -> None:
    months = stored_months(house)
    assert len(months) >= 4
    window.open("/assets/fact_energy?view=partitions")
    page = window.reads(f"Materialized ({len(months)})")
    assert "Failed (0)" in page
    for month in months:
        assert month in page
    window.sees(months[1]).click()
    window.sees("energy_kwh")
    window.sees("touched_last_because")


@pytest.mark.parametrize("fact", PICTURES_OF)
def test_the_pictures_of_a_fact_are_images_that_the_browser_draws(window: Window, fact: str) -> None:
    window.open(f"/assets/{fact}?view=events")
    window.find("//tr[td[normalize-space()='pictures']]//*[text()='[Show Markdown]']", "the pictures' link").click()
    images = window.loaded_images("//*[@role='dialog']//img")
    assert len(images) == PICTURES_OF[fact]
    assert len({image.get_attribute("alt") for image in images}) == len(images)


@pytest.mark.parametrize(("asset", "check"), VERDICTS)
def test_a_check_gives_its_verdict_as_a_sentence(window: Window, asset: str, check: str) -> None:
    window.open(f"/assets/{asset}?view=checks&checkDetail={check}")
    page = window.reads(VERDICTS[asset, check])
    assert "Passed" in page
    assert "Metadata" in page, "the numbers behind it"


def test_the_vendor_radar_says_whether_anything_is_about_to_disappear(window: Window) -> None:
    window.open(f"/assets/{table_key(VENDOR_RADAR).to_user_string()}?view=checks&checkDetail={RADAR_CHECK}")
    # The page shows its parts as they load.
    window.reads("rows_at_risk")
    window.reads("No unread data disappears within")


def test_a_month_is_materialized_by_clicking_and_no_other(window: Window, house: Operated) -> None:
    month = stored_months(house)[2]
    before = {table: house.versions(table) for table in MONTHLY_FACTS}
    earlier = {run.run_id for run in house.instance.get_runs()}

    window.open("/assets/fact_energy")
    window.press("Materialize")
    window.type_in("//*[@role='dialog']//input[@type='text']", month)
    window.press("Launch 1 run")
    window.reads("Launched run")
    run = window.wait_until(lambda: finished_run(house, earlier), "a run that has ended")

    assert run.is_success
    assert run.tags["dagster/partition"] == month
    assert materialized_months(house, run) == {(table_key(table), month) for table in MONTHLY_FACTS}
    for table in MONTHLY_FACTS:
        after = house.versions(table)
        assert {each for each in after if after[each] != before[table].get(each)} <= {month}
    after = house.versions(FACT_ENERGY)
    assert after[month] != before[FACT_ENERGY][month], "nothing was written anew"
    window.open(f"/runs/{run.run_id}")
    window.sees("Success")


def stored_months(house: Operated) -> list[str]:
    """The months in which the energy fact has rows, oldest first."""
    return sorted(month for month in house.versions(FACT_ENERGY) if month is not None)


def finished_run(house: Operated, earlier: set[str]) -> dg.DagsterRun | None:
    """The one run that is not among the `earlier` ones, once it has ended."""
    runs = [run for run in house.instance.get_runs() if run.run_id not in earlier]
    assert len(runs) <= 1
    return next((run for run in runs if run.status in FINISHED), None)


def materialized_months(house: Operated, run: dg.DagsterRun) -> set[tuple[dg.AssetKey, str]]:
    """Every month of an asset that the run recorded."""
    records = house.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION).records
    events = [record.event_log_entry.dagster_event for record in records]
    return {(event.asset_key, event.partition) for event in events if event and event.asset_key and event.partition}
