from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from transforms.latest import winning_versions
from transforms.vendors.greenflux import stage_cdrs

Stage = Callable[..., list[dict[str, Any]]]


def period(start: str | None, *dimensions: tuple[str, Any]) -> dict[str, Any]:
    return {"start_date_time": start, "dimensions": [{"type": kind, "volume": volume} for kind, volume in dimensions]}


CDR: dict[str, Any] = {
    "id": "cdr-1",
    "start_date_time": "2026-03-02T17:00:00",
    "stop_date_time": "2026-03-02T20:00:00Z",
    "auth_id": "p_auth",
    "token_uid": "p_token",
    "driver_external_id": "p_driver",
    "location": {"id": "loc-1", "evses": [{"uid": "evse-1", "connectors": [{"id": "2"}]}, {"uid": "evse-9"}]},
    "currency": "EUR",
    "total_cost": "4.56",
    "total_energy": 5,
    "total_time": 3,
    "total_parking_time": 0.5,
    "charging_periods": [
        period("2026-03-02T18:30:00Z", ("ENERGY", "2"), ("PARKING_TIME", 1)),
        period("2026-03-02T17:00:00Z", ("energy", 1.5), ("ENERGY", 1.5)),
        period("2026-03-02T19:00:00Z", ("PARKING_TIME", 1)),
    ],
    "last_updated": "2026-03-02T20:10:00Z",
}


def at(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC)


def test_a_cdr_is_staged_field_by_field(stage: Stage) -> None:
    row = stage("greenflux", "cdrs", CDR)[0]
    expected = {
        "session_id": "cdr-1",
        "month": "2026-03",
        "is_open": False,
        "reason": None,
        "started_at": at(17),
        "ended_at": at(20),
        "energy_kwh": 5.0,
        "energy_source": "reported",
        "charging_seconds": 9000.0,
        "status": "completed",
        "vendor_status": None,
        "station_id": None,
        "evse_uid": "evse-1",
        "connector_id": "2",
        "location_id": "loc-1",
        "user_id": "p_driver",
        "token_id": "p_token",
        "cost_amount": 4.56,
        "currency": "EUR",
        "meter_series": [
            {"at": at(17), "energy_kwh": 0.0},
            {"at": at(18, 30), "energy_kwh": 3.0},
            {"at": at(19), "energy_kwh": 2.0},
            {"at": at(20), "energy_kwh": 0.0},
        ],
        "meter_series_kind": "interval",
        "version_at": at(20, 10),
    }
    assert {name: row[name] for name in expected} == expected


def test_periods_that_tell_no_energy_are_no_series(stage: Stage) -> None:
    without = [None, [], [period("2026-03-02T17:00:00Z", ("TIME", 3))], [period("2026-03-02T17:00:00Z")]]
    rows = stage("greenflux", "cdrs", *({**CDR, "charging_periods": periods} for periods in without), CDR)
    assert [row["meter_series"] for row in rows[:4]] == [None] * 4
    assert [row["meter_series_kind"] for row in rows] == [None] * 4 + ["interval"]
    assert len(rows[4]["meter_series"]) == 4


@pytest.mark.parametrize("seconds", [0, 1, 59])
def test_a_period_that_begins_behind_the_end_leaves_the_one_before_its_energy(stage: Stage, seconds: int) -> None:
    periods = [period("2026-03-02T17:00:00Z", ("ENERGY", 4)), period(f"2026-03-02T20:00:{seconds:02}Z", ("ENERGY", 1))]
    [row] = stage("greenflux", "cdrs", {**CDR, "charging_periods": periods})
    series = [(point["at"], point["energy_kwh"]) for point in row["meter_series"]]
    assert series == [(at(17), 0.0), (at(20), 4.0), (at(20), 1.0)]


def test_what_is_unreadable_in_a_period_stays_visible_in_the_series(stage: Stage) -> None:
    volume, start = stage(
        "greenflux",
        "cdrs",
        {**CDR, "charging_periods": [period("2026-03-02T17:00:00Z", ("ENERGY", 1), ("ENERGY", "much"))]},
        {**CDR, "charging_periods": [period("2026-03-02T17:00:00Z", ("ENERGY", 1)), period("soon", ("ENERGY", 1))]},
    )
    assert [point["energy_kwh"] for point in volume["meter_series"]] == [0.0, None]
    assert [point["at"] for point in start["meter_series"]] == [at(17), None, at(20)]


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [({"total_parking_time": None}, None), ({"total_time": None}, None), ({"total_parking_time": 4}, 0.0),
     ({"total_time": "long"}, None), ({"total_time": 1e308}, None), ({"total_parking_time": 0}, 10800.0)],
)  # fmt: skip
def test_charging_time_is_known_only_from_both_times_and_never_negative(
    stage: Stage, changes: dict[str, Any], seconds: float | None
) -> None:
    row = stage("greenflux", "cdrs", {**CDR, **changes})[0]
    assert (row["charging_seconds"], row["reason"]) == (seconds, None)


