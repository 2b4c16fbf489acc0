from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from transforms.audit import added_up, load_audit

PLACE = {"run_id": "r", "vendor": "zaptec", "endpoint": "sessions", "scope": "installation:a"}
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


def _reading(state: str, rows: int, message: str | None = None) -> dict[str, object]:
    counts = {"rows_received": rows, "requests": 2, "retries": 1}
    return {**PLACE, "as_of": AS_OF, "state": state, "message": message, **counts}


def test_the_windows_of_a_list_are_added_up_and_its_rows_counted_by_what_came_of_them() -> None:
    readings = pl.DataFrame([_reading("complete", 2), _reading("complete", 2)], schema_overrides={"message": pl.String})
    outcomes = [("new", False), ("new", True), ("changed", False), ("unchanged", False)]
    receipts = pl.DataFrame([{**PLACE, "outcome": outcome, "is_rejected": bad} for outcome, bad in outcomes])
    [row] = load_audit(readings, [receipts]).rows(named=True)
    counts = ("rows_received", "rows_new", "rows_changed", "rows_unchanged", "rows_rejected", "requests", "retries")
    assert [row[name] for name in counts] == [4, 2, 1, 1, 1, 4, 2]
    assert row["state"] == "complete"


def test_a_list_that_failed_stands_there_with_its_message_and_no_rows() -> None:
    readings = pl.DataFrame([_reading("complete", 0), _reading("failed", 0, "rate limited")])
    [row] = load_audit(readings, []).rows(named=True)
    assert (row["state"], row["message"], row["rows_received"], row["rows_new"]) == ("failed", "rate limited", 0, 0)


@pytest.mark.parametrize("states", [("failed", "complete"), ("complete", "failed")])
def test_a_list_failed_if_any_of_its_windows_did_and_keeps_what_that_one_said(states: tuple[str, str]) -> None:
    said = {"failed": "rate limited", "complete": None}
    readings = [_reading(state, 1, said[state]) for state in states]
    in_one_load = load_audit(pl.DataFrame(readings), [])
    first, second = (load_audit(pl.DataFrame([one], schema_overrides={"message": pl.String}), []) for one in readings)
    for [row] in (in_one_load.rows(named=True), added_up(first, second).rows(named=True)):
        assert (row["state"], row["message"], row["rows_received"]) == ("failed", "rate limited", 2)


def test_two_audits_of_one_run_are_together_as_of_the_later_one() -> None:
    earlier, later = (
        load_audit(pl.DataFrame([{**_reading("complete", 1, "read"), "as_of": as_of}]), [])
        for as_of in (AS_OF, AS_OF + timedelta(hours=1))
    )
    for known, fresh in ((earlier, later), (later, earlier)):
        assert added_up(known, fresh)["as_of"].to_list() == [AS_OF + timedelta(hours=1)]
