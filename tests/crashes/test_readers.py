"""Readers during a run and its crashes (F28) always see one complete state, the one before or the one after."""

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

from pipelines.settings import PROJECT_FOLDER
from tests.crashes.conftest import REFRESHES
from tests.crashes.flaw import Flaw
from tests.crashes.house import KILLED, PATIENCE_SECONDS, House, wait_for

AS_OF = ("--as-of", REFRESHES[1].isoformat())
CRASHES = (
    Flaw("warehouse.lake:commit", named="fact_session", moment="after"),
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
    wait_for(stop.with_name(f"{process.pid}.began"))
    return process


def answers(process: "subprocess.Popen[str]") -> list[list[object]]:
    """What a reader saw, once it was told to stop."""
    printed, complaints = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, complaints
    seen: list[list[object]] = json.loads(printed)
    return seen


def true_state(house: House, refreshes: tuple[int, ...]) -> list[object]:
    """The truth's answer to the reader's query."""
    truth = house.truth_of([REFRESHES[each] for each in refreshes])

    def kwh(table: str) -> str:
        return str(sum((row["energy_kwh"] for row in truth[table] if row["energy_kwh"] is not None), Decimal(0)))

    return [len(truth["fact_session"]), kwh("fact_session"), kwh("fact_energy"), len(truth["dim_charge_station"])]


def test_readers_see_the_state_before_or_after_and_nothing_between(house: House, tmp_path: Path) -> None:
    stop = tmp_path / "stop"
    keeps_it_open, opens_it_anew = reading(house, stop, "held"), reading(house, stop)
    for crash in CRASHES:
        assert house.run_flawed(crash, "refresh", *AS_OF)[0] == KILLED
    house.assert_converges(REFRESHES[:2])
    stop.touch()
    before, after = true_state(house, (0,)), true_state(house, (0, 1))
    assert before != after
    assert answers(keeps_it_open) == [before]
    assert answers(opens_it_anew) == [before, after]
