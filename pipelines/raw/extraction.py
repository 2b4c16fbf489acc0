"""Reading the vendors into the raw log: all vendors in parallel, each at its own pace, window by window.

A window's rows, its record and the position it proves are appended together, a few windows to a load. A run that is cut
off loses at most the windows since the last load, and the next run reads those again."""

import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from queue import Empty, Queue

import pyarrow as pa

from pipelines.faults import ReadingError
from pipelines.layout import SANDBOX_RECORD
from pipelines.locks import account_lock, exclusive
from pipelines.personal_data import Cleaner
from pipelines.raw.accounts import address_of, refuse_other_data
from pipelines.raw.fields import fields_table
from pipelines.raw.forgotten import Forgotten, forgotten_of, refuse_forgotten
from pipelines.raw.memory import collect_rarely, give_back, share_one_heap
from pipelines.raw.positions import Origin, Positions
from pipelines.raw.progress import SILENT, Progress
from pipelines.raw.pseudonym_key import pseudonyms_of
from pipelines.raw.questions import refuse_the_future
from pipelines.raw.raw_log import FIELDS, READINGS, RawLog
from pipelines.raw.raw_rows import RawRows, raw_rows
from pipelines.raw.readings import Reading, readings_table
from pipelines.raw.rows_by_month import rows_by_month
from pipelines.settings import Settings
from pipelines.vendors import open_vendor
from pipelines.vendors.contract import Endpoint, Line, Question, Vendor, Window
from pipelines.vendors.http_client import IN_FLIGHT, Tally, may_ask_too_much
from pipelines.vendors.window_sizes import WindowSizes

LOAD_ROWS = 200_000
LOAD_BYTES = 128 * 1024 * 1024
LOAD_SECONDS = 60.0
"""When the windows read so far are appended: dlt takes a quarter of a second for each load, so many windows share one.
Rows and payload bytes are bounded because they wait in memory, the time because a run that is killed loses them."""

CHAINS_AT_ONCE = IN_FLIGHT
"""Of one vendor: each chain keeps one request in flight while it reads, and no more than this are sent at once."""

WINDOWS_WAITING = 8
"""At most this many windows wait in the queue: beyond that the vendors' threads wait, so that memory does not fill."""


@dataclass(frozen=True)
class _WindowRead:
    """The result of one window: its record and, where it was read, its rows.

    `origin`: where it was read from, and with which key. `new_fields`: (endpoint, path) of the fields first seen in the
    vendor's objects since its previous window. `may_be_too_long`: it failed in a way in which a shorter one might not.
    `is_behind_gap`: a window before it failed, so that it does not prove everything up to its end read.
    """

    reading: Reading
    endpoint: Endpoint
    origin: Origin
    rows: RawRows | None = None
    new_fields: Sequence[tuple[str, str]] = ()
    may_be_too_long: bool = False
    is_behind_gap: bool = False

    def advance(self, positions: Positions) -> None:
        """Move the positions to what this window proves."""
        reading = self.reading
        if self.rows is None:
            return
        positions.origins[reading.vendor] = self.origin
        sessions = positions.open_sessions.setdefault((reading.vendor, reading.scope), {})
        for session_id in self.rows.closed_ids:
            sessions.pop(session_id, None)
        for session_id, started_at in self.rows.open_sessions.items():
            sessions[session_id] = (started_at, reading.as_of)
        if reading.kind != "backfill" and reading.to_at is not None and not self.is_behind_gap:
            place = (reading.vendor, reading.endpoint, reading.scope)
            known = positions.watermarks.get(place)
            positions.watermarks[place] = reading.to_at if known is None else max(known, reading.to_at)


@dataclass
class _Package:
    """Windows that wait to be appended together."""

    tables: dict[str, list[pa.Table]] = field(default_factory=dict)
    readings: list[Reading] = field(default_factory=list)
    rows: int = 0
    payload_bytes: int = 0
    begun: float = field(default_factory=time.monotonic)

    def add(self, window: _WindowRead) -> None:
        self.readings.append(window.reading)
        if window.new_fields:
            reading = window.reading
            fields = fields_table(reading.vendor, window.new_fields, reading.as_of, reading.run_id)
            self.tables.setdefault(FIELDS, []).append(fields)
        if window.rows is not None and window.rows.table.num_rows:
            self.tables.setdefault(window.endpoint.table, []).append(window.rows.table)
            self.rows += window.rows.table.num_rows
            self.payload_bytes += window.rows.payload_bytes

    def taken_out(self) -> dict[str, list[pa.Table]]:
        """Its tables, including the records of its windows; the package no longer holds them."""
        tables, self.tables = self.tables, {}
        return {**tables, READINGS: [readings_table(self.readings)]}

    @property
    def is_due(self) -> bool:
        waited = time.monotonic() - self.begun
        return self.rows >= LOAD_ROWS or self.payload_bytes >= LOAD_BYTES or (waited > LOAD_SECONDS and self.rows > 0)


