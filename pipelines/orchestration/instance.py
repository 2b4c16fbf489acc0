"""The project's own Dagster instance, below the data root."""

import os
from importlib.util import find_spec
from pathlib import Path

import dagster as dg
from pydantic import SecretStr
from sqlalchemy.exc import SQLAlchemyError

from pipelines.faults import ConfigurationError
from pipelines.layout import DAGSTER_FOLDER
from pipelines.locks import DAGSTER, exclusive
from pipelines.settings import PROJECT_FOLDER
from warehouse.durable_files import replacing
from warehouse.errors import WarehouseError


def is_history_fault(error: Exception) -> bool:
    """Whether Dagster raised this because its run history cannot be read or written."""
    # By name: the extra `postgres` may not be installed, and each takes a tenth of a second to import. Alembic raises
    # its CommandError where the tables are of several versions.
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, SQLAlchemyError) or bool(names & {"DagsterPostgresException", "CommandError"})


def prepare_dagster_home(data: Path, postgres_url: SecretStr | None = None) -> Path:
    """Make the instance's folder, put the right `dagster.yaml` there, and point DAGSTER_HOME at it.

    Dagster reads only the `dagster.yaml` in its home, which must be an absolute, existing folder. With `postgres_url`
    that file is the one that keeps the history in PostgreSQL; the address, a secret, is passed only through the
    environment. Raises ConfigurationError.
    """
    source = PROJECT_FOLDER / "dagster.yaml"
    if postgres_url is not None:
        if find_spec("dagster_postgres") is None:
            raise ConfigurationError("CHARGEHOUSE_POSTGRES_URL needs the extra `postgres`: see docs/operations.md.")
        source = PROJECT_FOLDER / "deploy" / "dagster.postgresql.yaml"
        # Since SQLAlchemy 2.1 an address without a driver selects a different one from what dagster-postgres installs.
        _, _, address = postgres_url.get_secret_value().partition("://")
        os.environ["CHARGEHOUSE_POSTGRES_URL"] = f"postgresql+psycopg2://{address}"
    home = data / DAGSTER_FOLDER
    home.mkdir(parents=True, exist_ok=True)
    configuration = source.read_text()
    target = home / "dagster.yaml"
    if not target.exists() or target.read_text() != configuration:
        # Services that start together all get here. The unfinished file of one that died here is overwritten.
        with exclusive(data, DAGSTER), replacing(target) as unfinished:
            unfinished.write_text(configuration)
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def open_instance(data: Path) -> dg.DagsterInstance:
    """Open the instance in the home that was prepared, and make the tables of its run history if there are none.

    One process at a time: two that make them together leave a history of two versions, which Dagster refuses ever
    after.
    """
    with exclusive(data, DAGSTER):
        return dg.DagsterInstance.get()


def make_history(data: Path, postgres_url: SecretStr | None, home: Path) -> None:
    """Make the tables of the run history if there are none: Dagster's own processes would make them without a lock.

    Raises WarehouseError if the history cannot be written.
    """
    try:
        with open_instance(data):
            pass
    except Exception as error:
        if not is_history_fault(error):
            raise
        raise WarehouseError(history_fault(home, postgres_url, error)) from error


def history_fault(home: Path, postgres_url: SecretStr | None, error: Exception) -> str:
    """The message for a person whose run history cannot be written."""
    cause = str(error).partition("\n")[0]
    if postgres_url is not None:
        return (
            f"the history of runs in PostgreSQL cannot be reached or written ({cause}). Check the server and "
            "CHARGEHOUSE_POSTGRES_URL, and run again."
        )
    return (
        f"the history of runs below {home} cannot be written ({cause}). Make room on the disk, or move that folder "
        "away if it is damaged, and run again: the warehouse does not need it."
    )
