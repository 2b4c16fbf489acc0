"""The raw log: append-only Parquet through dlt's filesystem destination, and the positions that commit with it. Its
files are rewritten only to forget a person, and keep the number and order of their rows.

A load counts once dlt has stored its state or its load record, which it does after the last file. If a load is cut off
before that, the next load removes its files, and its rows are read from the vendor again.
"""

import logging
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import dlt
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from dlt.common.time import increasing_precise_time
from dlt.common.versioned_state import TVersionedState, compress_state, decompress_state
from dlt.destinations import filesystem

from pipelines.layout import DLT_FOLDER, RAW_FOLDER
from pipelines.locks import RAW_LOG, exclusive
from pipelines.raw.fields import FIELDS_SCHEMA
from pipelines.raw.positions import Positions, forget_scopes, restored, stored
from pipelines.raw.raw_rows import RAW_SCHEMA
from pipelines.raw.readings import READING_SCHEMA
from warehouse.durable_files import UNFINISHED, replacing

# Otherwise dlt would keep a second copy of every load in its working folder.
dlt.config["load.delete_completed_jobs"] = True

PIPELINE = "chargehouse"
READINGS = "readings"
FIELDS = "fields"
_DECIMALS = 7
"""The most decimals of the seconds that dlt names a load by."""

_NUMBERS_IN_A_SECOND: int = 10**_DECIMALS


@dataclass(frozen=True)
class RawFile:
    """One Parquet file of a completed load. Loads are numbered in the order in which they are made."""

    path: Path
    load_number: int

    def row_count(self) -> int:
        """How many rows it has."""
        return int(pq.read_metadata(self.path).num_rows)

    def batches(self, rows: int) -> Iterator[pl.DataFrame]:
        """Its rows, this many at a time: what is made of them may be large."""
        return pl.read_parquet(self.path, glob=False).iter_slices(rows)


