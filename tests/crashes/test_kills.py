"""kill -9 at every stage (F24): the next plain refresh ends equal to the truth."""

from collections.abc import Collection, Mapping

import dagster as dg
import pytest
from _pytest.mark import ParameterSet

from tests.crashes.conftest import REFRESHES
from tests.crashes.flaw import Flaw
from tests.crashes.house import KILLED, House
from warehouse.tables import TABLES

DLT = "dlt.pipeline.pipeline:Pipeline"
DLT_FILES = "dlt.destinations.impl.filesystem.filesystem:FilesystemClient"
MANY_LOADS = {"pipelines.raw.extraction:LOAD_ROWS": 100}
MANY_ROUNDS = {
    **MANY_LOADS,
    "pipelines.tables.staging:ROWS_IN_A_ROUND": 100,
    "pipelines.tables.staging:ROWS_WRITTEN_AT_ONCE": 10,
}
MANY_BATCHES = {"pipelines.tables.monthly_facts:SESSIONS_AT_ONCE": 1}
STAGED_TABLES = sum(table.group == "staging" for table in TABLES)

POINTS = {
    "while Dagster's home is prepared": Flaw("pipelines.operations.runs:build_definitions"),
    "while fetching": Flaw("pipelines.raw.extraction:_VendorExtraction._read_window", nth=6),
    "between two loads": Flaw("pipelines.raw.raw_log:RawLog.append", moment="after", constants=MANY_LOADS),
    "before dlt extracts": Flaw(f"{DLT}.extract"),
    "between dlt's extract and normalize": Flaw(f"{DLT}.extract", moment="after"),
    "between dlt's normalize and load": Flaw(f"{DLT}.normalize", moment="after"),
    "between two raw files": Flaw("fsspec.implementations.local:LocalFileSystem.put_file", nth=3),
    "inside a raw file": Flaw(
        "fsspec.implementations.local:LocalFileSystem.put_file",
        nth=3,
        happening="cut short and killed",
        path_argument=2,
    ),
    "between the raw files and the state": Flaw(f"{DLT_FILES}._store_current_state"),
    "inside the state file": Flaw(f"{DLT_FILES}._write_to_json_file", nth=1, happening="cut short and killed"),
    "between the state and the load record": Flaw(f"{DLT_FILES}._store_load"),
    "inside the load record": Flaw(f"{DLT_FILES}._write_to_json_file", nth=2, happening="cut short and killed"),
    "after the load record": Flaw(f"{DLT_FILES}._store_load", moment="after"),
    "between raw and staging": Flaw("pipelines.orchestration.table_assets:stage"),
    "between touched months and audit": Flaw("pipelines.tables.staging:note_touched", moment="after"),
    "between audit and staged tables": Flaw("pipelines.tables.staging:note_received", moment="after"),
    "between two staged tables": Flaw("warehouse.lake:commit", named="staged_charge_station", moment="after"),
    "between two months of the staged sessions": Flaw(
        "warehouse.lake:commit", named="staged_session", moment="after", constants=MANY_ROUNDS
    ),
    "inside the second round of staging": Flaw("pipelines.tables.staging:note_received", nth=2, constants=MANY_ROUNDS),
    "inside a staged file": Flaw("polars:DataFrame.write_parquet", nth=6, happening="cut short and killed"),
    "between a staged file and its commit": Flaw(
        "deltalake:DeltaTable.create_write_transaction",
        nth=7,
    ),
    "before old staged files are removed": Flaw("warehouse.lake:Lake.tidy"),
    "between staging and facts": Flaw("pipelines.orchestration.month_assets:build_months"),
    "between fact_session and rejected_session": Flaw("warehouse.lake:commit", named="fact_session", moment="after"),
    "between rejected_session and fact_energy": Flaw("warehouse.lake:commit", named="rejected_session", moment="after"),
    "inside a month of fact_energy": Flaw("warehouse.lake:commit", named="fact_energy"),
    "between two batches of months": Flaw(
        "warehouse.lake:commit", named="fact_energy", moment="after", constants=MANY_BATCHES
    ),
    "inside the second batch of months": Flaw(
        "warehouse.lake:commit", named="fact_session", nth=2, moment="after", constants=MANY_BATCHES
    ),
    "between facts and dimensions": Flaw("pipelines.orchestration.table_assets:build_dimension"),
    "between two dimensions": Flaw("warehouse.lake:commit", named="dim_charge_station", moment="after"),
    "before the publication": Flaw("pipelines.orchestration.table_assets:publish_warehouse"),
    "inside the publication": Flaw("warehouse.publication:comment_statements", nth=4),
    "before the rename": Flaw("pathlib:Path.replace", named=".building"),
    "after the rename": Flaw("pathlib:Path.replace", named=".building", moment="after"),
    "before old files are removed": Flaw("warehouse.lake:Lake.tidy", nth=STAGED_TABLES + 1),
}
QUICK = (
    "between two months of the staged sessions",
    "while fetching",
    "inside a raw file",
    "between the state and the load record",
    "inside the second batch of months",
    "before the rename",
)
AT_THE_FIRST_REFRESH = {
    "inside Dagster's configuration": Flaw("pathlib:Path.replace", named=".dagster.yaml"),
    "while dlt makes its folder": Flaw(f"{DLT_FILES}.create_dataset", moment="after"),
    "inside the stored schema": Flaw(f"{DLT_FILES}._write_to_json_file", happening="cut short and killed"),
    "inside the first state file": Flaw(f"{DLT_FILES}._write_to_json_file", nth=2, happening="cut short and killed"),
    "between a table and its first rows": Flaw("warehouse.commits:create", named="staged_session", moment="after"),
    **{name: flaw for name, flaw in POINTS.items() if not name.startswith(("inside the state", "inside the load"))},
}
QUICK_AT_THE_FIRST = ("while dlt makes its folder", "inside the first state file")


