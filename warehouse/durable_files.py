"""Files and folders that survive a loss of power, and stand whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

UNFINISHED = ".part"
"""How the name of a file ends that is being written beside the one whose place it is to take."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path`, to be written by the caller, which then takes its place.

    It is on the disk when the context ends. Where writing fails, what stood at `path` stays.
    """
    beside = path.with_name(f".{path.name}{UNFINISHED}")
    yield beside
    flush(beside)
    beside.replace(path)
    flush(path.parent)


def make_folder(path: Path) -> None:
    """Makes the folder and those above it, so that a loss of power cannot take it away with what is in it by then."""
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        flush(path.parent)


def discard(folder: Path) -> None:
    """Removes a folder of which nobody is ever to meet a half, where it is there."""
    if folder.exists():
        # A rename is whole or not at all.
        folder.rename(folder.with_name(f"{folder.name}.discarded-{uuid4().hex}"))
        flush(folder.parent)
    remove_discarded(folder)


def remove_discarded(folder: Path) -> None:
    """Removes what a process that was killed had discarded of the folder and not removed."""
    for discarded in folder.parent.glob(f"{folder.name}.discarded-*"):
        shutil.rmtree(discarded)


def flush(path: Path) -> None:
    """Forces a file or folder to the disk, so that a loss of power cannot leave a commit without its data."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
