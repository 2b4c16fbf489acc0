"""A small world over real HTTP, and warehouses that begin empty or after a first refresh of it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines import command
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from tests.crashes.house import House

BEGINS_AT = datetime(2026, 1, 1, tzinfo=UTC)
REFRESHES = (
    datetime(2026, 2, 3, 12, 30, tzinfo=UTC),
    datetime(2026, 2, 27, 23, 15, tzinfo=UTC),
    datetime(2026, 3, 20, 1, 30, tzinfo=UTC),
)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    world = generate_world(seed=23, begins_at=BEGINS_AT, populated_until=REFRESHES[-1], sessions=400)
    with Sandbox(world, now=REFRESHES[0]) as served:
        yield served


@pytest.fixture
def new_house(tmp_path: Path, sandbox: Sandbox) -> House:
    """A warehouse in which nothing has ever run."""
    return House(tmp_path / "data", sandbox)


@pytest.fixture(scope="session")
def first_refresh(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    data = tmp_path_factory.mktemp("first") / "data"
    assert House(data, sandbox).refresh(REFRESHES[0]) == command.DONE
    return data


@pytest.fixture
def house(tmp_path: Path, sandbox: Sandbox, first_refresh: Path) -> House:
    """A warehouse after the first refresh; the sandbox's clock is at the second."""
    shutil.copytree(first_refresh, tmp_path / "data")
    sandbox.now = REFRESHES[1]
    return House(tmp_path / "data", sandbox)


@pytest.fixture(scope="session")
def all_refreshes(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox, first_refresh: Path) -> Path:
    data = tmp_path_factory.mktemp("all") / "data"
    shutil.copytree(first_refresh, data)
    for instant in REFRESHES[1:]:
        assert House(data, sandbox).refresh(instant) == command.DONE
    return data


@pytest.fixture
def full_house(tmp_path: Path, sandbox: Sandbox, all_refreshes: Path) -> House:
    """A warehouse after every refresh; the sandbox's clock is at the last."""
    shutil.copytree(all_refreshes, tmp_path / "data")
    sandbox.now = REFRESHES[-1]
    return House(tmp_path / "data", sandbox)
