"""The sorted view of an endpoint at one instant, cached until the world or the clock changes it."""

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import TypeVar

from sandbox.fields import listing_clock
from sandbox.readings import epoch_milliseconds
from sandbox.timeline import Payload, Version
from sandbox.world import World

UNDATED = -(2**62)
"""The clock of a row without a readable one: it sorts before every row that has one."""

Value = TypeVar("Value")


class Row:
    """One object as shown, with the clock that its list is ordered by, in epoch milliseconds."""

    __slots__ = ("clock", "object_id", "scope", "version")

    def __init__(self, object_id: str, scope: str | None, clock: int, version: Version) -> None:
        self.object_id = object_id
        self.scope = scope
        self.clock = clock
        self.version = version

    @property
    def payload(self) -> Payload:
        return self.version.payload


class Snapshot:
    """All rows of an endpoint at one instant, by clock, oldest first, with cached values derived from them."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self.clocks = [row.clock for row in rows]
        self._derived: dict[Hashable, object] = {}

    def derived(self, key: Hashable, derive: Callable[[], Value]) -> Value:
        """The value cached under `key`, derived on the first call, so that a page of a long list needs no scan."""
        if key not in self._derived:
            self._derived[key] = derive()
        return self._derived[key]  # type: ignore[return-value]  # one key is always derived by one function


class Listing:
    """Snapshots of one endpoint."""

    def __init__(self, world: World, vendor: str, endpoint: str) -> None:
        self._world = world
        self._vendor = vendor
        self._endpoint = endpoint
        self._clocks: dict[Version, int] = {}
        self._epoch: tuple[int, int] | None = None
        self._snapshot = Snapshot([])

    def at(self, instant: datetime) -> Snapshot:
        """What the endpoint shows at `instant`."""
        with self._world.lock:
            epoch = self._world.shelf(self._vendor, self._endpoint).epoch(instant)
            if epoch != self._epoch:
                self._snapshot = Snapshot(self._rows(instant))
                self._epoch = epoch
            return self._snapshot

    def _rows(self, instant: datetime) -> list[Row]:
        rows = [
            Row(line.object_id, line.scope, self._clock(version), version)
            for line, version in self._world.shown(self._vendor, self._endpoint, instant)
        ]
        rows.sort(key=lambda row: (row.clock, row.object_id))
        return rows

    def _clock(self, version: Version) -> int:
        clock = self._clocks.get(version)
        if clock is None:
            instant = listing_clock(self._vendor, self._endpoint, version.payload)
            clock = self._clocks[version] = UNDATED if instant is None else epoch_milliseconds(instant)
        return clock


def json_array(rows: Sequence[Row]) -> bytes:
    """The rows as a JSON array, joined from their stored encodings."""
    return b"[" + b",".join([row.version.encoded for row in rows]) + b"]"
