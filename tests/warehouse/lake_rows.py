"""Instants, ids and events with which tests fill the tables of a lake."""

from datetime import UTC, datetime

import dataframely as dy
import polars as pl

from warehouse import columns
from warehouse.column_types import polars_schema
from warehouse.tables import FACT_SESSION, Table

MARCH = datetime(2025, 3, 10, 8, tzinfo=UTC)
APRIL = datetime(2025, 4, 10, 8, tzinfo=UTC)
MAY = datetime(2025, 5, 10, 8, tzinfo=UTC)


def ids(lake, table=FACT_SESSION, months=None):
    return sorted(lake.scan(table, months).collect().get_column("session_id"))


class Event(dy.Schema):
    """One row per event of a run."""

    run_id = columns.text("Run.", nullable=False, primary_key=True)
    kind = columns.text("What happened.", nullable=False, primary_key=True)


EVENT = Table("event", Event, "operations")


def events(run_id, *kinds):
    return pl.DataFrame({"run_id": [run_id] * len(kinds), "kind": list(kinds)}, schema=polars_schema(EVENT))
