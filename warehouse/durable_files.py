"""Files and folders that survive a loss of power, and exist completely or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".part"
"""Suffix of a file that is being written beside the file that it is to replace."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` for the caller to write to; the file written there then replaces `path`.

    It is on the disk when the context ends. Where writing fails, the old file at `path` stays.
    """
    beside = path.with_name(f".{path.name}{UNFINISHED}")
    yield beside
    flush(beside)
    beside.replace(path)
    flush(path.parent)


def make_folder(path: Path) -> None:
    """Makes the folder and its parents, so that a loss of power cannot remove it with what is written into it later."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        flush(path.parent)


def discard(folder: Path) -> None:
    """Removes a folder, if it exists, so that nobody ever sees it half removed."""
    if folder.exists():
        # A rename is atomic.
        folder.rename(folder.with_name(f"{folder.name}.discarded-{uuid4().hex}"))
        flush(folder.parent)
    remove_discarded(folder)


def remove_discarded(folder: Path) -> None:
    """Removes discarded copies of the folder that killed processes left behind."""
    for discarded in folder.parent.glob(f"{folder.name}.discarded-*"):
        shutil.rmtree(discarded)


def flush(path: Path) -> None:
    """Forces a file or folder to the disk, so that a loss of power cannot leave a commit without its data."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
