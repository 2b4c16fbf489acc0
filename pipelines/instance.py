"""The project's own Dagster instance, below the root of everything written."""

import os
from pathlib import Path

from pipelines.layout import DAGSTER_FOLDER
from pipelines.settings import PROJECT_FOLDER


def prepare_dagster_home(data: Path) -> Path:
    """Make the instance's folder, put the repository's `dagster.yaml` there, and point DAGSTER_HOME at it.

    Dagster reads no other `dagster.yaml` than that of its home, which has to be an absolute, existing folder.
    """
    home = data / DAGSTER_FOLDER
    home.mkdir(parents=True, exist_ok=True)
    for left_behind in home.glob(".dagster.yaml.*"):
        left_behind.unlink(missing_ok=True)
    configuration = (PROJECT_FOLDER / "dagster.yaml").read_text()
    target = home / "dagster.yaml"
    if not target.exists() or target.read_text() != configuration:
        beside = home / f".dagster.yaml.{os.getpid()}"
        beside.write_text(configuration)
        beside.replace(target)
    os.environ["DAGSTER_HOME"] = str(home)
    return home
