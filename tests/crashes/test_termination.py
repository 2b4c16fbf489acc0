"""SIGTERM, as a stopping container sends it (F25): the run ends at once, with one line, and the next one converges."""

import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import command
from tests.crashes.conftest import REFRESHES
from tests.crashes.flaw import Flaw
from tests.crashes.house import House, wait_for

POINTS = {
    "while fetching": Flaw("pipelines.raw.extraction:_VendorExtraction._read_window", nth=6),
    "while dlt loads": Flaw("fsspec.implementations.local:LocalFileSystem.put_file", nth=2),
    "while months are built": Flaw("pipelines.orchestration.month_assets:build_months"),
    "while publishing": Flaw("warehouse.publication:build"),
}


AT_ONCE_SECONDS = 10
"""A busy machine needs some of these seconds; a run that waited for its vendors would never end at this point."""

QUICK = (("while fetching", signal.SIGTERM), ("while months are built", signal.SIGINT))


@pytest.mark.parametrize(
    ("flaw", "sent"),
    [
        pytest.param(flaw, sent, id=f"{sent.name} {name}", marks=[] if (name, sent) in QUICK else [pytest.mark.long])
        for name, flaw in POINTS.items()
        for sent in (signal.SIGTERM, signal.SIGINT)
    ],
)
def test_a_run_that_is_told_to_stop_ends_at_once_and_the_next_one_converges(
    house: House, flaw: Flaw, sent: signal.Signals, tmp_path: Path
) -> None:
    if signal.getsignal(sent) is signal.SIG_IGN:
        pytest.skip(f"{sent.name} is ignored here, as in a shell's background")
    flag = tmp_path / "reached"
    process = house.start(
        "refresh", "--as-of", REFRESHES[1].isoformat(), flaw=replace(flaw, happening="paused", flag=str(flag))
    )
    wait_for(flag)
    told_at = time.monotonic()
    process.send_signal(sent)
    flag.unlink()
    status, printed, complaints = house.finish(process)
    assert time.monotonic() - told_at < AT_ONCE_SECONDS
    assert status == command.STOPPED
    begun, *told = (line for line in (printed + complaints).splitlines() if not line.startswith("  "))
    assert begun.startswith("refresh as of ")
    assert told == ["chargehouse: stopped; run the same command again to finish"]
    house.assert_converges(REFRESHES[:2])
