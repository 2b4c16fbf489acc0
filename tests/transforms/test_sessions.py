import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.drawn_objects import ANY_JSON, objects
from transforms.energy import fact_energy
from transforms.latest import winning_versions
from transforms.sessions import IS_COUNTED, fact_session, open_session, rejected_session
from transforms.vendors import SESSION_LISTS, STAGINGS
from warehouse.tables.facts import FactEnergy, FactSession, OpenSession, RejectedSession
from warehouse.tables.staging import StagedSession

RowsBuilder = Callable[..., pl.DataFrame]

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def test_every_session_is_in_exactly_one_of_the_three_tables(staged_sessions: RowsBuilder) -> None:
    staged = staged_sessions(
        {"session_id": "counts"},
        {"session_id": "runs", "is_open": True, "ended_at": None, "energy_kwh": None},
        {"session_id": "void", "reason": "void", "payload": "{}"},
        {"session_id": "open and void", "reason": "void", "is_open": True, "payload": "{}"},
    )
    facts, rejected, running = fact_session(staged), rejected_session(staged), open_session(staged)
    FactSession.validate(facts)
    RejectedSession.validate(rejected)
    OpenSession.validate(running)
    assert facts["session_id"].to_list() == ["counts"]
    assert rejected["session_id"].to_list() == ["void", "open and void"]
    assert running["session_id"].to_list() == ["runs"]


@pytest.mark.parametrize(
    ("charging_seconds", "idle_seconds"), [(1000.0, 2600.25), (3600.25, 0.0), (4000.0, 0.0), (None, None)]
)
def test_idle_is_connected_less_charging_and_never_negative(
    staged_sessions: RowsBuilder, charging_seconds: float | None, idle_seconds: float | None
) -> None:
    ended_at = START + timedelta(hours=1, milliseconds=250)
    fact = fact_session(staged_sessions({"ended_at": ended_at, "charging_seconds": charging_seconds}))
    assert fact.select("connected_seconds", "idle_seconds").row(0) == (3600.25, idle_seconds)


def test_a_session_of_no_length_counts(staged_sessions: RowsBuilder) -> None:
    assert fact_session(staged_sessions({"ended_at": START}))["connected_seconds"].to_list() == [0.0]


def test_energy_and_cost_are_decimals_and_an_impossible_cost_is_unknown(staged_sessions: RowsBuilder) -> None:
    facts = fact_session(
        staged_sessions(
            {"energy_kwh": 31.4184995, "cost_amount": 12.34},
            {"energy_kwh": None, "energy_source": None, "cost_amount": 1e300},
            {"cost_amount": 0.12345},
        )
    )
    assert facts["energy_kwh"].to_list() == [Decimal("31.418500"), None, Decimal("10.000000")]
    assert facts["cost_amount"].to_list() == [Decimal("12.3400"), None, Decimal("0.1235")]


@pytest.mark.parametrize("cost", [1e10, -1e10, 12_345_678_901.0, 9_999_999_999.99999, 1e13, 1e14, 1e300, float("inf")])
def test_an_impossible_cost_is_unknown_however_large(staged_sessions: RowsBuilder, cost: float) -> None:
    facts = fact_session(staged_sessions({"cost_amount": cost}, {"cost_amount": 9_999_999_999.0}))
    assert facts["cost_amount"].to_list() == [None, Decimal("9999999999.0000")]


def test_read_at_is_the_first_reading_of_a_fact_and_the_last_of_a_running_session(staged_sessions: RowsBuilder) -> None:
    later = START + timedelta(days=1)
    readings = {"first_read_at": START, "read_at": later}
    assert fact_session(staged_sessions(readings))["read_at"].to_list() == [START]
    assert open_session(staged_sessions({**readings, "is_open": True}))["seen_at"].to_list() == [later]


@pytest.mark.parametrize(("vendor", "endpoint"), [place for place in SESSION_LISTS if place[1] != "open_sessions"])
@settings(max_examples=15)
@given(data=st.data())
def test_whatever_is_received_is_in_exactly_one_table_and_all_of_its_energy_in_slots(
    raw_rows: RowsBuilder, vendor: str, endpoint: str, data: st.DataObject
) -> None:
    staging = STAGINGS[vendor, endpoint]
    items = data.draw(st.lists(objects(staging.fields, ANY_JSON) | ANY_JSON, max_size=8))
    received = staging.stage(raw_rows(vendor, endpoint, *map(json.dumps, items), scope="park:8"), "Europe/Amsterdam")
    staged = winning_versions(received)
    StagedSession.validate(staged)
    facts, rejected, running = fact_session(staged), rejected_session(staged), open_session(staged)
    FactSession.validate(facts)
    RejectedSession.validate(rejected)
    OpenSession.validate(running)
    found = [session_id for table in (facts, rejected, running) for session_id in table["session_id"]]
    assert sorted(found) == sorted(received["session_id"].unique())
    assert facts.filter((pl.col("energy_kwh") < 0) | (pl.col("ended_at") < pl.col("started_at"))).is_empty()
    energy = fact_energy(staged.filter(IS_COUNTED), "Europe/Amsterdam")
    FactEnergy.validate(energy)
    by_session = {session_id: slots["energy_kwh"] for (session_id,), slots in energy.group_by("session_id")}
    for session_id, energy_kwh in facts.select("session_id", "energy_kwh").iter_rows():
        slots = by_session.pop(session_id)
        assert slots.to_list() == [None] * slots.len() if energy_kwh is None else slots.sum() == energy_kwh
        assert energy_kwh is None or slots.min() >= 0
    assert not by_session
