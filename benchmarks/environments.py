"""The environments of the yardsticks: each has its own packages, in exact versions, separate from Chargehouse's."""

import subprocess
import sys
from pathlib import Path

from benchmarks.served import PROJECT_FOLDER

YARDSTICKS_FOLDER = PROJECT_FOLDER / "benchmarks" / "yardsticks"
ENVIRONMENTS_FOLDER = PROJECT_FOLDER / ".venv-benchmarks"


def interpreter(name: str) -> Path:
    """The Python of a yardstick's environment, whether it has been made or not."""
    return _folder(name) / "bin" / "python"


def is_made(name: str) -> bool:
    """Whether the environment exists and matches the yardstick's current requirements."""
    made = _made(name)
    return made.exists() and made.read_text() == _requirements(name).read_text()


def make(name: str) -> None:
    """Makes the environment, unless it exists."""
    if is_made(name):
        return
    print(f"Setting up {_folder(name).relative_to(PROJECT_FOLDER)} (once) ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", _folder(name)], check=True)
    subprocess.run(
        [
            interpreter(name),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            _requirements(name),
        ],
        check=True,
    )
    # Last, so that a setup that was cut off starts again.
    _made(name).write_text(_requirements(name).read_text())


def _folder(name: str) -> Path:
    return ENVIRONMENTS_FOLDER / name


def _made(name: str) -> Path:
    return _folder(name) / "made-from.txt"


def _requirements(name: str) -> Path:
    return YARDSTICKS_FOLDER / name / "requirements.txt"
