"""What a process costs from its start to its end.

Nothing heavy may be imported here: a child begins with its parent's memory, and its peak would be the parent's.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.served import PROJECT_FOLDER

_PER_MEGABYTE = 1024 * 1024 if sys.platform == "darwin" else 1024
"""Units of the kernel's peak memory: bytes on macOS, KiB elsewhere."""


@dataclass(frozen=True)
class Cost:
    """Wall-clock and processor seconds, peak resident memory in MiB, and what the process printed."""

    seconds: float
    processor_seconds: float
    peak_megabytes: float
    output: str


def cost_of(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Runs a command to its end. Raises RuntimeError, with what it printed, unless its exit status is 0."""
    with tempfile.TemporaryFile("w+") as printed:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=PROJECT_FOLDER, env={**os.environ, **environment}, stdout=printed, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        output = printed.read()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _PER_MEGABYTE, output)
