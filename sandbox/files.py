"""A world kept in files: `{vendor}/{endpoint}.ndjson`, one version of one object per line.

A line is `{"object": {...}, "scope": "...", "shown_from": "...", "id": "..."}`; all but `object` may be left out. An
object without `shown_from` has always been shown, and `id` is needed only if the object itself has none.
A file may be compressed (`.ndjson.gz`).
"""

import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from sandbox.fields import object_id
from sandbox.timeline import BEGINNING_OF_TIME
from sandbox.world import ENDPOINTS, World


def read_world(folder: Path) -> World:
    """Reads every `{vendor}/{endpoint}.ndjson[.gz]` below `folder`; endpoints without a file stay empty.

    Raises ValueError, naming file and line, for a line that is not an object, or has no id or an unreadable time;
    FileNotFoundError if `folder` does not exist.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    world = World()
    for vendor, endpoints in ENDPOINTS.items():
        for endpoint in endpoints:
            for path in (folder / vendor / f"{endpoint}.ndjson", folder / vendor / f"{endpoint}.ndjson.gz"):
                if path.exists():
                    _read_endpoint(world, vendor, endpoint, path)
    return world


def write_world(world: World, folder: Path, *, compressed: bool = False) -> None:
    """Writes a world so that `read_world` returns an equal one. Endpoints without objects get no file."""
    for vendor, endpoints in ENDPOINTS.items():
        for endpoint in endpoints:
            timelines = world.timelines(vendor, endpoint)
            if not timelines:
                continue
            path = folder / vendor / (f"{endpoint}.ndjson.gz" if compressed else f"{endpoint}.ndjson")
            path.parent.mkdir(parents=True, exist_ok=True)
            with _open(path, "wb") as stream:
                for line in timelines:
                    for version in line.versions:
                        record: dict[str, Any] = {"object": version.payload}
                        if line.scope is not None:
                            record["scope"] = line.scope
                        if version.shown_from != BEGINNING_OF_TIME:
                            record["shown_from"] = version.shown_from
                        if object_id(vendor, endpoint, version.payload) != line.object_id:
                            record["id"] = line.object_id
                        stream.write(orjson.dumps(record, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))


def _open(path: Path, mode: str) -> BinaryIO:
    if path.suffix == ".gz":
        # The lowest level: tests and benchmarks write these files and wait for them.
        return cast(BinaryIO, gzip.open(path, mode, compresslevel=1))
    return cast(BinaryIO, path.open(mode))


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with _open(path, "rb") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield number, line


def _read_endpoint(world: World, vendor: str, endpoint: str, path: Path) -> None:
    for number, line in _lines(path):
        try:
            record = orjson.loads(line)
            payload = record["object"]
            identity = record.get("id") or object_id(vendor, endpoint, payload)
            shown_from = BEGINNING_OF_TIME
            if "shown_from" in record:
                shown_from = datetime.fromisoformat(record["shown_from"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number}: not a valid object of a world ({error})") from error
        if identity is None:
            raise ValueError(f"{path}, line {number}: the object has no id")
        world.show(vendor, endpoint, identity, payload, shown_from, record.get("scope"))
