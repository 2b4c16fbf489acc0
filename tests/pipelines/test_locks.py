"""Locks: one holder at a time, also across processes, and never one that outlives its holder."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines import locks
from pipelines.faults import AnotherRunError
from pipelines.locks import exclusive
from pipelines.settings import PROJECT_FOLDER

HOLDER = """
import sys, time
from pathlib import Path
from pipelines.locks import exclusive
with exclusive(Path(sys.argv[1]), "raw"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_waits_and_says_so_once(tmp_path: Path) -> None:
    events: list[str] = []

    def second() -> None:
        with exclusive(tmp_path, "raw", lambda: events.append("waits")):
            events.append("second")

    with exclusive(tmp_path, "raw"):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.35)
        events.append("first")
    thread.join()
    assert events == ["waits", "first", "second"]


def test_locks_of_other_names_are_free(tmp_path: Path) -> None:
    def refuse() -> None:
        raise AssertionError("waited")

    with exclusive(tmp_path, "raw"), exclusive(tmp_path, "lake", refuse):
        pass


def test_a_lock_is_free_again_after_a_fault(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(tmp_path, "raw"):
        raise RuntimeError
    with exclusive(tmp_path, "raw"):
        pass


def test_waiting_ends_with_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.0)
    with (
        exclusive(tmp_path, "raw"),
        pytest.raises(AnotherRunError, match="another process has held the lock `raw`"),
        exclusive(tmp_path, "raw"),
    ):
        pass


def test_another_process_is_kept_out_and_its_lock_dies_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "PATIENCE_SECONDS", 0.0)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=PROJECT_FOLDER, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(AnotherRunError), exclusive(tmp_path, "raw"):
            pass
        process.kill()
        process.wait()
    with exclusive(tmp_path, "raw"):
        pass
