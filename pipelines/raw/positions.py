"""How far every list of every vendor has been read, and how that is stored beside the rows that prove it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pipelines.vendors.contract import Position
from pipelines.vendors.windows import start_to_go_back_to

FORGET_OPEN_AFTER = timedelta(days=90)
"""A running session is given up once this much further reading has shown it in no list."""


@dataclass(frozen=True)
class Origin:
    """Where a vendor was read from, as host and path, and the fingerprint of the key that made its pseudonyms; None
    where that was not recorded yet."""

    address: str
    key_fingerprint: str | None = None


@dataclass
class Positions:
    """How far everything has been read.

    `watermarks`: by (vendor, endpoint, scope), the instant up to which everything has been read. `open_sessions`: by
    (vendor, scope) and session id, its start (None where no list can be read again from it) and the now of the run that
    last saw it running. `origins`: by vendor, the origin of its data.
    """

    watermarks: dict[tuple[str, str, str], datetime] = field(default_factory=dict)
    open_sessions: dict[tuple[str, str], dict[str, tuple[datetime | None, datetime]]] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)

    def of(self, vendor: str, endpoint: str, scope: str) -> Position:
        """The position of one endpoint and scope."""
        started = [start for start, _ in self.open_sessions.get((vendor, scope), {}).values() if start is not None]
        return Position(self.watermarks.get((vendor, endpoint, scope)), tuple(sorted(started)))

    def forget_long_unseen(self) -> None:
        """Give up on sessions that months of reading have shown in no list: they would hold back the window for ever.

        Measured by how far all lists of the scope have been read, not by the clock: in a pause nobody looked for them.
        """
        for (vendor, scope), sessions in self.open_sessions.items():
            read_to = min(
                (at for place, at in self.watermarks.items() if (place[0], place[2]) == (vendor, scope)), default=None
            )
            for session_id, (_, seen_at) in list(sessions.items()):
                if read_to is not None and seen_at < read_to - FORGET_OPEN_AFTER:
                    del sessions[session_id]


def stored(positions: Positions, vendors: Collection[str]) -> dict[str, Any]:
    """The positions of these vendors as JSON values, by vendor."""
    state: dict[str, Any] = {vendor: {"watermarks": {}, "open_sessions": {}} for vendor in vendors}
    for (vendor, endpoint, scope), watermark in positions.watermarks.items():
        if vendor in state:
            state[vendor]["watermarks"].setdefault(endpoint, {})[scope] = watermark.isoformat()
    for (vendor, scope), sessions in positions.open_sessions.items():
        if vendor in state:
            state[vendor]["open_sessions"][scope] = {
                session_id: [started_at.isoformat() if started_at else None, seen_at.isoformat()]
                for session_id, (started_at, seen_at) in sessions.items()
            }
    for vendor, origin in positions.origins.items():
        if vendor in state:
            state[vendor] |= {name: value for name, value in asdict(origin).items() if value is not None}
    return state


def restored(state: Mapping[str, Any]) -> Positions:
    """The positions from the result of `stored`, also from that of an older version, which stored less."""
    positions = Positions()
    for vendor, kept in state.items():
        # Older versions stored no origin.
        if "address" in kept:
            positions.origins[vendor] = Origin(kept["address"], kept.get("key_fingerprint"))
        for endpoint, scopes in kept["watermarks"].items():
            for scope, watermark in scopes.items():
                positions.watermarks[vendor, endpoint, scope] = datetime.fromisoformat(watermark)
        for scope, sessions in kept["open_sessions"].items():
            positions.open_sessions[vendor, scope] = {
                session_id: (
                    # Older versions stored any start, even one from which no list can be read again.
                    start_to_go_back_to(datetime.fromisoformat(started_at) if started_at else None),
                    datetime.fromisoformat(seen_at),
                )
                for session_id, (started_at, seen_at) in sessions.items()
            }
    return positions


def forget_scopes(state: dict[str, Any], keeps_scope: Callable[[str], bool]) -> bool:
    """Remove the scopes that are not kept from the result of `stored`. Returns whether there were any."""
    has_forgotten = False
    for kept in state.values():
        for scopes in (*kept["watermarks"].values(), kept["open_sessions"]):
            for scope in [scope for scope in scopes if not keeps_scope(scope)]:
                del scopes[scope]
                has_forgotten = True
    return has_forgotten
