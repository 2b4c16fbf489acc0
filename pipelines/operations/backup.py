"""Backups of the lake: complete generations, in which an unchanged file is a hard link into the generation before.

Every file below the data root is written once and never changed in place (raw log, data files, entries of the Delta
logs), so a copy taken while nobody writes is a state from which a run can continue as from the original. Meanwhile the
locks of the runs keep writers out; readers notice nothing.

    FOLDER/20261120T031500000000Z/manifest.json, raw/, lake/, staging/, pseudonym.key, forgotten.json,
    forgetting, sandbox.json

A generation is built under a temporary name and then renamed, so every generation found is complete. It does not
contain Dagster's run history, nor the DuckDB file, which names files by absolute paths and is published anew after a
restore.
"""

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

from pipelines.faults import BackupError, ConfigurationError
from pipelines.layout import (
    FORGETTING,
    FORGOTTEN,
    LAKE_FOLDER,
    PSEUDONYM_KEY,
    RAW_FOLDER,
    SANDBOX_RECORD,
    STAGING_FOLDER,
)
from pipelines.locks import BACKUP, LAKE, RAW_LOG, exclusive
from pipelines.tables.building import publish_warehouse
from pipelines.tables.lakes import Lakes
from warehouse.durable_files import flush, replacing

FORMAT = 1
"""The format of the manifest; one that this version could not read has another number."""

MANIFEST = "manifest.json"
BUILDING = ".building"
RESTORING = "restoring"
# A restore puts the raw log in place last: its presence means that there is data.
CONTENT = (SANDBOX_RECORD, PSEUDONYM_KEY, FORGOTTEN, FORGETTING, STAGING_FOLDER, LAKE_FOLDER, RAW_FOLDER)
PIECE_BYTES = 1 << 20
"""Bytes copied at once, so that a large file does not fill the memory."""


@dataclass(frozen=True)
class KeptFile:
    """A file of a backup: its size, when it was written (nanoseconds since 1970), and a checksum of its content."""

    size_bytes: int
    modified_ns: int
    checksum: str

    def is_as(self, found: os.stat_result) -> bool:
        """Whether a file on the disk has its size and was last written when it was."""
        return (found.st_size, found.st_mtime_ns) == (self.size_bytes, self.modified_ns)


@dataclass(frozen=True)
class Backup:
    """One generation. `files` are keyed by their path below the data root."""

    folder: Path
    made_at: str
    files: Mapping[str, KeptFile]
    new_files: int = 0
    new_bytes: int = 0

    @property
    def size_bytes(self) -> int:
        """The size of all its files, including those that are links into the generation before."""
        return sum(file.size_bytes for file in self.files.values())


