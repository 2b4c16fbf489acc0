"""The months of the facts, as Dagster partitions."""

from datetime import UTC, datetime

import dagster as dg

from pipelines.raw.questions import first_month
from pipelines.settings import Settings
from warehouse.lake import Lake
from warehouse.tables import FACT_ENERGY, FACT_SESSION


def month_partitions(settings: Settings, lake: Lake) -> dg.MonthlyPartitionsDefinition:
    """Months from the first one read, or an older one that is stored, to the current one, in the configured zone."""
    first = first_month(settings, datetime.now(UTC))
    # Damaged facts are skipped: the rebuild that repairs them must be able to start.
    facts = [table for table in (FACT_SESSION, FACT_ENERGY) if not lake.is_damaged(table)]
    stored = [month for table in facts for month in lake.months(table)]
    return dg.MonthlyPartitionsDefinition(
        start_date=min([first, *stored]),
        fmt="%Y-%m",
        timezone=settings.time_zone,
        end_offset=1,
    )
