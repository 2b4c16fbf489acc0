"""The whole system against the sandbox's truth: months of refreshes, then every published table row by row."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from pipelines import command
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from tests.end_to_end.published import TABLES, Chargehouse, comparable

BEGINS_AT = datetime(2026, 1, 1, tzinfo=UTC)
POPULATED_UNTIL = datetime(2026, 4, 10, tzinfo=UTC)
REFRESHES = [
    datetime(2026, 1, 20, 6, tzinfo=UTC),
    datetime(2026, 2, 3, 12, 30, tzinfo=UTC),
    datetime(2026, 2, 27, 23, 15, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
    datetime(2026, 4, 10, 6, tzinfo=UTC),
]
"""Five, over four months, one of them within the hour of the change to summer time."""


@pytest.fixture(scope="module", params=["UTC", "Europe/Amsterdam"])
def walked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Chargehouse, Sandbox]]:
    """A warehouse that was refreshed at each instant while the world lived on."""
    world = generate_world(seed=11, begins_at=BEGINS_AT, populated_until=POPULATED_UNTIL, sessions=2_000)
    with Sandbox(world, now=REFRESHES[0]) as sandbox:
        house = Chargehouse(
            tmp_path_factory.mktemp("data"),
            sandbox,
            CHARGEHOUSE_TIME_ZONE=request.param,
            CHARGEHOUSE_FIRST_MONTH="2026-01",
        )
        for instant in REFRESHES:
            sandbox.now = instant
            assert house.run("refresh", "--as-of", instant.isoformat()) == command.DONE
        yield house, sandbox


@pytest.mark.parametrize("table", TABLES)
def test_every_published_row_is_that_of_the_truth_and_no_other(walked: tuple[Chargehouse, Sandbox], table: str) -> None:
    house, sandbox = walked
    truth = house.truth(sandbox, REFRESHES)[table]
    assert truth, "a world without such rows would prove nothing"
    assert comparable(house.rows(table, list(truth[0])), truth) == comparable(truth, truth)


def test_a_session_leads_to_the_one_connector_that_it_names(walked: tuple[Chargehouse, Sandbox]) -> None:
    """A connector's id alone is ambiguous: every EVSE of the station may have a connector with that id."""
    house, _ = walked
    sessions = "(FROM fact_session WHERE vendor = 'greenflux' AND station_id IS NOT NULL AND connector_id IS NOT NULL)"
    connectors = "(FROM dim_connector WHERE is_current)"

    def joined_by(*columns: str) -> int:
        key = ", ".join(columns)
        return int(house.query(f"SELECT count(*) FROM {sessions} JOIN {connectors} USING ({key})")[0][0])

    [(count,)] = house.query(f"SELECT count(*) FROM {sessions}")
    assert joined_by("vendor", "station_id", "evse_uid", "connector_id") == count
    assert joined_by("vendor", "station_id", "connector_id") > count > 0
