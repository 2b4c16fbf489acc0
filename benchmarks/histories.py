"""Histories: each is a served world, and a warehouse that has read all of it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.cost import Cost
from benchmarks.programs import refresh
from benchmarks.served import Served

AS_OF = datetime(2026, 4, 15, tzinfo=UTC)
"""The middle of a month: a day of news changes a month that is half full."""

DAY = timedelta(days=1)
DAYS = 400
_NEWS_SHARE = 0.6
"""The share of an average day's sessions that counts as a day of news: every day has at least as many."""


@dataclass(frozen=True)
class History:
    """A warehouse in `data` after its first refresh from `served`; `name` states its size."""

    name: str
    served: Served
    data: Path
    read_from: datetime

    def refresh(self, as_of: datetime, data: Path | None = None, **variables: str) -> Cost:
        """Refreshes this warehouse, or the one in `data`, which then reads from the same first month."""
        return refresh(self.served, data or self.data, as_of, f"{self.read_from:%Y-%m}", **variables)

    def restore(self) -> None:
        """Restores the state after the first refresh, at the same path: the warehouse names files by their path."""
        shutil.rmtree(self.data)
        shutil.copytree(self._kept, self.data)
        # Pending writes of the copy must not fall into the next measurement.
        os.sync()

    def keep(self) -> None:
        """Saves the current state of the warehouse for `restore`."""
        shutil.copytree(self.data, self._kept)

    @property
    def _kept(self) -> Path:
        return self.data.with_name(f"{self.data.name}-kept")


class Histories:
    """All histories of a run of the benchmarks, each made on first use, as a context manager."""

    def __init__(self, sessions: int) -> None:
        self.sessions = sessions
        self._news = int(_NEWS_SHARE * sessions / 4 / DAYS)
        self._made: dict[tuple[int, int], History] = {}

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="chargehouse-benchmarks-")))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def usual(self) -> History:
        """The requested number of sessions, within 400 days."""
        return self.of(1, DAYS)

    @property
    def dense(self) -> History:
        """Ten times as many, within the same days."""
        return self.of(10, DAYS)

    @property
    def long(self) -> History:
        """Ten times as many sessions of the same fleet, within ten times the days."""
        return self.of(10, 10 * DAYS)

    def of(self, times: int, days: int) -> History:
        """A history of `times` the usual number of sessions. All histories have the same number of sessions of news."""
        if (times, days) not in self._made:
            self._made[times, days] = self._make(times * self.sessions, days)
        return self._made[times, days]

    def close(self, history: History) -> None:
        """Releases the memory of a history that is no longer needed."""
        for place, made in self._made.items():
            if made is history:
                history.served.stop()
                del self._made[place]
                return

    def _make(self, sessions: int, days: int) -> History:
        name = f"{sessions:,} sessions in {days:,} days"
        print(f"Preparing {name} ...", flush=True)
        fleet = sessions * DAYS // days
        served = Served("generated", AS_OF, sessions, fleet_sessions=fleet, days=days, news=self._news)
        self._stack.enter_context(served)
        history = History(name, served, self._folder / f"{sessions}-{days}", AS_OF - (days + 20) * DAY)
        history.refresh(AS_OF)
        history.keep()
        return history

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A temporary empty folder."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            yield Path(folder)
