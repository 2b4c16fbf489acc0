"""The server's own rate limit: a token bucket that refills in real time."""

import time

from sandbox.exchange import Answer
from sandbox.settings import VendorSettings


class Throttle:
    """Decides whether one more request to a vendor is within the limit of its settings."""

    def __init__(self, settings: VendorSettings) -> None:
        self._settings = settings
        self._used = 0.0
        self._tick = time.monotonic()

    def refusal(self) -> Answer | None:
        """Counts a request; returns the 429 to answer it with if it exceeds the limit, else None."""
        rate = self._settings.requests_per_second
        if rate is None:
            return None
        tick = time.monotonic()
        self._used = max(0.0, self._used - (tick - self._tick) * rate)
        self._tick = tick
        if self._used + 1 > max(1, self._settings.burst):
            retry_after = self._settings.retry_after
            return Answer(429, headers={} if retry_after is None else {"Retry-After": retry_after})
        self._used += 1
        return None
