"""A lake that an older Chargehouse wrote: noticed, announced, and built anew from the raw log.

Beside the published tables lies a file that says with which schemas and which edition of the transforms they were
written. Where it says otherwise than the code does, the staged tables are thrown away; the next staging takes in the
whole raw log, touches every month, and the facts are built anew. Nothing is lost: the raw log is the truth, and the
publication stands until the new one is complete.
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
    """Make ready for staging a lake that was written otherwise than the code would; gives the tables at fault.

    The caller holds the lock of the lake, and stages and builds afterwards. A run that is cut off in between does it
    again, or finds the staged tables gone, which comes to the same.
    """
    declared = _declared()
    outdated = outdated_tables(lakes)
    if outdated:
        on_stage(
            f"the lake was written by another version ({_named(outdated)}): building everything anew from the raw log"
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
    """For whoever builds without staging first. Raises LakeError where the lake was written by another version."""
    outdated = outdated_tables(lakes)
    if outdated:
        raise LakeError(
            f"the lake was written by another version ({_named(outdated)}): run `chargehouse refresh` or "
            "`chargehouse rebuild` first, which builds it anew"
        )


def outdated_tables(lakes: Lakes) -> list[Table]:
    """The tables that were written with other columns, or all of them where the transforms had another edition.

    A table that is not there yet is no reason: it begins empty and takes in everything.
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
    """What the last upgrade noted; nothing where none did, or where the note is damaged."""
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
