"""No test, and no process that a test starts, reads what the developer who runs it has set for Chargehouse."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import settings
from pipelines.settings import PREFIXES
from tests.outside import NO_FILE


@pytest.fixture(scope="session", autouse=True)
def _nothing_from_outside() -> Iterator[None]:
    """Neither exported variables nor the `.env` file: real vendors would be called, and real people alerted."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIXES)]:
            patch.delenv(name)
        for name, value in NO_FILE.items():
            patch.setenv(name, value)
        # For those that empty the environment and go on in this process.
        patch.setattr(settings, "ENV_FILE", Path(os.devnull))
        yield
