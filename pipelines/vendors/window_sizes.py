"""How long the windows of a long stretch are: long enough to hold enough rows, judging by the rows so far."""

from datetime import timedelta

from pipelines.vendors.contract import Window

MOST_GROWTH = 24
"""After a month with a few rows, the next window is two years at most: so few rows do not tell how full it will be."""

MOST_GROWTH_AFTER_NOTHING = 4
"""An empty window does not tell whether the history is about to begin, and how dense it is."""

READ_ALONG = 0.5
"""The rest of a stretch is read along with a window where it is no longer than this fraction of the window."""

SHORTEST_LENGTH = timedelta(days=1)
"""No window is shorter, however dense the rows are: cutting a day further would only add requests."""

SHORTEST_HALF = timedelta(days=7)
"""A server that refuses a window shorter than two of these has a reason other than its length."""

LONGEST_LENGTH = timedelta(days=3650)
"""Ten years: in practice no bound."""


class WindowSizes:
    """Cuts a stretch into windows: `next()` returns one, `had(rows)` reports how many rows it held.

    `halve()` reports that it was too long for the server.
    """

    def __init__(self, stretch: Window, rows_per_window: int, longest: timedelta | None, first: timedelta) -> None:
        """`rows_per_window` is the target; no window is longer than `longest`, and the first is about `first` long."""
        self._stretch = stretch
        self._rows_per_window = rows_per_window
        self._longest = longest or LONGEST_LENGTH
        self._from_at = stretch.from_at
        self._window = stretch
        self._is_over = False
        self._length = min(first, self._longest)

    def next(self) -> Window | None:
        """The next window, or None at the end of the stretch."""
        if self._is_over:
            return None
        if self._from_at is None:
            self._is_over = True
            return self._stretch
        rest = self._stretch.to_at - self._from_at
        self._is_over = rest <= min(self._length * (1 + READ_ALONG), self._longest)
        self._window = Window(self._from_at, self._stretch.to_at if self._is_over else self._from_at + self._length)
        self._from_at = self._window.to_at
        return self._window

    def halve(self) -> bool:
        """Make the first half of the last window the next one, and none after it longer. False where the window is too
        short."""
        from_at, to_at = self._window.from_at, self._window.to_at
        if from_at is None or to_at - from_at < 2 * SHORTEST_HALF:
            return False
        self._from_at, self._is_over = from_at, False
        self._length = self._longest = (to_at - from_at) / 2
        return True

    def had(self, rows: int) -> None:
        """Report how many rows the last window held."""
        growth = min(self._rows_per_window / rows, MOST_GROWTH) if rows else MOST_GROWTH_AFTER_NOTHING
        self._length = min(max(SHORTEST_LENGTH, self._length * growth), self._longest)
