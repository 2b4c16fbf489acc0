"""What the check of a raw list says of a run, also of a list that nobody could ask for anything."""

from collections.abc import Mapping

import dagster as dg

from pipelines.raw_assets import CHECK
from sandbox.server import Sandbox
from tests.pipelines.conftest import NOW, SettingsBuilder
from tests.pipelines.operated import operated


def test_a_list_that_was_not_asked_since_another_failed_is_not_read_to_its_end(
    sandbox: Sandbox, sandbox_settings: SettingsBuilder
) -> None:
    nowhere = {"ZAPTEC_BASE_URL": "http://127.0.0.1:9"}
    with operated(sandbox_settings("zaptec", "greenflux", **nowhere), sandbox) as house:
        verdicts = read_to_the_end(house.load(NOW))
    assert not verdicts["zaptec", "installations"].passed
    assert not verdicts["zaptec", "sessions"].passed
    sessions = str(verdicts["zaptec", "sessions"].description)
    assert "Nothing was asked of this list" in sessions
    assert "zaptec installations" in sessions
    assert verdicts["greenflux", "cdrs"].passed
    assert "read to" in str(verdicts["greenflux", "cdrs"].description)


def read_to_the_end(result: dg.ExecuteInProcessResult) -> Mapping[tuple[str, str], dg.AssetCheckEvaluation]:
    """The check of every raw list, by vendor and endpoint."""
    evaluations = result.get_asset_check_evaluations()
    return {(each.asset_key.path[1], each.asset_key.path[2]): each for each in evaluations if each.check_name == CHECK}