def extract(
    settings: Settings,
    vendors: Sequence[str],
    question: Question,
    run_id: str,
    progress: Progress = SILENT,
) -> list[Reading]:
    """Read what the question asks of these vendors into the raw log. Returns the record of every window.

    A line that fails is recorded as failed and does not stop the other chains, even where the fault is ours; only a
    fault outside all windows is raised. Raises ConfigurationError, before any request, where the data is that of
    another account or was written with another key, where the question's now lies in the future, or where a forgotten
    person is asked for.
    """
    collect_rarely()
    share_one_heap()
    refuse_the_future(settings, vendors, question.as_of)
    raw_log = RawLog(settings.data)
    with _held(settings, vendors):
        positions = raw_log.positions()
        refuse_other_data(settings, vendors, positions.origins)
        if not settings.is_demonstration:
            # Left by a web UI that was opened on the sandbox before anything had been read from it.
            (settings.data / SANDBOX_RECORD).unlink(missing_ok=True)
        positions.forget_long_unseen()
        known_fields = raw_log.known_fields()
        extractions = []
        for name in vendors:
            pseudonyms = pseudonyms_of(name, settings, positions.origins)
            refuse_forgotten(settings, name, pseudonyms)
            vendor = open_vendor(name, settings, pseudonyms)
            cleaner = Cleaner(
                vendor.personal_data,
                pseudonyms,
                keep_signed_readings=settings.keep_signed_readings,
                known_fields=known_fields.get(name, ()),
            )
            extractions.append(
                _VendorExtraction(
                    vendor=vendor,
                    origin=Origin(address_of(settings, name), pseudonyms.key_fingerprint),
                    cleaner=cleaner,
                    forgotten=forgotten_of(name, pseudonyms, settings.data),
                    question=question,
                    time_zone=settings.time_zone,
                    run_id=run_id,
                    positions=deepcopy(positions),
                    progress=progress,
                )
            )
        readings = _append_as_they_come(extractions, raw_log, positions, vendors, progress)
    give_back()
    return readings


@contextmanager
def _held(settings: Settings, vendors: Sequence[str]) -> Iterator[None]:
    """One run at a time for an account: two would read the same windows and both spend its one budget of requests."""
    with ExitStack() as stack:
        for name in sorted(vendors):
            stack.enter_context(exclusive(settings.data, account_lock(name)))
        yield


def _append_as_they_come(
    extractions: Sequence["_VendorExtraction"],
    raw_log: RawLog,
    positions: Positions,
    vendors: Sequence[str],
    progress: Progress,
) -> list[Reading]:
    """Read every vendor in a thread of its own, and append the windows from this one. Returns the record of every
    window."""
    arrived: Queue[_WindowRead | _Finished] = Queue(WINDOWS_WAITING)
    stop = threading.Event()
    for each in extractions:
        threading.Thread(target=each.run, args=(arrived, stop), daemon=True).start()
    readings: list[Reading] = []
    package = _Package()
    fault: Exception | None = None
    running = len(extractions)
    while running:
        arrival = _next(arrived)
        if isinstance(arrival, _Finished):
            running -= 1
            fault = fault or arrival.fault
        elif not stop.is_set():
            if arrival is not None:
                progress.on_reading(arrival.reading)
                readings.append(arrival.reading)
                arrival.advance(positions)
                package.add(arrival)
            if package.is_due:
                try:
                    raw_log.append(package.taken_out(), positions, vendors)
                except Exception as append_fault:  # noqa: BLE001 -- raised below, once the vendors' threads are let go
                    fault = append_fault
                    stop.set()
                package = _Package()
    if package.readings and not stop.is_set():
        raw_log.append(package.taken_out(), positions, vendors)
    if fault is not None:
        raise fault
    return readings


def _next(arrived: "Queue[_WindowRead | _Finished]") -> "_WindowRead | _Finished | None":
    """What arrives next; None if nothing does for a while, so that what waits to be appended does not wait for a vendor
    that does not answer."""
    try:
        return arrived.get(timeout=LOAD_SECONDS)
    except Empty:
        return None


@dataclass(frozen=True)
class _Finished:
    """Signals that a vendor is done; `fault` is an error of ours outside its windows that stopped it."""

    fault: Exception | None


