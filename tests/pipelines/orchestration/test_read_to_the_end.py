"""What the check of a raw list says about a run, also for a list that was not asked because another failed."""

from collections.abc import Mapping

import dagster as dg

from pipelines.orchestration.raw_assets import CHECK, raw_keys
from pipelines.personal_data import PSEUDONYM
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder
from tests.pipelines.orchestration.operated import Operated, operated


def test_a_list_that_was_not_asked_since_another_failed_is_not_read_to_its_end(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    nowhere = {"ZAPTEC_BASE_URL": "http://127.0.0.1:9"}
    with operated(sandbox_settings("zaptec", "greenflux", **nowhere), sandbox) as house:
        verdicts = read_to_the_end(house.load(NOW))
    assert not verdicts["zaptec", "installations"].passed
    assert not verdicts["zaptec", "sessions"].passed
    sessions = str(verdicts["zaptec", "sessions"].description)
    assert "This list was not requested" in sessions
    assert "zaptec installations" in sessions
    assert verdicts["greenflux", "cdrs"].passed
    assert "read to" in str(verdicts["greenflux", "cdrs"].description)


def read_to_the_end(result: dg.ExecuteInProcessResult) -> Mapping[tuple[str, str], dg.AssetCheckEvaluation]:
    """The check of every raw list, by vendor and endpoint."""
    evaluations = result.get_asset_check_evaluations()
    return {(each.asset_key.path[1], each.asset_key.path[2]): each for each in evaluations if each.check_name == CHECK}


def test_the_check_alone_judges_by_the_last_reading_and_asks_no_vendor(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    nowhere = {"ZAPTEC_BASE_URL": "http://127.0.0.1:9"}
    with operated(sandbox_settings("zaptec", "greenflux", **nowhere), sandbox) as house:
        house.load(NOW)
        asked = len(sandbox.requests)
        result = check_alone(house)
    assert result.success
    assert len(sandbox.requests) == asked
    assert not result.get_asset_materialization_events()
    verdicts = read_to_the_end(result)
    assert len(verdicts) == 13
    assert not verdicts["zaptec", "installations"].passed
    assert "the host cannot be reached" in str(verdicts["zaptec", "installations"].description)
    assert not verdicts["zaptec", "sessions"].passed
    assert verdicts["greenflux", "cdrs"].passed
    told = str(verdicts["greenflux", "cdrs"].description)
    assert told.startswith("At the last reading, as of 2026-04-10 00:00:00 UTC: ")
    assert verdicts["smappee", "sessions"].passed
    assert "smappee was never read" in str(verdicts["smappee", "sessions"].description)


def check_alone(house: Operated) -> dg.ExecuteInProcessResult:
    """Run the check of every raw list without the list itself, as the web UI's button does."""
    checks = {dg.AssetCheckKey(key, CHECK) for key in raw_keys(["zaptec", "jedlix", "greenflux", "smappee"])}
    job = house.definitions.resolve_implicit_global_asset_job_def()
    alone = job.get_subset(asset_selection=set(), asset_check_selection=checks)
    return alone.execute_in_process(
        instance=house.instance,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )


def test_no_event_names_the_person_whose_sessions_could_not_be_read(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    sandbox.faults.arm("status", "zaptec", endpoint="sessions", value=404, times=None)
    with operated(sandbox_settings("zaptec", ZAPTEC_USER_IDS="somebody"), sandbox) as house:
        result = house.load(NOW)
    told = [str(event) for event in result.all_events]
    assert any("zaptec sessions (user:(pseudonym))" in text for text in told)
    assert not any(PSEUDONYM.search(text) for text in told)
