"""A rebuild, and months read again in any order (F32), leave every table as the refreshes left it."""

import random
import shutil

import pytest

from pipelines import command
from pipelines.tables.lakes import Lakes
from tests.crashes.conftest import REFRESHES
from tests.crashes.flaw import Flaw
from tests.crashes.house import KILLED, TABLES, House
from warehouse.tables import FACT_SESSION

MONTHS = ("2026-01", "2026-02", "2026-03")


def everything(house: House) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every published table, as text."""
    return {
        table: sorted(tuple(str(value) for value in row) for row in house.query(f"SELECT * FROM {table}"))
        for table in (*TABLES, "ops.coverage", "ops.load_audit")
    }


@pytest.mark.parametrize(
    "arguments",
    [(), pytest.param(("--from", "2026-02", "--to", "2026-02"), marks=pytest.mark.long)],
    ids=["whole", "one month"],
)
def test_a_rebuild_changes_no_row_of_any_table(full_house: House, arguments: tuple[str, ...]) -> None:
    before = everything(full_house)
    assert all(before.values())
    assert full_house.run("rebuild", *arguments) == command.DONE
    after = everything(full_house)
    for table, rows in before.items():
        assert after[table] == rows, table
    full_house.assert_equals_the_truth(REFRESHES)


def test_a_rebuild_without_the_lake_makes_the_same_audit_again(full_house: House) -> None:
    before = everything(full_house)
    shutil.rmtree(full_house.data / "lake")
    assert full_house.run("rebuild") == command.DONE
    after = everything(full_house)
    for table, rows in before.items():
        assert after[table] == rows, table


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_months_backfilled_in_any_order_leave_the_same_facts(full_house: House, seed: int) -> None:
    months = random.Random(seed).sample(MONTHS, k=3)
    for month in months:
        as_of = REFRESHES[-1].isoformat()
        assert full_house.run("backfill", "--from", month, "--to", month, "--as-of", as_of) == command.DONE
    full_house.assert_equals_the_truth(REFRESHES)


def test_a_backfill_builds_its_months_though_nothing_differs(full_house: House) -> None:
    lake = Lakes.below(full_house.data).published
    files = {file.path for file in lake.files(FACT_SESSION)}
    as_of = REFRESHES[-1].isoformat()
    assert full_house.run("backfill", "--from", "2026-02", "--to", "2026-02", "--as-of", as_of) == command.DONE
    full_house.assert_equals_the_truth(REFRESHES)
    assert full_house.query("SELECT month FROM ops.touched_month WHERE reason = 'backfill'") == [("2026-02",)]
    built = {
        file.month for file in Lakes.below(full_house.data).published.files(FACT_SESSION) if file.path not in files
    }
    assert built == {"2026-02"}


def test_a_rebuild_of_one_month_builds_also_what_a_killed_refresh_left_unbuilt(house: House) -> None:
    flaw = Flaw("pipelines.orchestration.table_assets:stage")
    status, _, complaints = house.run_flawed(flaw, "refresh", "--as-of", REFRESHES[1].isoformat())
    assert status == KILLED, complaints
    assert house.run("rebuild", "--from", "2026-01", "--to", "2026-01") == command.DONE
    house.assert_equals_the_truth(REFRESHES[:2])


@pytest.mark.parametrize(
    "flaw",
    [
        pytest.param(Flaw("shutil:rmtree", named="staging.discarded"), marks=pytest.mark.long),
        pytest.param(Flaw("pipelines.orchestration.table_assets:stage"), marks=pytest.mark.long),
        pytest.param(Flaw("warehouse.lake:commit", named="staged_session"), marks=pytest.mark.long),
        Flaw(
            "warehouse.lake:commit",
            named="fact_session",
            nth=2,
            constants={"pipelines.tables.monthly_facts:SESSIONS_AT_ONCE": 1},
        ),
    ],
    ids=["while the old is removed", "before staging", "while staging", "between months"],
)
def test_a_killed_rebuild_is_mended_by_the_next_refresh(house: House, flaw: Flaw) -> None:
    status, _, complaints = house.run_flawed(flaw, "rebuild")
    assert status == KILLED, complaints
    house.assert_converges(REFRESHES[:2])
