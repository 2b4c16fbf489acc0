"""The two lakes, and the marks by which their tables remember what went into them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipelines.layout import LAKE_FOLDER, STAGING_FOLDER
from transforms.touched import NO_MONTH
from warehouse.lake import Lake
from warehouse.tables import FACT_ENERGY, FACT_SESSION, REJECTED_SESSION
from warehouse.tables.table import Table

CONSUMED = "raw"
"""The mark by which a table remembers the last load of the raw log that it has consumed."""

BUILT = "touched_month"
"""The mark of a fact with the number of the touched-months entry up to which all of its months are built; followed by a
space and a month, the number up to which that month is built."""

NEWEST = "newest touched_month"
"""The mark of the newest entry that any build of a fact knew of."""

MONTHLY_FACTS = (FACT_SESSION, REJECTED_SESSION, FACT_ENERGY)

NEWS = "news"
"""The mark of a staged table that gets a new random number with every change."""

TIME_ZONE = "time_zone"
"""The mark of the time zone in which the months of the staged sessions begin, as a checksum of its name."""


@dataclass(frozen=True)
class Lakes:
    """The two roots: the staged tables, which are internal, and the published ones."""

    staging: Lake
    published: Lake

    @classmethod
    def below(cls, data: Path) -> "Lakes":
        """The lakes below `data`, the root of everything that is written."""
        return cls(Lake(data / STAGING_FOLDER), Lake(data / LAKE_FOLDER))


def row_count(lake: Lake, table: Table) -> int:
    """How many rows a table has, by its log, without reading it."""
    return sum(lake.row_counts(table).values())


def partitions_of(months: Iterable[str]) -> list[str | None]:
    """The partition of each month, in order: None for NO_MONTH, which stands for rows without a month."""
    return [None if month == NO_MONTH else month for month in months]