class RawLog:
    """The raw log below `data`: rows in `raw/`, dlt's working folder in `dlt/`.

    With `last_load`, files of later loads are left out; positions and load numbers are still those of the whole log.
    """

    def __init__(self, data: Path, last_load: int | None = None) -> None:
        self._data = data
        self._last_load = last_load
        self._folder = data / RAW_FOLDER

    def append(self, tables: dict[str, list[pa.Table]], positions: Positions, vendors: Collection[str]) -> None:
        """Append the rows of each table, by its name, and the positions of these vendors with them, in one load.

        `tables` is empty afterwards: dlt's objects hold each other and their callers' frames in cycles, which keep the
        rows in memory until the next garbage collection, and collections are rare.
        """
        state = stored(positions, vendors)

        def rows(name: str) -> Iterator[pa.Table]:
            dlt.current.source_state().setdefault("positions", {}).update(state)
            # One table: dlt spends milliseconds on each piece that it is given.
            yield pa.concat_tables(tables.pop(name))

        @dlt.source(name=PIPELINE, max_table_nesting=0)
        def source() -> Any:
            return [
                dlt.resource(rows, name=name, write_disposition="append", columns=_columns(name))(name)
                for name in list(tables)
            ]

        with exclusive(self._data, RAW_LOG):
            _number_above(self.newest_load() or 0)
            self._pipeline().run(source(), loader_file_format="parquet")

    def rewrite(self, changed: Callable[[str, pa.Table], pa.Table | None], keeps_scope: Callable[[str], bool]) -> None:
        """Rewrite every file for which `changed`, given its table's name and its rows, returns rows, and forget the
        positions of the scopes that are not kept. Files of a load that was cut off are removed.

        A file is whole at every instant, either old or new. The caller prevents concurrent appends.
        """
        self._remove_unfinished_loads()
        for abandoned in self._folder.glob(f"*/.*{UNFINISHED}"):
            abandoned.unlink()
        for path in sorted(self._folder.glob("[!_]*/*.parquet")):
            rows = changed(path.parent.name, pq.read_table(path, partitioning=None))
            if rows is not None:
                with replacing(path) as unfinished:
                    pq.write_table(rows, unfinished)
        for path in sorted(self._folder.glob("_dlt_pipeline_state/*.jsonl")):
            record = orjson.loads(path.read_bytes())
            state = decompress_state(record["state"])
            if forget_scopes(state.get("sources", {}).get(PIPELINE, {}).get("positions", {}), keeps_scope):
                changed_state = compress_state(cast(TVersionedState, state))
                with replacing(path) as unfinished:
                    unfinished.write_bytes(orjson.dumps({**record, "state": changed_state}))

    def positions(self) -> Positions:
        """The positions as they stood after the last completed load."""
        newest = max(filter(_is_whole, self._folder.glob("_dlt_pipeline_state/*.jsonl")), key=_load_of, default=None)
        if newest is None:
            return Positions()
        state = decompress_state(orjson.loads(newest.read_bytes())["state"])
        return restored(state.get("sources", {}).get(PIPELINE, {}).get("positions", {}))

    def files(self, table: str, after_load: int | None = None) -> list[RawFile]:
        """The files of a table, of completed loads numbered above `after_load`, oldest first."""
        completed = self._completed_loads()
        found: list[RawFile] = []
        for path in sorted((self._folder / table).glob("*.parquet")):
            load_number = _load_number(path.name)
            is_late = self._last_load is not None and load_number > self._last_load
            if load_number in completed and not is_late and (after_load is None or load_number > after_load):
                found.append(RawFile(path, load_number))
        return sorted(found, key=lambda file: (file.load_number, file.path.name))

    def until(self, load_number: int) -> "RawLog":
        """The log as it stood after this load, whatever another run appends meanwhile."""
        return RawLog(self._data, load_number)

    def newest_load(self) -> int | None:
        """The number of the newest completed load."""
        return max(self._completed_loads(), default=None)

    def readings(self, after_load: int | None = None) -> pl.DataFrame:
        """Every reading of loads above `after_load`, oldest first, in the columns of `READING_SCHEMA`."""
        return self._records(READINGS, READING_SCHEMA, after_load)

    def _records(self, table: str, schema: pa.Schema, after_load: int | None) -> pl.DataFrame:
        empty = pl.DataFrame(schema.empty_table())
        files = [_written(file.path) for file in self.files(table, after_load)]
        read, records = _KNOWN_RECORDS.get((self._folder, table), ((), empty))
        is_known = after_load is None and read == tuple(files[: len(read)])
        if is_known:
            files = files[len(read) :]
        if files:
            # A load by an older version lacks the columns that were added since.
            paths = [path for path, _, _ in files]
            rows = pl.scan_parquet(paths, schema=empty.schema, missing_columns="insert", extra_columns="ignore")
            fresh = rows.select(empty.columns).collect()
        else:
            fresh = empty
        if after_load is not None:
            return fresh
        whole = pl.concat([records, fresh]) if is_known else fresh
        _KNOWN_RECORDS[self._folder, table] = ((*(read if is_known else ()), *files), whole)
        return whole

    def fields(self, after_load: int | None = None) -> pl.DataFrame:
        """The fields noted in loads above `after_load`, in the columns of `FIELDS_SCHEMA`."""
        return self._records(FIELDS, FIELDS_SCHEMA, after_load)

    def known_fields(self) -> dict[str, list[tuple[str, str]]]:
        """The fields noted so far as (endpoint, path), by vendor."""
        known: dict[str, list[tuple[str, str]]] = {}
        for vendor, endpoint, path in self.fields().select("vendor", "endpoint", "field").unique().iter_rows():
            known.setdefault(vendor, []).append((endpoint, path))
        return known

    def _completed_loads(self) -> set[int]:
        completed = {_load_of(path) for path in self._folder.glob("_dlt_loads/*.jsonl")}
        for path in self._folder.glob("_dlt_pipeline_state/*.jsonl"):
            if _load_of(path) not in completed and _is_whole(path):
                completed.add(_load_of(path))
        return completed

    def _pipeline(self) -> dlt.Pipeline:
        """A pipeline whose state comes from the stored loads alone; the caller holds the lock.

        dlt would go on from its working folder, but a run that was killed or met a full disk may have left that in any
        state. So the folder is removed first, and the rows of that run are read again.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        self._remove_unfinished_loads()
        pipeline = dlt.pipeline(
            PIPELINE,
            pipelines_dir=str(self._data / DLT_FOLDER),
            destination=filesystem(bucket_url=self._data.as_uri(), layout="{table_name}/{load_id}.{file_id}.{ext}"),
            dataset_name=RAW_FOLDER,
        )
        # dlt logs the errors that it raises, with a traceback, and at its lowest level it logs credentials.
        logging.getLogger("dlt").setLevel(logging.CRITICAL)
        return pipeline

    def _remove_unfinished_loads(self) -> None:
        if (self._data / DLT_FOLDER).exists():
            shutil.rmtree(self._data / DLT_FOLDER)
        if self._folder.exists() and not _is_whole(self._folder / "init"):
            # dlt reads an empty file as version 1 of its storage, and would make the file only with a new folder.
            (self._folder / "init").write_text("")
        for folder in ("_dlt_version", "_dlt_pipeline_state"):
            for path in sorted(self._folder.glob(f"{folder}/*.jsonl"), key=_load_of, reverse=True):
                if _is_whole(path):
                    break
                path.unlink()
        completed = self._completed_loads()
        for path in self._folder.glob("[!_]*/*.parquet"):
            if _load_number(path.name) not in completed:
                path.unlink()


_KNOWN_RECORDS: dict[tuple[Path, str], tuple[tuple[tuple[Path, int, int], ...], pl.DataFrame]] = {}
"""The records read so far by this process, with the files they are from: a run needs them several times, and after a
year of hourly runs they are in thousands of files."""


def _written(path: Path) -> tuple[Path, int, int]:
    """A file as it was last written: its path, and its time and size, which change when a person is forgotten."""
    found = path.stat()
    return path, found.st_mtime_ns, found.st_size


def _columns(name: str) -> Any:
    schema = {READINGS: READING_SCHEMA, FIELDS: FIELDS_SCHEMA}.get(name, RAW_SCHEMA)
    return {field.name: {"name": field.name, "nullable": field.nullable} for field in schema}


def _is_whole(path: Path) -> bool:
    """Whether a JSON file exists and was written to its end."""
    try:
        orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return False
    return True


def _load_of(path: Path) -> int:
    """The load number of one of dlt's own records, which carry the load in the middle of their name."""
    return _load_number(path.name.split("__")[1])


def _load_number(name: str) -> int:
    """The load in a file's name, which dlt writes as creation time in seconds with decimals, as a sortable integer."""
    seconds, _, rest = name.partition(".")
    decimals = rest.partition(".")[0]
    return int(seconds) * _NUMBERS_IN_A_SECOND + int(decimals.ljust(_DECIMALS, "0")[:_DECIMALS])


def _number_above(newest: int) -> None:
    """Move dlt's clock, which never goes back within a process, to the newest load of any process, if that is later.

    The machine's clock may have been set back since the newest load, or the folder come from another machine. A load
    with a lower number than the newest would never be staged.
    """
    increasing_precise_time._last = max(increasing_precise_time._last, newest / _NUMBERS_IN_A_SECOND)
