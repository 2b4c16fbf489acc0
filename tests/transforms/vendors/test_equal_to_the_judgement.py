"""Whatever session a vendor sends is read, rejected and spread as in the sandbox's account, which shares no code."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.judgement.energy import slots
from sandbox.judgement.rejection import rejection
from sandbox.judgement.session import read_session
from sandbox.world import SESSION_ENDPOINTS
from tests.transforms.drawn_objects import BEGINNINGS, MILLISECONDS, NOTHING_READABLE, Object, objects, written
from transforms.energy import fact_energy
from transforms.sessions import IS_COUNTED
from transforms.vendors import STAGINGS

RowsBuilder = Callable[..., pl.DataFrame]

SCOPES = {"zaptec": "installation:8", "jedlix": "all", "greenflux": "all", "smappee": "park:8"}
READ_ALIKE = (
    "started_at", "energy_source", "vendor_status", "evse_uid", "connector_id", "location_id", "vehicle_id", "user_id",
    "token_id", "currency",
)  # fmt: skip


def staged(raw_rows: RowsBuilder, vendor: str, items: list[Object]) -> pl.DataFrame:
    endpoint = SESSION_ENDPOINTS[vendor]
    return STAGINGS[vendor, endpoint].stage(raw_rows(vendor, endpoint, *items, scope=SCOPES[vendor]), "UTC")


@pytest.mark.parametrize("vendor", SCOPES)
@settings(max_examples=15)
@given(data=st.data())
def test_a_session_is_read_and_rejected_as_it_is_judged(
    raw_rows: RowsBuilder, vendor: str, data: st.DataObject
) -> None:
    fields = STAGINGS[vendor, SESSION_ENDPOINTS[vendor]].fields
    items = data.draw(st.lists(objects(fields, NOTHING_READABLE), min_size=1, max_size=8))
    for item, row in zip(items, staged(raw_rows, vendor, items).iter_rows(named=True), strict=True):
        judged = read_session(vendor, item, SCOPES[vendor].partition(":")[2] or None)
        assert row["reason"] == rejection(judged)
        if row["reason"] is None:
            assert row["is_open"] != judged.closed
            assert row["session_id"] == judged.session_id
            assert {name: row[name] for name in READ_ALIKE} == {name: getattr(judged, name) for name in READ_ALIKE}
            assert judged.station_id in (row["station_id"], None)
            assert row["is_open"] or (row["ended_at"], row["status"]) == (judged.ended_at, judged.status)


# Whole and half watt-hours, noise that falls, nothing, and any amount.
_MICRO_KWH = st.one_of(
    st.integers(0, 30_000).map(lambda watt_hours: watt_hours * 1_000),
    st.integers(0, 30_000_000),
    st.integers(-1_200, 12),
)


@st.composite
def metered_sessions(draw: st.DrawFn, vendor: str) -> Object:
    """A session and its series, which adds up exactly, nearly, or not at all."""
    started_at = draw(BEGINNINGS) + timedelta(milliseconds=draw(MILLISECONDS))
    length = draw(MILLISECONDS)
    values = draw(st.lists(_MICRO_KWH, max_size=6))
    places = st.one_of(st.integers(-900_000, length + 900_000), st.sampled_from([0, 900_000, length]))
    later = draw(st.lists(places, min_size=len(values), max_size=len(values)))
    instants = [started_at + timedelta(milliseconds=each) for each in (sorted(later) if draw(st.booleans()) else later)]
    total = sum(values)
    miss = draw(
        st.one_of(st.just(0), st.just(0), st.integers(-11_000, 11_000), st.integers(-110, 110).map(total.__mul__))
    )
    energy = written(max(0, total + (miss if abs(miss) <= 11_000 else miss // 10_000)), as_text=draw(st.booleans()))
    ended_at = started_at + timedelta(milliseconds=length)
    if vendor == "zaptec":
        is_cumulative = draw(st.booleans())
        details = [
            {"timestamp": at.isoformat(), "energy": written(sum(values[: number + 1]) if is_cumulative else value)}
            for number, (at, value) in enumerate(zip(instants, values, strict=True))
        ]
        times = {"startDateTime": started_at.isoformat(), "endDateTime": ended_at.isoformat()}
        return {**times, "energy": energy, "energyDetails": details}
    periods = [_period(draw, at, value) for at, value in zip(instants, values, strict=True)]
    times = {"start_date_time": started_at.isoformat(), "stop_date_time": ended_at.isoformat()}
    return {**times, "total_energy": energy, "charging_periods": periods}


def _period(draw: st.DrawFn, at: datetime, micro_kwh: int) -> Object:
    one = draw(st.integers(0, abs(micro_kwh)))
    dimensions: list[dict[str, Any]] | None = [
        {"type": "ENERGY", "volume": written(one)},
        {"type": "TIME", "volume": 1},
        {"type": "energy", "volume": written(micro_kwh - one)},
    ]
    return {"start_date_time": at.isoformat(), "dimensions": draw(st.sampled_from([dimensions] * 5 + [None]))}


@pytest.mark.parametrize("vendor", ["zaptec", "greenflux"])
@settings(max_examples=20)
@given(data=st.data())
def test_energy_lies_in_the_slots_where_it_is_judged_to_lie(
    raw_rows: RowsBuilder, vendor: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.lists(metered_sessions(vendor), min_size=1, max_size=8))
    items = [{"id": f"s{number}", **item} for number, item in enumerate(drawn)]
    energy = fact_energy(staged(raw_rows, vendor, items).filter(IS_COUNTED), "UTC")
    for item in items:
        own = energy.filter(session_id=item["id"])
        judged = read_session(vendor, item, None)
        if rejection(judged) is not None:
            assert own.is_empty()
            continue
        expected = slots(judged)
        assert own["method"].unique().to_list() == [expected.method]
        assert (own["energy_kwh"] * 1_000_000).cast(pl.Int64).to_list() == expected.micro_kwh