def cases(points: Mapping[str, Flaw], quick: Collection[str]) -> list[ParameterSet]:
    """The `quick` points for every test run, the others for the long one."""
    return [
        pytest.param(flaw, id=name, marks=[] if name in quick else [pytest.mark.long]) for name, flaw in points.items()
    ]


@pytest.mark.parametrize("flaw", cases(POINTS, QUICK))
def test_the_refresh_after_a_killed_one_ends_equal_to_the_truth(house: House, flaw: Flaw) -> None:
    status, _, complaints = house.run_flawed(flaw, "refresh", "--as-of", REFRESHES[1].isoformat())
    assert status == KILLED, complaints
    house.assert_converges(REFRESHES[:2])


@pytest.mark.parametrize("flaw", cases(AT_THE_FIRST_REFRESH, QUICK_AT_THE_FIRST))
def test_the_refresh_after_a_killed_first_one_ends_equal_to_the_truth(new_house: House, flaw: Flaw) -> None:
    new_house.sandbox.now = REFRESHES[0]
    status, _, complaints = new_house.run_flawed(flaw, "refresh", "--as-of", REFRESHES[0].isoformat())
    assert status == KILLED, complaints
    new_house.assert_converges(REFRESHES[:1])


def test_the_history_does_not_keep_a_killed_run_as_running(house: House) -> None:
    status, _, complaints = house.run_flawed(
        POINTS["between raw and staging"], "refresh", "--as-of", REFRESHES[1].isoformat()
    )
    assert status == KILLED, complaints
    assert statuses_of_runs(house) == [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUCCESS]
    house.assert_converges(REFRESHES[:2])
    assert statuses_of_runs(house) == [
        dg.DagsterRunStatus.SUCCESS,
        dg.DagsterRunStatus.FAILURE,
        dg.DagsterRunStatus.SUCCESS,
    ]


def statuses_of_runs(house: House) -> list[dg.DagsterRunStatus]:
    """The status of every recorded run, newest first."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DAGSTER_HOME", str(house.data / "dagster"))
        with dg.DagsterInstance.get() as instance:
            return [run.status for run in instance.get_runs()]
