"""A full disk at each write (F26): one clear line, the old publication stays, and the next run converges.

From the named point on, the kernel refuses every byte in any file, as a full disk does; only its message differs.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import command
from tests.crashes.conftest import REFRESHES
from tests.crashes.flaw import Flaw
from tests.crashes.house import House

POINTS = {
    "from the beginning": Flaw("pipelines.operations.runs:prepare_dagster_home"),
    "while dlt extracts": Flaw("dlt.pipeline.pipeline:Pipeline.extract"),
    "at a raw file": Flaw("fsspec.implementations.local:LocalFileSystem.put_file", nth=3),
    "at the state": Flaw("dlt.destinations.impl.filesystem.filesystem:FilesystemClient._store_current_state"),
    "at the load record": Flaw("dlt.destinations.impl.filesystem.filesystem:FilesystemClient._store_load"),
    "at the staged sessions": Flaw("warehouse.lake:commit", named="staged_session"),
    "at a fact": Flaw("warehouse.lake:commit", named="fact_energy"),
    "at a dimension": Flaw("warehouse.lake:commit", named="dim_charge_station"),
    "at the log of a table": Flaw("deltalake:DeltaTable.create_write_transaction", nth=6),
    "at the publication": Flaw("warehouse.publication:build"),
}


QUICK = ("at a raw file", "at the publication")


@pytest.mark.parametrize(
    "flaw",
    [pytest.param(flaw, id=name, marks=[] if name in QUICK else [pytest.mark.long]) for name, flaw in POINTS.items()],
)
def test_a_full_disk_ends_the_run_in_one_line_and_the_next_run_converges(
    house: House, flaw: Flaw, tmp_path: Path
) -> None:
    flag = tmp_path / "full"
    full = replace(flaw, happening="disk full", flag=str(flag))
    status, _, complaints = house.run_flawed(full, "refresh", "--as-of", REFRESHES[1].isoformat())
    assert flag.is_symlink()
    assert status == command.INCOMPLETE, complaints
    assert "Traceback" not in complaints
    lines = [line for line in complaints.splitlines() if not line.startswith("  ")]
    assert len(lines) == 1, complaints
    assert lines[0].startswith("chargehouse: ")
    house.assert_equals_the_truth(REFRESHES[:1])
    house.assert_converges(REFRESHES[:2])
