"""Neither a test nor a process that it starts reads the developer's own settings of Chargehouse. And no property test
fails because the machine is slow."""

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

# How long an example takes depends on the machine and its load; how many are tried to find a good one is chance.
hypothesis_settings.register_profile(
    "chargehouse",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
hypothesis_settings.load_profile("chargehouse")


@pytest.fixture(scope="session", autouse=True)
def _nothing_from_outside() -> Iterator[None]:
    """Hide exported variables and the `.env` file: else real vendors would be called, and real people alerted."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIXES)]:
            patch.delenv(name)
        for name, value in NO_FILE.items():
            patch.setenv(name, value)
        # For tests that empty the environment and continue in this process.
        patch.setattr(settings, "ENV_FILE", Path(os.devnull))
        yield


@pytest.fixture(autouse=True)
def _what_a_test_exports_is_undone() -> Iterator[None]:
    """Preparing Dagster's home, among others, sets variables of this process: the next test is to find none of them."""
    with patch.dict(os.environ):
        yield
