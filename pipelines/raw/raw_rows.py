"""From a page of objects to rows of the raw log: one row per object, whole, without personal data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b

import orjson
import pyarrow as pa

from pipelines.personal_data import Cleaner, CleanObject
from pipelines.raw.forgotten import Forgotten
from pipelines.vendors.contract import Endpoint, text_at
from pipelines.vendors.instants import parsed_instant
from pipelines.vendors.paging.pages import Page
from pipelines.vendors.windows import start_to_go_back_to

INSTANT = pa.timestamp("us", "UTC")
RAW_COLUMNS: tuple[tuple[pa.Field, str], ...] = (
    (pa.field("vendor", pa.string(), nullable=False), "Charging platform."),
    (pa.field("endpoint", pa.string(), nullable=False), "List the object came from."),
    (pa.field("scope", pa.string(), nullable=False), "Scope the list was requested for; `all` if it has none."),
    (pa.field("object_id", pa.string()), "The vendor's id of the object (a person's pseudonym); NULL if none."),
    (pa.field("vendor_started", pa.string()), "Start of a session, as the vendor wrote it."),
    (pa.field("vendor_ended", pa.string()), "End of a session, as the vendor wrote it."),
    (pa.field("vendor_modified", pa.string()), "Last modification, as the vendor wrote it."),
    (pa.field("payload", pa.string(), nullable=False), "The whole object as JSON, without personal data."),
    (pa.field("signed_readings", pa.string()), "Signed meter readings; NULL unless the settings keep them."),
    (pa.field("content_hash", pa.int64(), nullable=False), "Fingerprint of the payload."),
    (pa.field("position", pa.int64(), nullable=False), "Position of the object in its window, counted from 0."),
    (pa.field("requested_at", INSTANT, nullable=False), "When the request that returned the object was sent."),
    (pa.field("as_of", INSTANT, nullable=False), "As-of instant of the run."),
    (pa.field("run_id", pa.string(), nullable=False), "The Dagster run that read the object."),
)
"""A row of the raw log: one API object, whole, with where it came from and when it was requested."""

RAW_SCHEMA = pa.schema([field for field, _ in RAW_COLUMNS])


@dataclass(frozen=True)
class RawRows:
    """The rows of one window, ready to be appended, and the sessions among them.

    `open_sessions`: the running ones by id, with their start; None for a start from which no list can be read again.
    """

    table: pa.Table
    payload_bytes: int
    open_sessions: Mapping[str, datetime | None]
    closed_ids: frozenset[str]


def raw_rows(
    pages: Iterable[Page],
    endpoint: Endpoint,
    scope: str,
    cleaner: Cleaner,
    as_of: datetime,
    run_id: str,
    forgotten: Forgotten | None = None,
) -> RawRows:
    """The rows of a window's pages in RAW_SCHEMA, in the order received, without personal data or anything about the
    vendor's forgotten persons. A session that came more than once counts as it came last: running or closed.
    """
    ids: list[str | None] = []
    started: list[str | None] = []
    ended: list[str | None] = []
    modified: list[str | None] = []
    payloads: list[bytes] = []
    signed: list[str | None] = []
    hashes: list[int] = []
    requested: list[pa.Array] = []
    payload_bytes = 0
    open_sessions: dict[str, datetime | None] = {}
    closed_ids: set[str] = set()
    id_of, start_of, end_of, modification_of = map(
        text_at, (endpoint.id_field, endpoint.started_field, endpoint.ended_field, endpoint.modified_field)
    )
    for page in pages:
        requested.append(pa.repeat(pa.scalar(page.requested_at, INSTANT), len(page.objects)))
        for item in page.objects:
            clean = cleaner.clean(item, endpoint=endpoint.name, id_names=endpoint.id_names, id_field=endpoint.id_field)
            if forgotten:
                clean = _without_forgotten(clean, endpoint, forgotten)
            payload_bytes += len(clean.payload)
            object_id = _storable(id_of(clean.content)) or None
            ids.append(object_id)
            started.append(_storable(start_of(clean.content)))
            ended.append(_storable(end_of(clean.content)))
            modified.append(_storable(modification_of(clean.content)))
            payloads.append(clean.payload)
            signed.append(clean.signed_readings)
            hashes.append(content_hash(clean.payload))
            if endpoint.is_open is not None and object_id:
                if endpoint.is_open(item):
                    open_sessions[object_id] = start_to_go_back_to(parsed_instant(started[-1]))
                    closed_ids.discard(object_id)
                else:
                    closed_ids.add(object_id)
                    open_sessions.pop(object_id, None)
    count = len(hashes)
    constants = {"vendor": endpoint.vendor, "endpoint": endpoint.name, "scope": scope, "as_of": as_of, "run_id": run_id}
    arrays = {
        **{name: pa.repeat(pa.scalar(value, RAW_SCHEMA.field(name).type), count) for name, value in constants.items()},
        "object_id": pa.array(ids, pa.string()),
        "vendor_started": pa.array(started, pa.string()),
        "vendor_ended": pa.array(ended, pa.string()),
        "vendor_modified": pa.array(modified, pa.string()),
        "payload": pa.array(payloads, pa.string()),
        "signed_readings": pa.array(signed, pa.string()),
        "content_hash": pa.array(hashes, pa.int64()),
        "position": pa.array(range(count), pa.int64()),
        "requested_at": pa.chunked_array(requested, INSTANT),
    }
    table = pa.Table.from_arrays([arrays[field.name] for field in RAW_SCHEMA], schema=RAW_SCHEMA)
    return RawRows(table, payload_bytes, open_sessions, frozenset(closed_ids))


def _storable(text: str | None) -> str | None:
    """The text, with `?` for half a surrogate pair, which JSON can express but Arrow cannot store."""
    return text if text is None or text.isascii() else text.encode(errors="replace").decode()


def _without_forgotten(clean: CleanObject, endpoint: Endpoint, forgotten: Forgotten) -> CleanObject:
    payload = forgotten.without(clean.payload, endpoint)
    return clean if payload is None else CleanObject(orjson.loads(payload), payload, signed_readings=None)


def content_hash(payload: bytes) -> int:
    """The fingerprint of a payload: 64 bits of BLAKE2b, as a signed integer."""
    return int.from_bytes(blake2b(payload, digest_size=8).digest(), signed=True)