@dataclass(frozen=True)
class _VendorExtraction:
    """One vendor's share of a run. `positions` is its own copy, which runs ahead of the appended ones."""

    vendor: Vendor
    origin: Origin
    cleaner: Cleaner
    forgotten: Forgotten
    question: Question
    time_zone: str
    run_id: str
    positions: Positions
    progress: Progress

    def run(self, arrived: "Queue[_WindowRead | _Finished]", stop: threading.Event) -> None:
        """Read everything that is asked of the vendor, and hand it over window by window, until `stop` is set."""
        try:
            with ThreadPoolExecutor(CHAINS_AT_ONCE, thread_name_prefix=self.vendor.name) as executor:
                for chains in self.vendor.rounds(self.question):
                    for done in [executor.submit(self._read_chain, chain, arrived, stop) for chain in chains]:
                        done.result()
        except Exception as fault:  # noqa: BLE001 -- handed to the main thread, which raises it
            arrived.put(_Finished(fault))
        else:
            arrived.put(_Finished(None))

    def _read_chain(
        self, chain: Sequence[Line], arrived: "Queue[_WindowRead | _Finished]", stop: threading.Event
    ) -> None:
        failed: Line | None = None
        are_asked_months_read = True
        for line in chain:
            needed = failed if line.needs_those_before else None
            for window in self._read_line(line, needed, are_asked_months_read):
                arrived.put(window)
                if stop.is_set():
                    return
                if window.rows is None:
                    failed = failed or line
                    is_asked_for = self.question.asks_for(window.reading.from_at)
                    are_asked_months_read = are_asked_months_read and not is_asked_for

    def _read_line(self, line: Line, needed: Line | None, are_asked_months_read: bool) -> Iterator[_WindowRead]:
        """The windows of a line up to the first that fails, and those of the months that a reconcile asks for.

        `needed`: a line that this one needs, and that failed; then only these months are read, if that line's were.
        """
        place = (line.endpoint.vendor, line.endpoint.name, line.scope)
        has_gap = needed is not None
        for stretch in line.stretches(self.positions.of(*place)):
            is_asked_for = self.question.asks_for(stretch.from_at)
            if needed is not None and not (is_asked_for and are_asked_months_read):
                yield self._left_out(line, stretch, needed)
            elif is_asked_for or not has_gap:
                for window in self._read_stretch(line, stretch):
                    read = replace(window, is_behind_gap=has_gap)
                    read.advance(self.positions)
                    yield read
                    has_gap = has_gap or read.rows is None

    def _read_stretch(self, line: Line, stretch: Window) -> Iterator[_WindowRead]:
        """Window by window, up to the first that fails."""
        sizes = WindowSizes(stretch, line.rows_per_window, line.longest_window, line.first_window)
        tally = self._tally()
        while (window := sizes.next()) is not None:
            read = self._read_window(line, window, tally)
            if read.may_be_too_long and sizes.halve():
                # Its requests count towards the window that is read in its place.
                continue
            tally = self._tally()
            yield read
            if read.rows is None:
                return
            sizes.had(read.rows.table.num_rows)

    def _tally(self) -> Tally:
        return Tally(partial(self.progress.on_retry, self.vendor.name))

    def _left_out(self, line: Line, stretch: Window, failed: Line) -> _WindowRead:
        """The record of a stretch of a line that is not read because a line before it failed."""
        message = f"not requested, because {failed.endpoint.name} could not be read."
        return _WindowRead(self._record(line, stretch, Tally(), None, message), line.endpoint, self.origin)

    def _read_window(self, line: Line, window: Window, tally: Tally) -> _WindowRead:
        rows, message, may_be_too_long = None, None, False
        try:
            pages = line.read(window, tally)
            as_of, run_id = self.question.as_of, self.run_id
            rows = raw_rows(pages, line.endpoint, line.scope, self.cleaner, as_of, run_id, self.forgotten)
        except ReadingError as fault:
            message = str(fault)
            may_be_too_long = tally.answers == 0 and may_ask_too_much(fault)
        except Exception as fault:  # noqa: BLE001 -- recorded like any other, so that it stops nothing else
            message = _internal_error(fault)
        reading = self._record(line, window, tally, rows, message)
        # Where nothing was answered, new fields are from other lines, and would be lost if this record is dropped.
        new_fields = () if may_be_too_long else self.cleaner.take_new_fields()
        return _WindowRead(reading, line.endpoint, self.origin, rows, new_fields, may_be_too_long)

    def _record(self, line: Line, window: Window, tally: Tally, rows: RawRows | None, message: str | None) -> Reading:
        return Reading(
            run_id=self.run_id,
            as_of=self.question.as_of,
            vendor=line.endpoint.vendor,
            endpoint=line.endpoint.name,
            scope=line.scope,
            kind=self.question.kind,
            state="failed" if rows is None else "complete",
            from_at=window.from_at,
            to_at=window.to_at,
            rows_received=0 if rows is None else rows.table.num_rows,
            rows_by_month=None if rows is None else rows_by_month(rows.table, line.endpoint, window, self.time_zone),
            requests=tally.requests,
            retries=tally.retries,
            bytes_received=tally.bytes_received,
            message=message,
            deprecated_at=tally.retirement.deprecated_at,
            sunset_at=tally.retirement.sunset_at,
            retirement_url=tally.retirement.url,
        )


def _internal_error(fault: Exception) -> str:
    """The message for an unforeseen fault: its type and where it arose, without its own text, which may quote a row."""
    origin = traceback.extract_tb(fault.__traceback__)[-1]
    where = f"{Path(origin.filename).name}, line {origin.lineno}"
    return f"an internal error of Chargehouse ({type(fault).__name__} in {where}); please report it."
