"""A load too large for memory is staged piece by piece: even with tiny pieces, the result must be the same."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines import command
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from tests.end_to_end.published import TABLES, Chargehouse, comparable

BEGINS_AT = datetime(2026, 1, 1, tzinfo=UTC)
REFRESHES = [datetime(2026, 2, 15, 6, tzinfo=UTC), datetime(2026, 3, 20, 6, tzinfo=UTC)]


def test_tiny_loads_rounds_and_writes_leave_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.raw.extraction.LOAD_ROWS", 150)
    monkeypatch.setattr("pipelines.tables.staging.ROWS_IN_A_ROUND", 200)
    monkeypatch.setattr("pipelines.tables.staging.ROWS_WRITTEN_AT_ONCE", 60)
    monkeypatch.setattr("pipelines.tables.monthly_facts.SESSIONS_AT_ONCE", 60)
    world = generate_world(seed=5, begins_at=BEGINS_AT, populated_until=REFRESHES[-1], sessions=900)
    with Sandbox(world, now=REFRESHES[0]) as sandbox:
        house = Chargehouse(tmp_path / "data", sandbox, CHARGEHOUSE_FIRST_MONTH="2026-01")
        for instant in REFRESHES:
            sandbox.now = instant
            assert house.run("refresh", "--as-of", instant.isoformat()) == command.DONE
        truth = house.truth(sandbox, REFRESHES)
        for table in TABLES:
            assert comparable(house.rows(table, list(truth[table][0])), truth[table]) == comparable(
                truth[table], truth[table]
            ), table
    law = (
        "SELECT count(*), count(DISTINCT (run_id, vendor, endpoint, scope)), "
        "count(*) FILTER (rows_received <> rows_new + rows_changed + rows_unchanged) FROM ops.load_audit"
    )
    [(rows, keys, unaccounted)] = house.query(law)
    assert rows == keys > 0
    assert unaccounted == 0
    [(lateness_rows, lateness_keys)] = house.query("SELECT count(*), count(DISTINCT (vendor, as_of)) FROM ops.lateness")
    assert lateness_rows == lateness_keys > 0
