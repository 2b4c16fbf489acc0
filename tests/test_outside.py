"""The tests read nothing of the developer's own settings of Chargehouse, whichever way they load settings."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from pipelines import settings
from pipelines.settings import PREFIXES
from tests.outside import NO_FILE, outside

ASKED = "import os; from pipelines import settings; print(settings._env_file(os.environ))"


@pytest.mark.parametrize("environment", [None, {}])
def test_no_file_is_read_in_this_process(environment: Mapping[str, str] | None) -> None:
    assert str(settings._env_file(os.environ if environment is None else environment)) == os.devnull


@pytest.mark.parametrize("environment", [None, outside()])
def test_no_file_is_read_in_a_process_that_a_test_starts(environment: Mapping[str, str] | None) -> None:
    told = subprocess.run(
        [sys.executable, "-c", ASKED],
        cwd=settings.PROJECT_FOLDER,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == os.devnull


def test_no_exported_variable_is_read() -> None:
    assert {name for name in os.environ if name.startswith(PREFIXES)} == {*NO_FILE}
