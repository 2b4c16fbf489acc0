"""Months begin where the configured time zone says, also after it changes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines import command
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from tests.end_to_end.published import Chargehouse, comparable

AS_OF = datetime(2026, 3, 5, 6, tzinfo=UTC)


def test_a_changed_time_zone_moves_every_session_and_slot_to_its_new_month_at_the_next_refresh(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = generate_world(seed=3, begins_at=datetime(2026, 1, 1, tzinfo=UTC), populated_until=AS_OF, sessions=400)
    with Sandbox(world, now=AS_OF) as sandbox:
        houses = [
            Chargehouse(tmp_path, sandbox, CHARGEHOUSE_TIME_ZONE=zone, CHARGEHOUSE_FIRST_MONTH="2026-01")
            for zone in ("UTC", "Pacific/Auckland")
        ]
        for house in houses:
            assert house.run("refresh", "--as-of", AS_OF.isoformat()) == command.DONE
        told = capsys.readouterr().err
        assert told.count("the time zone of the months has changed to Pacific/Auckland: rebuilding everything") == 1
        truth = houses[-1].truth(sandbox, [AS_OF])
        for table in ("fact_session", "fact_energy", "rejected_session"):
            rows = [row for row in houses[-1].rows(table, list(truth[table][0])) if "no-id" not in row["session_id"]]
            expected = [row for row in truth[table] if row["session_id"] is not None]
            assert comparable(rows, expected) == comparable(expected, expected)
