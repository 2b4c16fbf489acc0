"""A disk that really fills up during a run (F26): the same, on a machine where a test may mount a disk."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.crashes.conftest import REFRESHES
from tests.crashes.house import House

pytestmark = pytest.mark.long


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", str(folder)], check=True, capture_output=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a test may not mount a disk here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


@pytest.mark.parametrize("kilobytes", [0, 64, 128, 256, 384, 512, 768])
def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_the_next_run_converges(
    small_disk: Path, first_refresh: Path, sandbox: Sandbox, kilobytes: int
) -> None:
    shutil.copytree(first_refresh, small_disk / "data")
    sandbox.now = REFRESHES[1]
    house = House(small_disk / "data", sandbox)
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - kilobytes * 1024))
    status, _, complaints = house.finish(house.start("refresh", "--as-of", REFRESHES[1].isoformat()))
    assert status == command.INCOMPLETE, complaints
    lines = [line for line in complaints.splitlines() if not line.startswith("  ")]
    assert len(lines) == 1, complaints
    assert lines[0].startswith("chargehouse: ")
    house.assert_equals_the_truth(REFRESHES[:1])
    ballast.unlink()
    house.assert_converges(REFRESHES[:2])
