"""Lists that move while they are read from an API that fails about every eighth time: nothing is lost or doubled."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.vendors import greenflux, jedlix, zaptec
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from sandbox.stir import STIRRED_ENDPOINTS
from tests.faults.verdict import Walk

BEGINS_AT = datetime(2026, 1, 1, tzinfo=UTC)
REFRESHES = [
    datetime(2026, 1, 25, 6, tzinfo=UTC),
    datetime(2026, 2, 17, 18, 30, tzinfo=UTC),
    datetime(2026, 3, 6, 23, 45, tzinfo=UTC),
    datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
]
QUIET = datetime(2026, 3, 30, tzinfo=UTC)


def test_four_refreshes_of_moving_lists_with_mixed_faults_and_a_quiet_one_equal_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small pages, so that even small lists have many, and every list moves while it is read.
    monkeypatch.setattr(zaptec, "LIST_PAGE_SIZE", 2)
    monkeypatch.setattr(zaptec, "ARCHIVE_PAGE_SIZES", (5, 4))
    monkeypatch.setattr(jedlix, "PAGE_SIZE", 5)
    monkeypatch.setattr(greenflux, "LIMIT", 5)
    world = generate_world(29, BEGINS_AT, REFRESHES[-1], 500, continues_days=5)
    with Sandbox(world, REFRESHES[0]) as sandbox:
        walk = Walk(tmp_path, sandbox, "2026-01")
        failed = 0
        for instant in REFRESHES:
            stirred = [
                sandbox.faults.arm("stir", vendor, endpoint=endpoint, probability=0.3, times=6, seed=instant.day)
                for vendor, endpoint in STIRRED_ENDPOINTS
            ]
            mixed = sandbox.faults.arm_profile("mixed:0.12", seed=instant.day)
            walk.refresh(instant)
            assert sum(fault.fired for fault in stirred) >= 4, "lists that stand still would prove nothing"
            failed += sum(fault.fired for fault in mixed)
            sandbox.faults.clear()
        assert failed >= 20, "an API without faults would prove nothing"
        walk.refresh(QUIET)
        assert walk.differences() == {}
        assert walk.house.query("SELECT count(*) FROM ops.coverage WHERE state = 'gap'") == [(0,)]
