"""A verdict in words and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

MOST_LISTED = 20
"""The most rows shown of a finding: enough to see what it is, few enough to read."""

USUAL_MONTHS = 6
"""How many earlier months the usual value is taken from."""


@dataclass(frozen=True)
class Judgement:
    """Whether a claim holds, a sentence that says so, the numbers behind it, and the rows to look at first."""

    passed: bool
    description: str
    numbers: Mapping[str, int | float | str] = field(default_factory=dict)
    listed: pl.DataFrame = field(default_factory=pl.DataFrame)


def total(frame: pl.DataFrame, column: str) -> int:
    """The sum of a column of whole numbers."""
    return int(frame.get_column(column).sum())
