"""How long the windows of a long stretch are: as long as what came so far says that they hold enough rows."""

from datetime import timedelta

from pipelines.vendors.contract import Window

MOST_GROWTH = 24
"""A month that held a few rows is followed by two years at most: how full the next are is not known from so few."""

MOST_GROWTH_AFTER_NOTHING = 4
"""The history may just begin, and be dense: an empty window does not tell."""

READ_ALONG = 0.5
"""What is left of a stretch after a window is read along with it where it is no longer than that much of it."""

SHORTEST_LENGTH = timedelta(days=1)
"""However dense the rows are: their pages take more requests than their windows."""

SHORTEST_HALF = timedelta(days=7)
"""A server that refuses less than two of these has another reason."""

LONGEST_LENGTH = timedelta(days=3650)
"""Ten years: in practice no bound."""


class WindowSizes:
    """Cuts a stretch into windows: `next()` gives one, `had(rows)` says how many rows it held.

    `halve()` says that it was too long for the server.
    """

    def __init__(self, stretch: Window, rows_per_window: int, longest: timedelta | None, first: timedelta) -> None:
        """`rows_per_window` are aimed at; no window is longer than `longest`, and the first is `first` long."""
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
        """Give the first half of the last window next, and none after it that is longer. False where it is too
        short."""
        from_at, to_at = self._window.from_at, self._window.to_at
        if from_at is None or to_at - from_at < 2 * SHORTEST_HALF:
            return False
        self._from_at, self._is_over = from_at, False
        self._length = self._longest = (to_at - from_at) / 2
        return True

    def had(self, rows: int) -> None:
        """Tell how many rows the last window held."""
        growth = min(self._rows_per_window / rows, MOST_GROWTH) if rows else MOST_GROWTH_AFTER_NOTHING
        self._length = min(max(SHORTEST_LENGTH, self._length * growth), self._longest)
