"""One budget of requests per account, shared by everything that talks to the vendor."""

import threading
import time


class RateLimit:
    """Spaces requests evenly: at most `requests_per_second`, 0 for no limit. Safe to share between threads."""

    def __init__(self, requests_per_second: float) -> None:
        self._interval_seconds = 1 / requests_per_second if requests_per_second else 0.0
        self._next_free = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Wait for the next free slot."""
        with self._lock:
            now = time.monotonic()
            place = max(now, self._next_free)
            self._next_free = place + self._interval_seconds
        if place > now:
            time.sleep(place - now)

    def pause(self, seconds: float) -> None:
        """Give out no slot for this long: the vendor asked for the pause, so every thread of the account waits."""
        with self._lock:
            self._next_free = max(self._next_free, time.monotonic() + seconds)
