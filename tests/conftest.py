"""No test, and no process that a test starts, reads what the developer who runs it has set for Chargehouse. And no
property fails because the machine is slow."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from pipelines import settings
from pipelines.settings import PREFIXES
from tests.outside import NO_FILE

# How long an example takes is the machine's affair, and how busy it is; how many it takes to find a good one is chance.
hypothesis_settings.register_profile(
    "chargehouse",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
hypothesis_settings.load_profile("chargehouse")


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


@pytest.fixture(autouse=True)
def _what_a_test_exports_is_undone() -> Iterator[None]:
    """Preparing Dagster's home, among others, sets variables of this process: the next test is to find none of them."""
    with patch.dict(os.environ):
        yield
