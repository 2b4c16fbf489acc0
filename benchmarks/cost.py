"""What a process costs from its start to its end.

Nothing heavy may be imported here: a child starts with its parent's memory, so its measured peak would be the parent's.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from benchmarks.served import PROJECT_FOLDER

Command = Sequence[str]

_PER_MEBIBYTE = 1024 * 1024 if sys.platform == "darwin" else 1024
"""Units of the kernel's peak memory: bytes on macOS, KiB elsewhere."""


@dataclass(frozen=True)
class Cost:
    """Wall-clock and processor seconds, peak resident memory in MiB, and what was printed.

    `begun_at` and `ended_at` are in seconds since 1970.
    """

    seconds: float
    processor_seconds: float
    peak_mebibytes: float
    output: str
    begun_at: float
    ended_at: float


def cost_of(command: Command, environment: Mapping[str, str], *, into: Command | None = None) -> Cost:
    """Runs a command to its end, or two commands of which the first pipes its output into the second (`into`).

    The memory of two is the sum of both peaks: they run at the same time. Raises RuntimeError, with what was printed,
    unless every exit status is 0.
    """
    with tempfile.TemporaryFile("w+") as printed:
        begun_at, begun = time.time(), time.perf_counter()
        processes = _started(command, into, {**os.environ, **environment}, printed)
        # The order of waiting does not matter: after the last wait all have ended.
        usages = [os.wait4(process.pid, 0) for process in processes]
        seconds, ended_at = time.perf_counter() - begun, time.time()
        printed.seek(0)
        output = printed.read()
    for process, (_, status, _) in zip(processes, usages, strict=True):
        process.returncode = os.waitstatus_to_exitcode(status)
    if any(process.returncode for process in processes):
        statuses = ", ".join(str(process.returncode) for process in processes)
        raise RuntimeError(f"{' '.join(command)} ended with exit status {statuses}:\n{output}")
    return Cost(
        seconds,
        sum(usage.ru_utime + usage.ru_stime for _, _, usage in usages),
        sum(usage.ru_maxrss for _, _, usage in usages) / _PER_MEBIBYTE,
        output,
        begun_at,
        ended_at,
    )


def _started(
    command: Command, into: Command | None, environment: Mapping[str, str], printed: IO[str]
) -> "list[subprocess.Popen[bytes]]":
    if into is None:
        return [
            subprocess.Popen(command, cwd=PROJECT_FOLDER, env=environment, stdout=printed, stderr=subprocess.STDOUT)
        ]
    first = subprocess.Popen(command, cwd=PROJECT_FOLDER, env=environment, stdout=subprocess.PIPE, stderr=printed)
    second = subprocess.Popen(
        into, cwd=PROJECT_FOLDER, env=environment, stdin=first.stdout, stdout=printed, stderr=printed
    )
    # If this process kept the pipe open, the first would get no broken pipe when the second dies.
    assert first.stdout is not None
    first.stdout.close()
    return [first, second]
