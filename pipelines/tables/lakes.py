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
"""The mark by which a fact remembers up to which entry of the touched months all of its months are built; with a month
behind a space, up to which entry that month is."""

NEWEST = "newest touched_month"
"""The mark of the newest entry that any build of a fact knew of."""

MONTHLY_FACTS = (FACT_SESSION, REJECTED_SESSION, FACT_ENERGY)

NEWS = "news"
"""The mark of a staged table that is another number after every change."""

TIME_ZONE = "time_zone"
"""The mark of the zone, as a checksum of its name, in which the months of the staged sessions begin."""


@dataclass(frozen=True)
class Lakes:
    """The two roots: staged tables, which are nobody's but ours, and the published ones."""

    staging: Lake
    published: Lake

    @classmethod
    def below(cls, data: Path) -> "Lakes":
        """The lakes of one root of everything written."""
        return cls(Lake(data / STAGING_FOLDER), Lake(data / LAKE_FOLDER))


def row_count(lake: Lake, table: Table) -> int:
    """How many rows a table has, by its log, without reading it."""
    return sum(lake.row_counts(table).values())


def partitions_of(months: Iterable[str]) -> list[str | None]:
    """Where the rows of these months lie, one for each: None for those without a month, which NO_MONTH stands for."""
    return [None if month == NO_MONTH else month for month in months]
