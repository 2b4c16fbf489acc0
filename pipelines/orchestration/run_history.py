"""Dagster's run history in SQLite, with connections that are kept open.

Dagster's own storage opens a database for every event, compiles the statement anew and waits for the disk, which takes
a third of the time of a refresh that finds nothing new. The files are the same, so either storage can continue where
the other left off.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from dagster._core.event_api import EventHandlerFn
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SqliteEventLogStorage,
    SqliteEventLogStorageWatchdog,
)
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import StaticPool
from watchdog.events import FileSystemEvent
from watchdog.observers import Observer

KEPT_OPEN = 4
"""Databases kept open at once: the index, and those of the runs used most recently."""

BUSY_SECONDS = 30
"""How long a process waits for another that writes to the same database."""


class RunHistory(DagsterSqliteStorage):
    """Runs, events, schedules and sensors below `base_dir`, where Dagster's own SQLite storage also keeps them."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = EventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "RunHistory":
        return cls(inst_data=inst_data, **config_value)


class EventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite, one database per run and an index of all."""

    _obs: Any

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        self._engines: dict[str, Engine] = {}
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        if shard not in self._initialized_dbs:
            with super()._connect(shard):
                pass
        with self._db_lock, self._engine(shard).begin() as connection:
            yield connection

    def watch(self, run_id: str, cursor: str | None, callback: EventHandlerFn) -> None:
        if not self._obs:
            self._obs = Observer()
            self._obs.start()
        watchdog = _Watchdog(self, run_id, callback, cursor)
        self._watchers[run_id][callback] = (watchdog, self._obs.schedule(watchdog, self._base_dir, recursive=True))

    def _engine(self, shard: str) -> Engine:
        engine = self._engines.pop(shard, None) or _engine(self.conn_string_for_shard(shard))
        # In order of use, so that the first one was unused for longest.
        self._engines[shard] = engine
        while len(self._engines) > KEPT_OPEN:
            self._engines.pop(next(iter(self._engines))).dispose()
        return engine

    def dispose(self) -> None:
        super().dispose()
        while self._engines:
            self._engines.popitem()[1].dispose()


class _Watchdog(SqliteEventLogStorageWatchdog):
    """Notifies the web UI of a run's events as they are written. While a database is kept open, new events are only in
    its write-ahead log; Dagster's own watchdog looks at the database file alone, which does not change."""

    @property
    def patterns(self) -> list[str]:
        return [self._log_path, f"{self._log_path}-wal"]

    def on_modified(self, event: FileSystemEvent) -> None:
        self._process_log()


def _engine(address: str) -> Engine:
    # One connection, used by one thread at a time: the one that holds the storage's lock.
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = sqlalchemy.create_engine(address, poolclass=StaticPool, connect_args=arguments)

    @sqlalchemy.event.listens_for(engine, "connect")
    def _without_waiting_for_the_disk(connection: Any, _record: object) -> None:
        # With a write-ahead log this loses nothing when the process crashes, and at most the last events when the
        # machine does.
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine
