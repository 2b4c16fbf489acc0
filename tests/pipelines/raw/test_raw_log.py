"""The raw log through the real dlt: rows and positions commit together, and survive the loss of the working folder."""

import gc
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from dlt.common import time as clocks

from pipelines.personal_data import Cleaner, PersonalData, Pseudonyms
from pipelines.raw.positions import Positions
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.raw_rows import raw_rows
from pipelines.raw.readings import Reading, readings_table
from pipelines.vendors.contract import Endpoint, Position
from pipelines.vendors.paging.pages import Page

AT = datetime(2026, 4, 1, 6, tzinfo=UTC)
PLACE = ("jedlix", "sessions", "all")
ENDPOINT = Endpoint("jedlix", "sessions", "", "", id_field="id")


def rows(*identities: str) -> pa.Table:
    cleaner = Cleaner(PersonalData(), Pseudonyms("jedlix", b"key"), keep_signed_readings=False)
    page = Page([{"id": identity} for identity in identities], AT)
    return raw_rows([page], ENDPOINT, "all", cleaner, AT, "run-1").table


def readings(run_id: str = "run-1") -> list[pa.Table]:
    return [readings_table([Reading(run_id, AT, *PLACE, "refresh", "complete", None, AT)])]


def append(log: RawLog, positions: Positions, *identities: str, vendor: str = "jedlix") -> None:
    log.append({"jedlix_sessions": [rows(*identities)], READINGS: readings()}, positions, [vendor])


def stored_ids(log: RawLog) -> list[str]:
    return [identity for file in log.files("jedlix_sessions") for identity in pl.read_parquet(file.path)["object_id"]]


def read_to(watermark: datetime, vendor: str = "jedlix") -> Positions:
    return Positions(
        {(vendor, "sessions", "all"): watermark},
        {(vendor, "all"): {"s-1": (AT - timedelta(days=3), AT), "s-2": (None, AT)}},
    )


@pytest.fixture
def log(tmp_path: Path) -> RawLog:
    return RawLog(tmp_path / "data with a space & ünïcode")


def test_an_empty_log_has_no_positions_no_files_and_no_loads(log: RawLog) -> None:
    assert log.positions() == Positions()
    assert log.files("jedlix_sessions") == []
    assert log.newest_load() is None
    assert log.readings().is_empty()
    assert log.positions().of(*PLACE) == Position()


def test_rows_and_positions_are_there_together(log: RawLog) -> None:
    append(log, read_to(AT), "a", "b")
    assert stored_ids(log) == ["a", "b"]
    assert log.positions() == read_to(AT)
    assert log.positions().of(*PLACE) == Position(AT, (AT - timedelta(days=3),))
    assert log.readings()["run_id"].to_list() == ["run-1"]


def test_records_that_were_read_before_are_read_again_where_they_have_changed(log: RawLog) -> None:
    append(log, read_to(AT), "a")
    assert log.readings()["scope"].to_list() == ["all"]
    append(log, read_to(AT), "b")
    assert log.readings()["scope"].to_list() == ["all", "all"]
    [first, _] = log.files(READINGS)

    files = iter([True, False])

    def renamed(table: str, rows: pa.Table) -> pa.Table | None:
        if table != READINGS or not next(files):
            return None
        return pl.DataFrame(rows).with_columns(scope=pl.lit("forgotten")).to_arrow().cast(rows.schema)

    log.rewrite(renamed, lambda scope: True)
    assert log.readings()["scope"].to_list() == ["forgotten", "all"]
    assert log.until(first.load_number).readings()["scope"].to_list() == ["forgotten"]
    assert log.readings()["scope"].to_list() == ["forgotten", "all"]


def test_the_columns_stored_are_those_of_a_raw_row_to_the_microsecond(log: RawLog) -> None:
    append(log, read_to(AT), "a")
    stored = pl.read_parquet(log.files("jedlix_sessions")[0].path)
    assert [name for name in stored.columns if not name.startswith("_dlt")] == rows("a").schema.names
    assert stored["requested_at"].to_list() == [AT]


def test_loads_are_numbered_in_the_order_of_their_making(log: RawLog) -> None:
    for number in range(3):
        append(log, read_to(AT + timedelta(hours=number)), str(number))
    numbers = [file.load_number for file in log.files("jedlix_sessions")]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 3
    assert stored_ids(log) == ["0", "1", "2"]
    assert log.newest_load() == numbers[-1]
    assert [file.load_number for file in log.files("jedlix_sessions", numbers[0])] == numbers[1:]
    assert log.readings(numbers[1]).height == 1


