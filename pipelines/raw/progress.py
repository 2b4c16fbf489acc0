"""What a run prints while it reads: one line of running counts on a terminal, plain lines elsewhere."""

import sys
from collections import Counter
from typing import TextIO

from pipelines.raw.readings import Reading

LONG_PAUSE_SECONDS = 1.0
"""A pause that somebody who watches would notice."""


class Progress:
    """Prints how the reading goes. Silent by default, as inside the Dagster daemon, which has its own event log."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._is_terminal = stream is not None and stream.isatty()
        self._rows: Counter[str] = Counter()
        self._windows: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        self._retries: Counter[str] = Counter()
        self._told: set[tuple[str, str]] = set()

    @classmethod
    def on_stderr(cls) -> "Progress":
        """For a command: standard output is for its result."""
        return cls(sys.stderr)

    def on_reading(self, reading: Reading) -> None:
        """Count a window that was read or failed, and show it."""
        if self._stream is None:
            return
        self._rows[reading.vendor] += reading.rows_received
        self._windows[reading.vendor] += 1
        self._requests[reading.vendor] += reading.requests
        self._retries[reading.vendor] += reading.retries
        if reading.state == "failed":
            self._end_line()
            print(f"  {reading.place}: {reading.message}", file=self._stream, flush=True)
        elif self._is_terminal:
            counts = "   ".join(self._count(vendor) for vendor in self._rows)
            print(f"\r\033[K  {counts}", end="", file=self._stream, flush=True)

    def on_retry(self, vendor: str, reason: str, pause_seconds: float) -> None:
        """Print the reason for a retry once, if its pause is long. May be called from any thread."""
        if self._stream is None or pause_seconds < LONG_PAUSE_SECONDS or (vendor, reason) in self._told:
            return
        self._told.add((vendor, reason))
        self._end_line()
        print(f"  {vendor}: {reason}; retrying ...", file=self._stream, flush=True)

    def on_stage(self, text: str) -> None:
        """Print which stage begins now."""
        if self._stream is None:
            return
        self._end_line()
        print(f"  {text}", file=self._stream, flush=True)

    def on_read(self) -> None:
        """Print the totals once everything is read: one plain line per vendor."""
        if self._stream is None:
            return
        if self._is_terminal:
            print("\r\033[K", end="", file=self._stream)
        for vendor in self._rows:
            print(f"  {self._count(vendor)}", file=self._stream, flush=True)

    def _count(self, vendor: str) -> str:
        retries = f", {self._retries[vendor]} retries" if self._retries[vendor] else ""
        requests = f"{self._requests[vendor]:,} requests, {self._windows[vendor]:,} windows"
        return f"{vendor}: {self._rows[vendor]:,} rows, {requests}{retries}"

    def _end_line(self) -> None:
        if self._is_terminal:
            print("\r\033[K", end="", file=self._stream)


SILENT = Progress()
