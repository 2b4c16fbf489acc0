"""Turns staged sessions into fact_session, open_session and rejected_session: each is in exactly one of the three."""

import polars as pl

from transforms.micro_kwh import kwh, micro_kwh
from transforms.reasons import seconds_between
from warehouse.tables.facts import FactSession, OpenSession, RejectedSession

IS_COUNTED = pl.col("reason").is_null() & ~pl.col("is_open")
IS_RUNNING = pl.col("reason").is_null() & pl.col("is_open")
_IS_REJECTED = pl.col("reason").is_not_null()
"""Which table a staged session belongs to: fact_session, open_session and rejected_session, in this order."""

_COST = pl.Decimal(14, 4)
_IMPOSSIBLE_COST = 10**10


def fact_session(staged: pl.DataFrame) -> pl.DataFrame:
    """The closed, valid sessions among linked StagedSession rows, as FactSession."""
    connected_seconds = seconds_between(pl.col("started_at"), pl.col("ended_at"))
    cost_amount = pl.col("cost_amount").round(_COST.scale, mode="half_away_from_zero")
    facts = staged.filter(IS_COUNTED).with_columns(
        connected_seconds=connected_seconds,
        idle_seconds=(connected_seconds - pl.col("charging_seconds")).round(3).clip(lower_bound=0),
        energy_kwh=kwh(micro_kwh(pl.col("energy_kwh"))),
        # A cost of more than ten digits before the point cannot be real; the session counts without it. Polars raises
        # for some of the values that do not fit, and makes NULL of others.
        cost_amount=pl.when(cost_amount.abs() < _IMPOSSIBLE_COST).then(cost_amount).cast(_COST),
        read_at="first_read_at",
    )
    return FactSession.cast(facts.select(FactSession.column_names()))


def rejected_session(staged: pl.DataFrame) -> pl.DataFrame:
    """The sessions among linked StagedSession rows that cannot count, with the reason, as RejectedSession."""
    rejected = staged.filter(_IS_REJECTED).with_columns(read_at="first_read_at")
    return RejectedSession.cast(rejected.select(RejectedSession.column_names()))


def open_session(staged: pl.DataFrame) -> pl.DataFrame:
    """The sessions among linked StagedSession rows that are still running, as OpenSession."""
    running = staged.filter(IS_RUNNING).with_columns(seen_at="read_at")
    return OpenSession.cast(running.select(OpenSession.column_names()))
