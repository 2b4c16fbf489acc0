"""A Delta table that stays open from one read to the next."""

from pathlib import Path

from deltalake import DeltaTable

from warehouse.snapshot import Snapshot, take_snapshot


class OpenTable:
    """The table in `folder`, which exists.

    Opening it reads its log; as long as nobody changes the table, each further read costs hardly anything.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.delta = DeltaTable(str(folder))
        self._opened_at = self.delta.version()
        self._identity = self._identity_of(self._opened_at)
        self._snapshot: Snapshot | None = None

    def is_still_there(self) -> bool:
        """Whether the folder still holds this table, and not a new one that was created in its place."""
        identity = self._identity_of(self._opened_at)
        return identity is not None and identity == self._identity

    def catch_up(self) -> None:
        """Loads the commits made since, by others or through `delta`, which is not updated by its own commits."""
        if self._entry(self.delta.version() + 1).exists():
            self.delta.update_incremental()

    @property
    def snapshot(self) -> Snapshot:
        """The loaded version with its files."""
        if self._snapshot is None or self._snapshot.version != self.delta.version():
            self._snapshot = take_snapshot(self.delta, self._folder)
        return self._snapshot

    def _entry(self, version: int) -> Path:
        return self._folder / "_delta_log" / f"{version:020d}.json"

    def _identity_of(self, version: int) -> tuple[int, int] | None:
        """Tells this version's log entry from that of another table in the same place; None where there is no entry."""
        try:
            status = self._entry(version).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns
