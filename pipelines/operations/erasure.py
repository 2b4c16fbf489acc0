"""Forgetting a person: erasing them from the rows of the raw log, from all that is built of it, and from old versions.

First the person is listed as forgotten, so that no run writes anything new about them; then the raw log is rewritten. A
rebuild makes everything else from that, and finally the older versions of the tables are removed. If it is cut off in
between, the same command, run again, completes it; until then a marker file says that it is unfinished.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa

from pipelines.faults import ConfigurationError
from pipelines.layout import DATABASE, FORGETTING
from pipelines.locks import LAKE, RAW_LOG, account_lock, exclusive
from pipelines.raw.forgotten import Forgotten, fingerprint, forgotten_of, list_as_forgotten, pseudonyms_of_person
from pipelines.raw.pseudonym_key import pseudonyms_of
from pipelines.raw.raw_log import READINGS, RawLog
from pipelines.raw.raw_rows import content_hash
from pipelines.settings import Settings
from pipelines.tables.lakes import Lakes
from pipelines.vendors import ENDPOINTS
from pipelines.vendors.contract import USER_SCOPE, Endpoint
from warehouse.lake import Lake
from warehouse.publication import published_files
from warehouse.tables import LOAD_AUDIT, PUBLISHED_TABLES

FORGOTTEN_SCOPE = f"{USER_SCOPE}forgotten"
_TOLD_BY_OBJECT = ("object_id", "vendor_started", "vendor_ended", "vendor_modified")


@dataclass
class Erased:
    """Where the person was erased: the vendor's ids of the sessions, and of other objects."""

    session_ids: set[str] = field(default_factory=set)
    object_ids: set[str] = field(default_factory=set)


def erase_from_raw_log(settings: Settings, vendor: str, person: str, on_wait: Callable[[], None]) -> Erased:
    """List the person as forgotten, and erase every listed person of the vendor from the raw log.

    `person`: the id of a user, a driver or a card as the vendor writes it, or a pseudonym. Waits for runs that read or
    write. Raises ConfigurationError.
    """
    if vendor not in ENDPOINTS:
        raise ConfigurationError(f"--vendor {vendor}: unknown. The vendors: {', '.join(ENDPOINTS)}.")
    if not person.strip():
        raise ConfigurationError("--user must be the id of a person or card.")
    if settings.zaptec is not None and vendor == "zaptec" and person in settings.zaptec.user_ids:
        raise ConfigurationError("ZAPTEC_USER_IDS requests this person's sessions; remove the id from it first.")
    if RawLog(settings.data).newest_load() is None:
        raise ConfigurationError(f"there is nothing to erase in {settings.data}: no refresh has ever run there.")
    pseudonyms = pseudonyms_of(vendor, settings, RawLog(settings.data).positions().origins)
    with _nobody_reads_or_writes(settings.data, on_wait):
        known_as = pseudonyms_of_person(pseudonyms, person)
        (settings.data / FORGETTING).touch()
        list_as_forgotten(vendor, [fingerprint(pseudonyms, each) for each in known_as], settings.data)
        return _erase(settings.data, vendor, forgotten_of(vendor, pseudonyms, settings.data))


def remove_older_versions(data: Path, on_wait: Callable[[], None]) -> None:
    """The last step: remove every file of the published tables that the publication does not name, however recent."""
    lakes = Lakes.below(data)
    with exclusive(data, LAKE, on_wait):
        named = published_files(data / DATABASE)
        for table in PUBLISHED_TABLES:
            lakes.published.tidy(table, named, retention_hours=0)
        (data / FORGETTING).unlink(missing_ok=True)


@contextmanager
def _nobody_reads_or_writes(data: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the locks of all readers and writers, so that no run that began before the person was listed still reads."""
    with ExitStack() as stack:
        for lock in (*sorted(account_lock(vendor) for vendor in ENDPOINTS), LAKE, RAW_LOG):
            stack.enter_context(exclusive(data, lock, on_wait))
        yield


def _erase(data: Path, vendor: str, forgotten: Forgotten) -> Erased:
    lists = {endpoint.table: endpoint for endpoint in ENDPOINTS[vendor]}
    erased = Erased()

    def is_kept(scope: str) -> bool:
        return not (scope.startswith(USER_SCOPE) and forgotten.has(scope.removeprefix(USER_SCOPE)))

    def rewritten(table: str, rows: pa.Table) -> pa.Table | None:
        if table not in lists and table != READINGS:
            return None
        frame = pl.DataFrame(rows)
        gone = [scope for scope in frame["scope"].unique() if not is_kept(scope)]
        changed = frame.with_columns(pl.col("scope").replace(dict.fromkeys(gone, FORGOTTEN_SCOPE)))
        if table in lists:
            changed = _without_forgotten(changed, lists[table], forgotten, erased)
        return None if changed.equals(frame) else changed.to_arrow().cast(rows.schema)

    RawLog(data).rewrite(rewritten, is_kept)
    _forget_audit_of_gone_scopes(Lakes.below(data).published, is_kept)
    return erased


def _forget_audit_of_gone_scopes(lake: Lake, is_kept: Callable[[str], bool]) -> None:
    """Drop the audit if one of its scopes is a forgotten person; it is then counted anew from the raw log."""
    if not all(map(is_kept, lake.scan(LOAD_AUDIT).select("scope").unique().collect()["scope"])):
        lake.forget(LOAD_AUDIT)


def _without_forgotten(rows: pl.DataFrame, endpoint: Endpoint, forgotten: Forgotten, erased: Erased) -> pl.DataFrame:
    """The rows of a list without any forgotten person; the ids of the rows that this changes are added to `erased`."""
    left = {
        number: payload
        for number, whole in enumerate(rows["payload"])
        if (payload := forgotten.without(whole.encode(), endpoint)) is not None
    }
    ids = rows["object_id"].gather(list(left)).drop_nulls()
    (erased.session_ids if endpoint.started_field else erased.object_ids).update(ids)
    changes = pl.DataFrame(
        {
            "number": pl.Series(left.keys(), dtype=pl.UInt32),
            "left": pl.Series([payload.decode() for payload in left.values()], dtype=pl.String),
            "left_hash": pl.Series(map(content_hash, left.values()), dtype=pl.Int64),
        }
    )
    is_changed = pl.col("left").is_not_null()
    emptied = ("signed_readings", *(_TOLD_BY_OBJECT if endpoint.is_personal else ()))
    return (
        rows.with_row_index("number")
        .join(changes, on="number", how="left", maintain_order="left")
        .with_columns(
            pl.coalesce("left", "payload").alias("payload"),
            pl.coalesce("left_hash", "content_hash").alias("content_hash"),
            *(pl.when(~is_changed).then(name).alias(name) for name in emptied),
        )
        .select(rows.columns)
    )
