"""The virtual clock: it stands still where it is set, or runs on from there in real time."""

import time
from datetime import UTC, datetime, timedelta


class VirtualClock:
    """The one `now` of a sandbox. With `runs` it advances in real time."""

    def __init__(self, now: datetime, runs: bool = False) -> None:
        self._runs = runs
        self.now = now

    @property
    def now(self) -> datetime:
        """The current instant of all four vendors, in UTC. Setting it to a naive instant raises ValueError."""
        if not self._runs:
            return self._set_to
        return self._set_to + timedelta(seconds=time.monotonic() - self._set_tick)

    @now.setter
    def now(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError(f"the clock must be set to an instant with a time zone, not {instant}")
        self._set_to = instant.astimezone(UTC)
        self._set_tick = time.monotonic()
