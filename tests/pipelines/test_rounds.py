"""Staging that is cut off between two rounds: every row is accounted for once."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines import staging
from pipelines.lakes import Lakes
from pipelines.personal_data import Cleaner, PersonalData, Pseudonyms
from pipelines.raw_log import READINGS, Positions, RawLog
from pipelines.raw_rows import raw_rows
from pipelines.readings import Reading, readings_table
from pipelines.staging import stage
from pipelines.vendors.jedlix import SESSIONS
from pipelines.vendors.paging import Page
from warehouse.tables import LATENESS, LOAD_AUDIT

AT = datetime(2026, 4, 1, 6, tzinfo=UTC)
RUN = "run-1"


def load(raw_log: RawLog, *names: str) -> None:
    """One load of one window of the same list, in the same run."""
    times = {"startTime": "2026-03-19T08:00:00Z", "endTime": "2026-03-20T08:00:00Z"}
    sessions = [{"id": name, **times} for name in names]
    cleaner = Cleaner(PersonalData(), Pseudonyms("jedlix", b"key"), keep_signed_readings=False)
    rows = raw_rows([Page(sessions, AT)], SESSIONS, "all", cleaner, AT, RUN).table
    reading = Reading(RUN, AT, "jedlix", "sessions", "all", "refresh", "complete", AT, AT, rows_received=len(names))
    raw_log.append({SESSIONS.table: [rows], READINGS: [readings_table([reading])]}, Positions(), ["jedlix"])


class Killed(Exception):
    """What ends the staging."""


def test_rows_of_a_round_that_was_cut_off_are_audited_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw_log, lakes = RawLog(tmp_path), Lakes.below(tmp_path)
    load(raw_log, "a", "b")
    load(raw_log, "b", "c", "d")

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        # Each load is a round; the first is audited, and nothing of it is written.
        patched.setattr(staging, "ROWS_IN_A_ROUND", 1)
        patched.setattr(staging, "_write", killed)
        with pytest.raises(Killed):
            stage(raw_log, lakes, "UTC", AT, RUN)
    stage(raw_log, lakes, "UTC", AT, RUN)
    [audit] = lakes.published.scan(LOAD_AUDIT).collect().to_dicts()
    counted = {name: audit[f"rows_{name}"] for name in ("received", "new", "changed", "unchanged")}
    assert counted == {"received": 5, "new": 4, "changed": 0, "unchanged": 1}


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