def back_up(data: Path, folder: Path, keep: int | None = None) -> Backup:
    """Add a generation to the backups in `folder`; with `keep`, remove all but that many of the newest.

    Waits while a run is writing. Raises BackupError, and ConfigurationError if `keep` is less than 1.
    """
    if keep is not None and keep < 1:
        raise ConfigurationError(f"--keep must be 1 or more, not {keep}.")
    if folder.is_relative_to(data):
        raise BackupError(f"{folder} is inside the data to be backed up; choose a folder elsewhere.")
    if not (data / RAW_FOLDER).is_dir():
        raise BackupError(f"there is nothing to back up in {data}: no refresh has ever run there.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _one_backup_at_a_time(folder):
        for abandoned in folder.glob(f"*{BUILDING}"):
            shutil.rmtree(abandoned)
        generations = _generations(folder)
        before = _read(generations[-1]) if generations else None
        made_at = datetime.now(UTC)
        name = f"{made_at:%Y%m%dT%H%M%S%fZ}"
        building = folder / f"{name}{BUILDING}"
        with _nobody_writes(data):
            backup = _copied(data, building, before, made_at.isoformat())
        _write_manifest(building, backup)
        building.rename(folder / name)
        flush(folder)
        for old in generations[: max(0, len(generations) + 1 - keep)] if keep is not None else []:
            shutil.rmtree(old)
    return Backup(folder / name, backup.made_at, backup.files, backup.new_files, backup.new_bytes)


def restore(data: Path, folder: Path) -> Backup:
    """Put the newest backup in `folder`, or `folder` itself if it is one, back below `data`, and publish it.

    Every file is verified against its checksum. If there is data already, nothing is touched. A restore that was cut
    off continues when it is run again. Raises BackupError.
    """
    backup = _read(_chosen(folder))
    data.mkdir(parents=True, exist_ok=True)
    with _nobody_writes(data):
        aside = data / RESTORING
        if not (aside / MANIFEST).exists():
            existing = [name for name in CONTENT if (data / name).exists()]
            if existing:
                raise BackupError(f"{data} already contains {', '.join(existing)}; move it away first.")
            shutil.rmtree(aside, ignore_errors=True)
            for path, file in backup.files.items():
                _copy_checked(backup.folder / path, aside / path, file)
            _write_manifest(aside, backup)
        elif _read(aside).made_at != backup.made_at:
            raise BackupError(f"{aside} holds an unfinished restore of another backup; finish or remove it first.")
        for name in CONTENT:
            # A file or folder missing here is not in the backup, or was put in place before the restore was cut off.
            if (aside / name).exists():
                (aside / name).rename(data / name)
        flush(data)
        publish_warehouse(Lakes.below(data), data)
        shutil.rmtree(aside)
    return backup


@contextmanager
def _one_backup_at_a_time(folder: Path) -> Iterator[None]:
    with exclusive(folder, BACKUP):
        yield


@contextmanager
def _nobody_writes(data: Path) -> Iterator[None]:
    """Hold both locks. No run takes them in the opposite order, so there is no deadlock."""
    with exclusive(data, LAKE), exclusive(data, RAW_LOG):
        yield


def _copied(data: Path, building: Path, before: Backup | None, made_at: str) -> Backup:
    known = before.files if before is not None else {}
    building.mkdir(mode=0o700)
    files: dict[str, KeptFile] = {}
    new_files = new_bytes = 0
    for source in _content(data):
        path = source.relative_to(data).as_posix()
        found = source.stat()
        kept = known.get(path)
        target = building / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if (
            before is not None
            and kept is not None
            and kept.is_as(found)
            and _linked(before.folder / path, kept, target)
        ):
            files[path] = kept
            continue
        files[path] = KeptFile(found.st_size, found.st_mtime_ns, _copy(source, target))
        new_files += 1
        new_bytes += found.st_size
    return Backup(building, made_at, files, new_files, new_bytes)


def _content(data: Path) -> Iterator[Path]:
    for name in CONTENT:
        root = data / name
        if root.is_file():
            yield root
        elif root.is_dir():
            yield from sorted(path for path in root.rglob("*") if path.is_file())


def _linked(path: Path, kept: KeptFile, target: Path) -> bool:
    """Link the file of the generation before to `target`. Returns whether that was possible: some file systems have no
    hard links, and a file that was changed there is not one to keep."""
    try:
        if not kept.is_as(path.stat()):
            return False
        os.link(path, target)
    except OSError as fault:
        if fault.errno in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EXDEV, errno.ENOENT):
            return False
        raise
    return True


def _copy(source: Path, target: Path) -> str:
    """Copy a file with its timestamps and flush it to the disk; returns its checksum."""
    target.parent.mkdir(parents=True, exist_ok=True)
    checksum = blake2b(digest_size=32)
    with source.open("rb") as reader, target.open("wb") as writer:
        while piece := reader.read(PIECE_BYTES):
            checksum.update(piece)
            writer.write(piece)
        writer.flush()
        os.fsync(writer.fileno())
    shutil.copystat(source, target)
    return checksum.hexdigest()


def _copy_checked(source: Path, target: Path, file: KeptFile) -> None:
    try:
        checksum = _copy(source, target)
    except FileNotFoundError:
        checksum = ""
    if checksum != file.checksum:
        raise BackupError(f"{source} is damaged or missing, so nothing was restored; use another generation.")


def _generations(folder: Path) -> list[Path]:
    """The complete generations, oldest first."""
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}") if not path.parent.name.endswith(BUILDING))


def _chosen(folder: Path) -> Path:
    if (folder / MANIFEST).exists():
        return folder
    generations = _generations(folder)
    if not generations:
        raise BackupError(f"{folder} contains no backup.")
    return generations[-1]


def _read(generation: Path) -> Backup:
    try:
        told = json.loads((generation / MANIFEST).read_text())
        if told["format"] != FORMAT:
            raise BackupError(f"{generation} was made by another version of Chargehouse; restore it with that version.")
        files = {path: KeptFile(**file) for path, file in told["files"].items()}
        return Backup(generation, told["made_at"], files)
    except (ValueError, KeyError, TypeError) as fault:
        raise BackupError(f"{generation / MANIFEST} is damaged; use another generation.") from fault


def _write_manifest(folder: Path, backup: Backup) -> None:
    """Write the manifest, last of all and atomically: its presence means that everything else is there."""
    content = {
        "format": FORMAT,
        "made_at": backup.made_at,
        "files": {path: asdict(file) for path, file in backup.files.items()},
    }
    with replacing(folder / MANIFEST) as unfinished:
        unfinished.write_text(json.dumps(content, indent=1))
