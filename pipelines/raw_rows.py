"""From a page of objects to rows of the raw log: one row per object, whole, without personal data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import pyarrow as pa

from pipelines.personal_data import Cleaner, CleanObject
from pipelines.vendors.contract import Endpoint, field_of
from pipelines.vendors.instants import parsed_instant
from pipelines.vendors.paging import Page

INSTANT = pa.timestamp("us", "UTC")
RAW_COLUMNS: tuple[tuple[pa.Field, str], ...] = (
    (pa.field("vendor", pa.string(), nullable=False), "Charging platform."),
    (pa.field("endpoint", pa.string(), nullable=False), "List the object came from."),
    (pa.field("scope", pa.string(), nullable=False), "What the list was asked for; `all` where it takes nothing."),
    (pa.field("object_id", pa.string()), "The vendor's key of the object; of a person, the pseudonym."),
    (pa.field("vendor_started", pa.string()), "Start of a session, as the vendor wrote it."),
    (pa.field("vendor_ended", pa.string()), "End of a session, as the vendor wrote it."),
    (pa.field("vendor_modified", pa.string()), "Last modification, as the vendor wrote it."),
    (pa.field("payload", pa.string(), nullable=False), "The whole object as JSON, without personal data."),
    (pa.field("signed_readings", pa.string()), "Signed meter readings, where the settings keep them."),
    (pa.field("content_hash", pa.int64(), nullable=False), "Fingerprint of the payload."),
    (pa.field("position", pa.int64(), nullable=False), "Place of the object in the pages of its window."),
    (pa.field("requested_at", INSTANT, nullable=False), "When the request that brought it was sent."),
    (pa.field("as_of", INSTANT, nullable=False), "The run's now."),
    (pa.field("run_id", pa.string(), nullable=False), "The Dagster run that read it."),
)
"""A row of the raw log: one API object, whole, with where it came from and when it was asked for."""

RAW_SCHEMA = pa.schema([field for field, _ in RAW_COLUMNS])


@dataclass(frozen=True)
class RawRows:
    """The rows of one window, ready to be appended, and the sessions among them: running ones with their start."""

    table: pa.Table
    payload_bytes: int
    open_sessions: Mapping[str, datetime | None]
    closed_ids: frozenset[str]


def raw_rows(
    pages: Iterable[Page], endpoint: Endpoint, scope: str, cleaner: Cleaner, as_of: datetime, run_id: str
) -> RawRows:
    """The rows of a window's pages, in the order received."""
    columns: dict[str, list[Any]] = {field.name: [] for field in RAW_SCHEMA}
    payload_bytes = 0
    open_sessions: dict[str, datetime | None] = {}
    closed_ids: set[str] = set()
    for page in pages:
        for item in page.objects:
            clean = cleaner.clean(item, id_names=endpoint.id_names)
            object_id = _field_of(clean, endpoint.id_field)
            payload_bytes += len(clean.payload)
            columns["object_id"].append(object_id or None)
            columns["vendor_started"].append(_field_of(clean, endpoint.started_field))
            columns["vendor_ended"].append(_field_of(clean, endpoint.ended_field))
            columns["vendor_modified"].append(_field_of(clean, endpoint.modified_field))
            columns["payload"].append(clean.payload)
            columns["signed_readings"].append(clean.signed_readings)
            columns["content_hash"].append(_fingerprint(clean.payload))
            columns["position"].append(len(columns["position"]))
            columns["requested_at"].append(page.requested_at)
            if endpoint.is_open is not None and object_id:
                if endpoint.is_open(item):
                    open_sessions[object_id] = parsed_instant(columns["vendor_started"][-1])
                    closed_ids.discard(object_id)
                else:
                    closed_ids.add(object_id)
                    open_sessions.pop(object_id, None)
    count = len(columns["position"])
    constants = {"vendor": endpoint.vendor, "endpoint": endpoint.name, "scope": scope, "as_of": as_of, "run_id": run_id}
    arrays = [
        pa.repeat(pa.scalar(constants[field.name], field.type), count)
        if field.name in constants
        else pa.array(columns[field.name], field.type)
        for field in RAW_SCHEMA
    ]
    table = pa.Table.from_arrays(arrays, schema=RAW_SCHEMA)
    return RawRows(table, payload_bytes, open_sessions, frozenset(closed_ids))


def _field_of(clean: CleanObject, path: str | None) -> str | None:
    value = field_of(clean.content, path)
    # Half a surrogate pair, which JSON can spell, is no text that can be stored.
    return None if value is None else value.encode(errors="replace").decode()


def _fingerprint(payload: bytes) -> int:
    return int.from_bytes(blake2b(payload, digest_size=8).digest(), signed=True)
