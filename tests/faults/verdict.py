"""Takes a Chargehouse through a world and compares what it published with the world's own account."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

import dagster as dg

from pipelines import command
from sandbox.server import Request, Sandbox
from tests.end_to_end.published import Chargehouse, Row, comparable

VENDORS = ("zaptec", "jedlix", "greenflux", "smappee")
SESSION_TABLES = ("fact_session", "fact_energy", "rejected_session", "open_session")
DIMENSIONS = ("dim_location", "dim_charge_station", "dim_connector", "dim_vehicle", "dim_user")
TABLES = (*SESSION_TABLES, *DIMENSIONS)


class Walk:
    """A Chargehouse over a sandbox, and the instants at which it has read each vendor to the end."""

    def __init__(self, data: Path, sandbox: Sandbox, first_month: str, **variables: str) -> None:
        self.sandbox = sandbox
        pause = {"CHARGEHOUSE_RETRY_PAUSE_SECONDS": "0.001"}
        self.house = Chargehouse(data, sandbox, CHARGEHOUSE_FIRST_MONTH=first_month, **{**pause, **variables})
        self.told = ""
        self.read_at: dict[str, list[datetime]] = {vendor: [] for vendor in VENDORS}

    def refresh(
        self,
        instant: datetime,
        *,
        expecting: int = command.DONE,
        vendors: Sequence[str] = VENDORS,
        **variables: str,
    ) -> None:
        """Set the sandbox's clock and refresh these vendors. If all is done, they count as read."""
        self.sandbox.now = instant
        status = self.run("refresh", "--as-of", instant.isoformat(), "--vendor", *vendors, **variables)
        assert status == expecting, self.told
        if status == command.DONE:
            for vendor in vendors:
                self.read_at[vendor].append(instant)

    def run(self, *arguments: str, **variables: str) -> int:
        """Run any command; returns its exit status and keeps its output in `told`."""
        output = io.StringIO()
        with _without_history(), redirect_stdout(output), redirect_stderr(output):
            status = self.house.run(*arguments, **variables)
        self.told = output.getvalue()
        return status

    def differences(
        self, tables: Sequence[str] = TABLES, vendors: Sequence[str] = VENDORS, leaving_out: Sequence[str] = ()
    ) -> dict[str, list[str]]:
        """Rows only in the truth (-) or only published (+), by table, leaving out some columns; empty when equal."""
        return differences(self.house, self.sandbox, self.read_at, tables, vendors, leaving_out)

    def gaps(self) -> dict[str, str]:
        """The gaps, as `vendor endpoint scope`, and why they were not read."""
        gaps = self.house.query("SELECT vendor, endpoint, scope, message FROM ops.coverage WHERE state = 'gap'")
        return {f"{vendor} {endpoint} {scope}": message for vendor, endpoint, scope, message in gaps}

    def requests(self, vendor: str, endpoint: str) -> list[Request]:
        """The requests for one endpoint since the sandbox began."""
        return [each for each in self.sandbox.requests if (each.vendor, each.endpoint) == (vendor, endpoint)]


def differences(
    house: Chargehouse,
    sandbox: Sandbox,
    read_at: Mapping[str, Sequence[datetime]],
    tables: Sequence[str] = TABLES,
    vendors: Sequence[str] = VENDORS,
    leaving_out: Sequence[str] = (),
) -> dict[str, list[str]]:
    """As `Walk.differences`; `read_at` names the instants at which each vendor was read."""
    found: dict[str, list[str]] = {}
    for vendor in vendors:
        truth = house.truth(sandbox, list(read_at[vendor]))
        for table in tables:
            expected = [_without(row, leaving_out) for row in truth[table] if row["vendor"] == vendor]
            columns = list(expected[0]) if expected else ["vendor"]
            published = [row for row in house.rows(table, _with_vendor(columns)) if row["vendor"] == vendor]
            order = expected or [{"vendor": vendor}]
            is_, must_be = comparable(published, order), comparable(expected, order)
            lines = [f"- {row}" for row in _only_in(must_be, is_)] + [f"+ {row}" for row in _only_in(is_, must_be)]
            if lines:
                found[f"{vendor} {table} {columns}"] = lines
    return found


def _without(row: Row, columns: Sequence[str]) -> Row:
    return {name: value for name, value in row.items() if name not in columns}


def _with_vendor(columns: list[str]) -> list[str]:
    return columns if "vendor" in columns else ["vendor", *columns]


def _only_in(these: list[tuple[str, ...]], those: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The rows of one list that the other lacks, as often as it lacks them."""
    return sorted((Counter(these) - Counter(those)).elements())


@contextmanager
def _without_history() -> Iterator[None]:
    """Keep Dagster's run history in memory: writing it takes half of a small refresh and proves nothing here."""
    with patch.object(dg.DagsterInstance, "get", lambda: dg.DagsterInstance.ephemeral()):
        yield