def test_f45_what_is_loaded_after_the_clock_was_set_back_is_the_newest_all_the_same(
    log: RawLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(log, read_to(AT), "before")
    first = log.newest_load()
    # As for a process that starts after the clock was set back.
    two_hours_ago = time.time() - 7_200
    monkeypatch.setattr(clocks, "precise_time", lambda: two_hours_ago)
    monkeypatch.setattr(clocks.increasing_precise_time, "_last", two_hours_ago)
    for number in range(3):
        append(log, read_to(AT + timedelta(hours=number)), str(number))
    assert stored_ids(log) == ["before", "0", "1", "2"]
    assert len(log.files("jedlix_sessions", first)) == 3
    assert log.positions() == read_to(AT + timedelta(hours=2))


def test_a_lost_working_folder_costs_nothing(log: RawLog, tmp_path: Path) -> None:
    append(log, read_to(AT), "a")
    shutil.rmtree(next(tmp_path.glob("data*")) / "dlt")
    other = RawLog(next(tmp_path.glob("data*")))
    assert other.positions() == read_to(AT)
    append(other, read_to(AT + timedelta(days=1)), "b")
    assert stored_ids(other) == ["a", "b"]
    assert other.positions().watermarks == {PLACE: AT + timedelta(days=1)}


def test_a_working_folder_lost_right_before_a_load_keeps_the_other_vendors_positions(
    log: RawLog, tmp_path: Path
) -> None:
    append(log, read_to(AT, "zaptec"), "a", vendor="zaptec")
    shutil.rmtree(next(tmp_path.glob("data*")) / "dlt")
    append(log, read_to(AT, "jedlix"), "b", vendor="jedlix")
    assert set(log.positions().watermarks) == {("zaptec", "sessions", "all"), PLACE}


def test_a_log_copied_to_another_machine_goes_on(log: RawLog, tmp_path: Path) -> None:
    append(log, read_to(AT), "a")
    shutil.copytree(next(tmp_path.glob("data*")) / "raw", tmp_path / "copy" / "raw")
    copy = RawLog(tmp_path / "copy")
    assert copy.positions() == read_to(AT)
    assert stored_ids(copy) == ["a"]


def test_one_vendors_load_leaves_the_positions_of_the_others(log: RawLog) -> None:
    append(log, read_to(AT, "zaptec"), "a", vendor="zaptec")
    ahead = Positions(
        {("zaptec", "sessions", "all"): AT + timedelta(days=9), PLACE: AT}, {("zaptec", "all"): {"other": (AT, AT)}}
    )
    append(log, ahead, "b", vendor="jedlix")
    positions = log.positions()
    assert positions.watermarks == {("zaptec", "sessions", "all"): AT, PLACE: AT}
    assert set(positions.open_sessions["zaptec", "all"]) == {"s-1", "s-2"}


def test_sessions_that_ended_leave_the_positions(log: RawLog) -> None:
    append(log, read_to(AT), "a")
    append(log, Positions({PLACE: AT}), "b")
    assert log.positions().of(*PLACE) == Position(AT)


def test_files_of_a_load_that_was_never_completed_are_not_read(log: RawLog, tmp_path: Path) -> None:
    append(log, read_to(AT), "a")
    folder = next(tmp_path.glob("data*")) / "raw"
    first = log.files("jedlix_sessions")[0].path
    shutil.copy(first, first.with_name("9999999999.1234567.abcdef.parquet"))
    (folder / "jedlix_sessions" / "8888888888.1.half.parquet").write_bytes(b"PAR1")
    assert stored_ids(log) == ["a"]
    assert len(log.files("jedlix_sessions")) == 1


@pytest.mark.parametrize("step", ["dlt.Pipeline.extract", "dlt.Pipeline.normalize", "dlt.Pipeline.load"])
def test_a_load_that_is_cut_off_is_there_with_its_position_or_not_at_all(
    step: str, log: RawLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    append(log, read_to(AT), "a")
    with monkeypatch.context() as context:
        context.setattr(step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            append(log, read_to(AT + timedelta(days=1)), "b")
    watermark = log.positions().watermarks[PLACE]
    assert (stored_ids(log), watermark) in ((["a"], AT), (["a", "b"], AT + timedelta(days=1)))
    append(log, read_to(AT + timedelta(days=2)), "c")
    assert stored_ids(log)[-1] == "c"
    assert log.positions().watermarks == {PLACE: AT + timedelta(days=2)}


def test_a_stored_start_of_before_there_was_any_charging_is_nothing_to_read_from(log: RawLog) -> None:
    year_1 = datetime(1, 1, 1, tzinfo=UTC)
    append(log, Positions({PLACE: AT}, {("jedlix", "all"): {"old": (AT, AT), "odd": (year_1, AT)}}), "a")
    assert log.positions().open_sessions["jedlix", "all"] == {"old": (AT, AT), "odd": (None, AT)}
    assert log.positions().of(*PLACE).open_since == (AT,)


def test_odd_scopes_and_ids_come_back_as_they_went(log: RawLog) -> None:
    odd = "../x.y/'; DROP\n🔌 \"%2e"
    positions = Positions({("jedlix", "sessions", odd): AT}, {("jedlix", odd): {odd: (AT, AT)}})
    append(log, positions, odd)
    assert log.positions() == positions
    assert stored_ids(log) == [odd]


def test_rows_take_no_memory_any_more_once_they_are_appended(log: RawLog) -> None:
    append(log, Positions(), "what a first load imports and keeps")
    gc.collect()
    gc.disable()
    try:
        before = pa.total_allocated_bytes()
        append(log, Positions(), *map(str, range(10_000)))
        assert pa.total_allocated_bytes() == before
    finally:
        gc.enable()
