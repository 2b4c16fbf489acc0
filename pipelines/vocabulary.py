"""Keeping the names that the vendors' answers have shown."""

import polars as pl

from transforms.vocabulary import new_vocabulary
from warehouse.lake import Lake
from warehouse.tables import VOCABULARY


def note_vocabulary(published: Lake, seen: pl.DataFrame) -> int:
    """Add the names not seen before (columns of SEEN); without any, nothing is written. Gives their number."""
    fresh = new_vocabulary(published.scan(VOCABULARY).collect(), seen)
    if fresh.height:
        published.append(VOCABULARY, fresh)
    return fresh.height
