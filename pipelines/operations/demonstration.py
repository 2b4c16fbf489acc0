"""The demonstration without any configured vendor: the sandbox plays all four, the same world for the same data."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from pipelines.faults import ConfigurationError
from pipelines.layout import SANDBOX_RECORD
from pipelines.raw.accounts import refuse_sandbox
from pipelines.settings import DEMONSTRATION, VENDOR_PREFIXES, Settings, load_settings
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from transforms.months import month_after, month_at, month_bounds
from warehouse.durable_files import replacing

SEED = 7
SESSIONS = 6_000
MONTHS_BEFORE = 5
"""The world of a first `make run`: half a year in which no vendor has an empty month, and which is read in seconds."""


@dataclass(frozen=True)
class DemonstrationWorld:
    """What the world was made from, kept beside the data, so that a later run finds the same world, at a later time."""

    seed: int
    sessions: int
    begins_at: str
    populated_until: str


@contextmanager
def sandboxed(settings: Settings, as_of: datetime) -> Iterator[Settings]:
    """Settings whose vendors are the sandbox, at `as_of`, for as long as the context lasts."""
    with sandbox_environment(settings, as_of) as environment:
        yield load_settings(environment)


@contextmanager
def sandbox_environment(settings: Settings, as_of: datetime) -> Iterator[Mapping[str, str]]:
    """The environment of this process, with the sandbox as every vendor for as long as the context lasts.

    Raises ConfigurationError if the folder holds data of real accounts.
    """
    refuse_sandbox(settings.data)
    record = _world_of(settings.data, as_of)
    begins_at = datetime.fromisoformat(record.begins_at)
    world = generate_world(
        seed=record.seed,
        begins_at=begins_at,
        populated_until=datetime.fromisoformat(record.populated_until),
        sessions=record.sessions,
    )
    with Sandbox(world, now=as_of) as sandbox:
        yield {
            "CHARGEHOUSE_FIRST_MONTH": begins_at.strftime("%Y-%m"),
            # Vendor variables are left out: an account that is only half filled in says nothing about the sandbox.
            **{name: value for name, value in os.environ.items() if not name.startswith(VENDOR_PREFIXES)},
            **sandbox.environment(),
            "CHARGEHOUSE_DATA": str(settings.data),
            DEMONSTRATION: "1",
        }


def _world_of(data: Path, as_of: datetime) -> DemonstrationWorld:
    path = data / SANDBOX_RECORD
    if path.exists():
        try:
            return DemonstrationWorld(**json.loads(path.read_text()))
        except (ValueError, TypeError):
            raise ConfigurationError(
                f"{path} is damaged, so the sandbox cannot recreate the world of this data. Move {data} away, or set "
                "CHARGEHOUSE_DATA to another folder."
            ) from None
    begins_at, _ = month_bounds(month_after(month_at(as_of, "UTC"), -MONTHS_BEFORE), "UTC")
    record = DemonstrationWorld(SEED, SESSIONS, begins_at.isoformat(), as_of.isoformat())
    data.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(asdict(record), indent=2) + "\n")
    return record
