from datetime import UTC, datetime

import polars as pl

from transforms.audit import load_audit

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