def test_a_cdr_without_a_token_uid_or_evses_is_known_by_what_it_has(stage: Stage) -> None:
    row = stage("greenflux", "cdrs", {**CDR, "token_uid": None, "location": {"id": "loc-1", "evses": []}})[0]
    assert (row["token_id"], row["evse_uid"], row["connector_id"], row["location_id"]) == (
        "p_auth", None, None, "loc-1")  # fmt: skip


@pytest.mark.parametrize(
    ("misfit", "unknown"),
    [
        ({"charging_periods": {}}, "meter_series"),
        ({"charging_periods": [{**period("2026-03-02T17:00:00Z"), "dimensions": {}}]}, "meter_series"),
        ({"total_cost": {"excl_vat": 4.56}}, "cost_amount"),
        ({"location": {"id": "loc-1", "evses": {}}}, "evse_uid"),
    ],
)
def test_a_cdr_counts_without_what_comes_in_another_shape(stage: Stage, misfit: dict[str, Any], unknown: str) -> None:
    row = stage("greenflux", "cdrs", {**CDR, **misfit})[0]
    assert (row["reason"], row["energy_kwh"], row[unknown]) == (None, 5.0, None)


def test_a_newer_issue_replaces_the_older_one_even_if_it_cannot_be_read(raw_rows: Callable[..., pl.DataFrame]) -> None:
    newer = {**CDR, "total_energy": {"kwh": 6}, "last_updated": "2026-03-03T08:00:00Z"}
    staged = stage_cdrs(raw_rows("greenflux", "cdrs", newer, CDR), "UTC")
    winner = winning_versions(staged.with_columns(session_id=pl.lit("cdr-1"))).row(0, named=True)
    assert (winner["reason"], winner["version_at"]) == ("unreadable", datetime(2026, 3, 3, 8, tzinfo=UTC))


def test_a_location_has_numbers_for_its_text_coordinates_and_two_letters_for_its_country(stage: Stage) -> None:
    location = {
        "id": "loc-1",
        "name": "Harbour",
        "city": "Rotterdam",
        "country": "NLD",
        "coordinates": {"latitude": "51.920110", "longitude": "4.481230"},
        "time_zone": "Europe/Amsterdam",
        "created": "2024-06-18T09:30:00Z",
        "modified": "2026-02-27T16:20:05Z",
        "last_updated": "2026-02-28T00:00:00Z",
    }
    row, created, updated = stage(
        "greenflux",
        "locations",
        location,
        {**location, "modified": None},
        {**location, "modified": None, "created": None},
    )
    assert row == {
        "vendor": "greenflux",
        "location_id": "loc-1",
        "name": "Harbour",
        "city": "Rotterdam",
        "country": "NL",
        "latitude": 51.92011,
        "longitude": 4.48123,
        "time_zone": "Europe/Amsterdam",
        "version_at": datetime(2026, 2, 27, 16, 20, 5, tzinfo=UTC),
        "is_clocked": True,
        "read_at": datetime(2026, 4, 1, 6, tzinfo=UTC),
        "requested_at": datetime(2026, 4, 1, 6, tzinfo=UTC),
    }
    assert created["version_at"] == datetime(2024, 6, 18, 9, 30, tzinfo=UTC)
    assert updated["version_at"] == datetime(2026, 2, 28, tzinfo=UTC)


def test_a_charge_station_carries_its_connectors_in_kilowatts(stage: Stage) -> None:
    station = {
        "charge_station_id": "NL-0042",
        "location_id": "loc-1",
        "name": "Quay 2",
        "deploy_state": "Production",
        "firmware_version": "5.8.1",
        "evses": [
            {
                "uid": "NL-0042-1",
                "evse_id": "NL*TST*E0042*1",
                "connectors": [
                    {"id": "1", "standard": "IEC_62196_T2", "power_type": "AC_3_PHASE", "max_electric_power": 22080},
                    {"id": "2", "max_electric_power": 0},
                ],
            },
            {"uid": "NL-0042-2", "connectors": []},
            {"uid": "NL-0042-3"},
        ],
        "created": "2024-06-18T09:30:00Z",
        "modified": "2026-02-27T16:20:05Z",
    }
    row, bare = stage("greenflux", "charge_stations", station, {"charge_station_id": "NL-0043", "evses": []})
    names = ("evse_uid", "evse_id", "connector_id", "standard", "power_type", "max_power_kw")
    assert [tuple(connector[name] for name in names) for connector in row["connectors"]] == [
        ("NL-0042-1", "NL*TST*E0042*1", "1", "IEC_62196_T2", "AC_3_PHASE", 22.08),
        ("NL-0042-1", "NL*TST*E0042*1", "2", None, None, None),
        ("NL-0042-2", None, None, None, None, None),
        ("NL-0042-3", None, None, None, None, None),
    ]
    assert (row["station_id"], row["deploy_state"], row["firmware_version"]) == ("NL-0042", "Production", "5.8.1")
    assert (row["version_at"], row["is_clocked"]) == (datetime(2026, 2, 27, 16, 20, 5, tzinfo=UTC), True)
    assert (bare["connectors"], bare["is_clocked"]) == (None, False)
