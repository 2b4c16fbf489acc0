"""How long the windows of a long stretch are: as long as what came so far says that they hold enough rows."""

from datetime import timedelta

from pipelines.vendors.contract import Window

MOST_GROWTH = 24
MOST_GROWTH_AFTER_NOTHING = 4
"""The history may just begin, and be dense: an empty window does not tell."""

SHORTEST_LENGTH = timedelta(days=1)
LONGEST_LENGTH = timedelta(days=3650)


class WindowSizes:
    """Cuts a stretch into windows: `next()` gives one, `had(rows)` says how many rows it held."""

    def __init__(self, stretch: Window, rows_per_window: int, longest: timedelta | None, first: timedelta) -> None:
        self._stretch = stretch
        self._rows_per_window = rows_per_window
        self._longest = longest or LONGEST_LENGTH
        self._from_at = stretch.from_at
        self._is_over = False
        # A stretch hardly longer than the first window is not worth a second request.
        is_short = stretch.from_at is not None and stretch.to_at - stretch.from_at <= 2 * first
        self._length = min(2 * first if is_short else first, self._longest)

    def next(self) -> Window | None:
        """The next window, or None at the end of the stretch."""
        if self._is_over:
            return None
        if self._from_at is None:
            self._is_over = True
            return self._stretch
        window = Window(self._from_at, self._from_at + min(self._length, self._stretch.to_at - self._from_at))
        self._from_at = window.to_at
        self._is_over = window.to_at >= self._stretch.to_at
        return window

    def had(self, rows: int) -> None:
        """Tell how many rows the last window held."""
        growth = min(self._rows_per_window / rows, MOST_GROWTH) if rows else MOST_GROWTH_AFTER_NOTHING
        self._length = min(max(SHORTEST_LENGTH, self._length * growth), self._longest)
