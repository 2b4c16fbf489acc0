"""A Delta table that stays open from one look to the next."""

from pathlib import Path

from deltalake import DeltaTable

from warehouse.snapshot import Snapshot, take_snapshot


class OpenTable:
    """The table in `folder`, which exists.

    Opening it reads its log; as long as nobody changes it, each further look costs hardly anything.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.delta = DeltaTable(str(folder))
        self._opened_at = self.delta.version()
        self._identity = self._identity_of(self._opened_at)
        self._snapshot: Snapshot | None = None

    def is_still_there(self) -> bool:
        """Whether the folder still holds this table, and not another one that was begun anew in its place."""
        identity = self._identity_of(self._opened_at)
        return identity is not None and identity == self._identity

    def catch_up(self) -> None:
        """Take in what others have committed since, and what was committed through `delta`, which does not learn it."""
        if self._entry(self.delta.version() + 1).exists():
            self.delta.update_incremental()

    @property
    def snapshot(self) -> Snapshot:
        """The version that the table stands at."""
        if self._snapshot is None or self._snapshot.version != self.delta.version():
            self._snapshot = take_snapshot(self.delta, self._folder)
        return self._snapshot

    def _entry(self, version: int) -> Path:
        return self._folder / "_delta_log" / f"{version:020d}.json"

    def _identity_of(self, version: int) -> tuple[int, int] | None:
        """What tells the log's entry of this version from that of another table; None where there is none."""
        try:
            status = self._entry(version).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns
