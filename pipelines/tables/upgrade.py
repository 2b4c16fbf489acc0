"""Detects a lake that another version of Chargehouse wrote, announces it, and has it rebuilt from the raw log.

A file beside the published tables records with which schemas and which edition of the transforms they were written.
Where it differs from the code, the staged tables are discarded; the next staging takes in the whole raw log and touches
every month, so that the facts are rebuilt. Nothing is lost: the raw log is the source of truth, and the publication
stays until the new one is complete.
"""

import json
from collections.abc import Callable
from pathlib import Path

from pipelines.tables.lakes import Lakes
from pipelines.tables.staging import discard_staged
from transforms.edition import EDITION
from warehouse.durable_files import replacing
from warehouse.editions import can_carry_over, fingerprint
from warehouse.errors import LakeError
from warehouse.lake import Lake
from warehouse.tables import TABLES
from warehouse.tables.table import Table

RECORD = "editions.json"


def upgrade(lakes: Lakes, on_stage: Callable[[str], None] = lambda text: None) -> tuple[str, ...]:
    """Prepare a lake that was written by another version for staging. Returns the names of the outdated tables.

    The caller holds the lock of the lake, and stages and builds afterwards. A run that is cut off in between does it
    again, or finds the staged tables gone, which has the same effect.
    """
    declared = _declared()
    outdated = outdated_tables(lakes)
    if outdated:
        on_stage(
            f"the lake was written by another version ({_named(outdated)}): rebuilding everything from the raw log"
        )
        for table in outdated:
            lake = _lake_of(lakes, table)
            if table.group != "staging" and not can_carry_over(lake, table):
                lake.forget(table)
        discard_staged(lakes)
    if _recorded(lakes) != declared:
        _record(lakes, declared)
    return tuple(table.name for table in outdated)


def refuse_outdated(lakes: Lakes) -> None:
    """For callers that build without staging first. Raises LakeError if the lake was written by another version."""
    outdated = outdated_tables(lakes)
    if outdated:
        raise LakeError(
            f"the lake was written by another version ({_named(outdated)}): run `chargehouse refresh` or "
            "`chargehouse rebuild` first to rebuild it"
        )


def outdated_tables(lakes: Lakes) -> list[Table]:
    """The tables that were written with other columns, or all of them if the transforms had another edition.

    A table that does not exist yet is not outdated: it begins empty and takes in everything.
    """
    recorded, declared = _recorded(lakes), _declared()
    is_other_edition = recorded.get("edition") != declared["edition"]
    return [
        table
        for table in TABLES
        if (is_other_edition or recorded.get(table.name) != declared[table.name])
        and _lake_of(lakes, table).exists(table)
    ]


def _declared() -> dict[str, str]:
    return {"edition": str(EDITION)} | {table.name: fingerprint(table) for table in TABLES}


def _recorded(lakes: Lakes) -> dict[str, str]:
    """The record of the last upgrade; empty if there is none, or if it is damaged."""
    try:
        recorded = json.loads(_path(lakes).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def _record(lakes: Lakes, declared: dict[str, str]) -> None:
    path = _path(lakes)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_text(json.dumps(declared, indent=1) + "\n")


def _path(lakes: Lakes) -> Path:
    return lakes.published.root / RECORD


def _lake_of(lakes: Lakes, table: Table) -> Lake:
    return lakes.staging if table.group == "staging" else lakes.published


def _named(tables: list[Table]) -> str:
    names = [table.name for table in tables]
    return ", ".join(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3} more tables"
