"""Readers during a run and its crashes (F28): always one complete state, that before or that after."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from pipelines.settings import PROJECT_FOLDER
from tests.crashes.conftest import REFRESHES
from tests.crashes.flaw import Flaw
from tests.crashes.house import KILLED, House, wait_for

AS_OF = ("--as-of", REFRESHES[1].isoformat())
CRASHES = (
    Flaw("warehouse.lake:commit", named="fact_session", moment="after"),
    Flaw("warehouse.publication:comment_statements", nth=4),
    Flaw("pathlib:Path.replace", named=".building"),
)


def reading(house: House, stop: Path, *held: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crashes.reader", str(house.data / "warehouse.duckdb"), str(stop), *held],
        cwd=PROJECT_FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(stop.with_suffix(".began"))
    return process


def true_state(house: House, refreshes: tuple[int, ...]) -> list[object]:
    """What the truth answers to the reader's question."""
    truth = house.truth_of([REFRESHES[each] for each in refreshes])

    def kwh(table: str) -> str:
        return str(sum((row["energy_kwh"] for row in truth[table] if row["energy_kwh"] is not None), Decimal(0)))

    return [len(truth["fact_session"]), kwh("fact_session"), kwh("fact_energy"), len(truth["dim_charge_station"])]


@pytest.mark.parametrize("held", [("held",), ()], ids=["one that keeps it open", "one that opens it anew"])
def test_a_reader_sees_the_state_before_or_after_and_nothing_between(
    house: House, tmp_path: Path, held: tuple[str, ...]
) -> None:
    stop = tmp_path / "stop"
    process = reading(house, stop, *held)
    for crash in CRASHES:
        assert house.run_flawed(crash, "refresh", *AS_OF)[0] == KILLED
    house.assert_converges(REFRESHES[:2])
    stop.touch()
    printed, complaints = process.communicate(timeout=60)
    assert process.returncode == 0, complaints
    before, after = true_state(house, (0,)), true_state(house, (0, 1))
    assert before != after
    assert json.loads(printed) == ([before] if held else [before, after])
