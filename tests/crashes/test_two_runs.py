"""Two refreshes at once (F27): the second waits for the first, and the result is the truth."""

import time
from pathlib import Path
from threading import Timer

import pytest

from pipelines import command
from tests.crashes.conftest import REFRESHES
from tests.crashes.flaw import Flaw
from tests.crashes.house import KILLED, PATIENCE_SECONDS, House, wait_for

AS_OF = ("--as-of", REFRESHES[1].isoformat())


def test_two_refreshes_started_together_both_succeed_and_leave_the_truth(house: House) -> None:
    both = [house.start("refresh", *AS_OF) for _ in range(2)]
    ends = [house.finish(process) for process in both]
    assert [status for status, _, _ in ends] == [command.DONE, command.DONE], ends
    house.assert_equals_the_truth(REFRESHES[:2])


def test_runs_that_make_the_history_at_the_same_time_leave_one_that_works(new_house: House) -> None:
    ends = [new_house.finish(process) for process in [new_house.start("rebuild") for _ in range(3)]]
    assert [status for status, _, _ in ends] == [command.DONE] * 3, ends
    new_house.assert_converges(REFRESHES[:1])


@pytest.mark.long
def test_refreshes_of_two_vendors_started_together_both_succeed_and_leave_the_truth(house: House) -> None:
    pairs = [("zaptec", "jedlix"), ("greenflux", "smappee")]
    both = [house.start("refresh", *AS_OF, "--vendor", *pair) for pair in pairs]
    ends = [house.finish(process) for process in both]
    assert [status for status, _, _ in ends] == [command.DONE, command.DONE], ends
    house.assert_equals_the_truth(REFRESHES[:2])


@pytest.mark.long
def test_a_rebuild_beside_a_refresh_leaves_the_truth(house: House) -> None:
    both = [house.start("refresh", *AS_OF), house.start("rebuild")]
    ends = [house.finish(process) for process in both]
    assert [status for status, _, _ in ends] == [command.DONE, command.DONE], ends
    house.assert_equals_the_truth(REFRESHES[:2])


@pytest.mark.parametrize(
    "function",
    [
        "pipelines.raw.raw_log:RawLog.append",
        pytest.param("pipelines.raw.extraction:open_vendor", marks=pytest.mark.long),
        pytest.param("pipelines.orchestration.table_assets:stage", marks=pytest.mark.long),
    ],
)
def test_a_second_refresh_waits_and_says_so(house: House, function: str, tmp_path: Path) -> None:
    flag = tmp_path / "reached"
    first = house.start("refresh", *AS_OF, flaw=Flaw(function, happening="paused", flag=str(flag)))
    wait_for(flag)
    second = house.start("refresh", *AS_OF)
    assert second.stderr is not None
    impatience = Timer(PATIENCE_SECONDS, second.kill)
    impatience.start()
    told = second.stderr.readline()
    while told and "another run" not in told:
        told = second.stderr.readline()
    impatience.cancel()
    flag.unlink()
    ends = [house.finish(first), house.finish(second)]
    assert "another run" in told
    assert [status for status, _, _ in ends] == [command.DONE, command.DONE], ends
    house.assert_equals_the_truth(REFRESHES[:2])


@pytest.mark.long
def test_locks_of_a_killed_run_need_nobody(house: House) -> None:
    status, _, complaints = house.run_flawed(Flaw("pipelines.orchestration.table_assets:stage"), "refresh", *AS_OF)
    assert status == KILLED, complaints
    assert list((house.data / "locks").glob("*.lock"))
    house.assert_converges(REFRESHES[:2])


@pytest.mark.long
def test_what_is_appended_while_another_run_stages_is_staged_and_audited_once(house: House, tmp_path: Path) -> None:
    flag = tmp_path / "reached"
    # By then the first run knows the newest load that it will stage.
    flaw = Flaw("pipelines.tables.staging:_rounds", happening="paused", flag=str(flag))
    first = house.start("refresh", *AS_OF, "--vendor", "zaptec", "jedlix", flaw=flaw)
    wait_for(flag)
    before = set((house.data / "raw" / "_dlt_loads").iterdir())
    second = house.start("refresh", *AS_OF, "--vendor", "greenflux", "smappee")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while set((house.data / "raw" / "_dlt_loads").iterdir()) == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    flag.unlink()
    ends = [house.finish(first), house.finish(second)]
    assert [status for status, _, _ in ends] == [command.DONE, command.DONE], ends
    house.assert_equals_the_truth(REFRESHES[:2])
