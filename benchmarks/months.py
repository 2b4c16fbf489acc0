"""Which months' files a run writes, and whether it needs to read those of other months."""

import re
from collections.abc import Iterable
from pathlib import Path

_MONTH = re.compile(r"month=([0-9]{4}-[0-9]{2})")
_MAGIC_BYTES, _LENGTH_BYTES = 4, 4
"""A Parquet file begins with four magic bytes, and ends with its footer, the footer's length and the same bytes."""


def month_files(folder: Path) -> frozenset[Path]:
    """The files below a folder that hold the rows of one month."""
    return frozenset(path for path in folder.rglob("*.parquet") if _MONTH.search(str(path)))


def months_of(paths: Iterable[Path]) -> frozenset[str]:
    """The months of the files of `month_files`."""
    return frozenset(match[1] for path in paths if (match := _MONTH.search(str(path))))


def blank_all_but(folder: Path, months: frozenset[str]) -> None:
    """Overwrites the rows of all other months with zeros but keeps the footers, so that reading a row there fails.

    Reading footers is allowed: they say whether a file is whole, and from when to when its rows are.
    """
    for path in month_files(folder):
        if not months_of([path]) <= months:
            _blank(path)


def _blank(path: Path) -> None:
    content = path.read_bytes()
    end = len(content) - _MAGIC_BYTES - _LENGTH_BYTES
    footer_at = end - int.from_bytes(content[end : end + _LENGTH_BYTES], "little")
    path.write_bytes(content[:_MAGIC_BYTES] + bytes(footer_at - _MAGIC_BYTES) + content[footer_at:])
