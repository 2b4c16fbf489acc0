"""Staging that is cut off between two rounds or two months, or overtaken by another load: every session is there
once, and every row is accounted for once."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.personal_data import Cleaner, PersonalData, Pseudonyms
from pipelines.raw.positions import Positions
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.raw_rows import raw_rows
from pipelines.raw.readings import Reading, readings_table
from pipelines.tables import staging
from pipelines.tables.lakes import Lakes
from pipelines.tables.staging import stage
from pipelines.vendors.jedlix import SESSIONS
from pipelines.vendors.paging.pages import Page
from warehouse.lake import Lake
from warehouse.tables import LATENESS, LOAD_AUDIT, STAGED_SESSION, TOUCHED_MONTH
from warehouse.tables.table import Table

AT = datetime(2026, 4, 1, 6, tzinfo=UTC)
RUN = "run-1"


def load(raw_log: RawLog, *names: str, month: str = "2026-03", asked_at: datetime = AT) -> None:
    """One load of one window of the same list, in the same run."""
    times = {"startTime": f"{month}-19T08:00:00Z", "endTime": f"{month}-20T08:00:00Z"}
    sessions = [{"id": name, **times} for name in names]
    cleaner = Cleaner(PersonalData(), Pseudonyms("jedlix", b"key"), keep_signed_readings=False)
    rows = raw_rows([Page(sessions, asked_at)], SESSIONS, "all", cleaner, AT, RUN).table
    reading = Reading(RUN, AT, "jedlix", "sessions", "all", "refresh", "complete", AT, AT, rows_received=len(names))
    raw_log.append({SESSIONS.table: [rows], READINGS: [readings_table([reading])]}, Positions(), ["jedlix"])


class Killed(Exception):
    """Ends the staging, in place of a real kill."""


@pytest.mark.parametrize(("before", "afterwards"), [(1, 100), (100, 1)])
def test_rows_of_a_round_that_was_cut_off_are_audited_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, afterwards: int
) -> None:
    """Both if each load is a round of its own and if all loads are one round."""
    raw_log, lakes = RawLog(tmp_path), Lakes.below(tmp_path)
    load(raw_log, "a", "b")
    load(raw_log, "b", "c", "d")

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        # The first round is audited, but nothing of it is written.
        patched.setattr(staging, "ROWS_IN_A_ROUND", before)
        patched.setattr(staging, "_write", killed)
        with pytest.raises(Killed):
            stage(raw_log, lakes, "UTC", AT, RUN)
    monkeypatch.setattr(staging, "ROWS_IN_A_ROUND", afterwards)
    stage(raw_log, lakes, "UTC", AT, RUN)
    [audit] = lakes.published.scan(LOAD_AUDIT).collect().to_dicts()
    counted = {name: audit[f"rows_{name}"] for name in ("received", "new", "changed", "unchanged")}
    assert counted == {"received": 5, "new": 4, "changed": 0, "unchanged": 1}
    assert lakes.published.scan(TOUCHED_MONTH).collect().height == 1


@pytest.mark.parametrize("step", ["note_touched", "_write"])
def test_sessions_of_rounds_before_a_kill_are_counted_as_first_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    raw_log, lakes = RawLog(tmp_path), Lakes.below(tmp_path)
    load(raw_log, "a", "b")
    load(raw_log, "c")
    taken, is_second = getattr(staging, step), iter([False, True])

    def killed_at_the_second(*arguments: Any) -> None:
        if next(is_second):
            raise Killed
        taken(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(staging, "ROWS_IN_A_ROUND", 1)
        patched.setattr(staging, step, killed_at_the_second)
        with pytest.raises(Killed):
            stage(raw_log, lakes, "UTC", AT, RUN)
    for _ in range(2):
        stage(raw_log, lakes, "UTC", AT, RUN)
        [row] = lakes.published.scan(LATENESS).collect().to_dicts()
        assert (row["as_of"], row["sessions_new"], row["sessions_late"]) == (AT, 3, 0)


def staged(lakes: Lakes) -> list[tuple[str, str]]:
    """The sessions that are staged, with their months."""
    rows = lakes.staging.scan(STAGED_SESSION).select("session_id", "month").collect()
    return sorted(rows.iter_rows())


def stage_until_the_second_month(raw_log: RawLog, lakes: Lakes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stage with a commit for every month, and be killed before the second commit of the staged sessions."""
    taken, is_second = Lake.replace_months, iter([False, True])

    def killed_at_the_second(lake: Lake, table: Table, *arguments: Any) -> None:
        if table == STAGED_SESSION and next(is_second):
            raise Killed
        taken(lake, table, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(staging, "ROWS_WRITTEN_AT_ONCE", 1)
        patched.setattr(Lake, "replace_months", killed_at_the_second)
        with suppress(Killed):
            stage(raw_log, lakes, "UTC", AT, RUN)


def test_months_that_a_kill_kept_from_being_written_are_written_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_log, lakes = RawLog(tmp_path), Lakes.below(tmp_path)
    load(raw_log, "a", month="2026-02")
    load(raw_log, "b", month="2026-03")
    stage_until_the_second_month(raw_log, lakes, monkeypatch)
    assert staged(lakes) == [("a", "2026-02")]
    stage(raw_log, lakes, "UTC", AT, RUN)
    assert staged(lakes) == [("a", "2026-02"), ("b", "2026-03")]
    assert stage(raw_log, lakes, "UTC", AT, RUN).rows_received == {}
    [audit] = lakes.published.scan(LOAD_AUDIT).collect().to_dicts()
    assert (audit["rows_received"], audit["rows_new"]) == (2, 2)


def test_a_session_that_leaves_one_month_for_another_stands_in_one_of_them_whenever_it_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_log, lakes = RawLog(tmp_path), Lakes.below(tmp_path)
    load(raw_log, "a", "b", month="2026-03")
    stage(raw_log, lakes, "UTC", AT, RUN)
    load(raw_log, "a", month="2026-02", asked_at=AT + timedelta(hours=1))
    stage_until_the_second_month(raw_log, lakes, monkeypatch)
    assert staged(lakes) == [("a", "2026-02"), ("b", "2026-03")]
    stage(raw_log, lakes, "UTC", AT, RUN)
    assert staged(lakes) == [("a", "2026-02"), ("b", "2026-03")]


def test_loads_that_come_while_another_is_staged_are_taken_in_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_log, lakes = RawLog(tmp_path), Lakes.below(tmp_path)
    load(raw_log, "a")
    newest_load, others = RawLog.newest_load, iter(["b", "c"])

    def and_then_come_others(log: RawLog) -> int | None:
        newest = newest_load(log)
        for name in list(others):
            load(raw_log, name)
        return newest

    monkeypatch.setattr(RawLog, "newest_load", and_then_come_others)
    # Makes each load a round of its own.
    monkeypatch.setattr(staging, "ROWS_IN_A_ROUND", 1)
    for names, received in ((["a"], 1), (["a", "b", "c"], 2)):
        assert stage(raw_log, lakes, "UTC", AT, RUN).rows_received == {"staged_session": received}
        assert [name for name, _ in staged(lakes)] == names
        audit = lakes.published.scan(LOAD_AUDIT).collect()
        assert (audit["rows_received"].sum(), audit["rows_new"].sum()) == (len(names), len(names))
        [late] = lakes.published.scan(LATENESS).collect().to_dicts()
        assert late["sessions_new"] == len(names)
