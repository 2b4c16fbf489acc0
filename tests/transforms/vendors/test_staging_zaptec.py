from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

Stage = Callable[..., list[dict[str, Any]]]

SESSION = {
    "id": "0b7f5a60-1111-4a77-8f34-2c1b6d0e9a11",
    "externalId": None,
    "replacedBySessionId": None,
    "chargerId": "c-17",
    "deviceId": "ZPR100017",
    "startDateTime": "2026-02-28T23:30:09.2214567Z",
    "endDateTime": "2026-03-01T06:12:44.087+01:00",
    "energy": 31.418,
    "energyDetails": [
        {"timestamp": "2026-02-28T23:30:09.221+00:00", "energy": 0},
        {"timestamp": "2026-03-01T00:00:00+00:00", "energy": "3.302"},
        {"timestamp": None, "energy": "n/a"},
    ],
    "authorizedUser": {"id": "p_driver"},
    "tokenName": "p_token",
    "offline": False,
    "voided": False,
    "aborted": False,
}


def test_an_archived_session_is_staged_field_by_field(stage: Stage) -> None:
    row = stage("zaptec", "sessions", SESSION, scope="installation:i-1", time_zone="Europe/Amsterdam")[0]
    started_at = datetime(2026, 2, 28, 23, 30, 9, 221_000, tzinfo=UTC)
    expected = {
        "vendor": "zaptec",
        "session_id": "0b7f5a60-1111-4a77-8f34-2c1b6d0e9a11",
        "month": "2026-03",
        "scope": "installation:i-1",
        "is_open": False,
        "reason": None,
        "started_at": started_at,
        "ended_at": datetime(2026, 3, 1, 5, 12, 44, 87_000, tzinfo=UTC),
        "energy_kwh": 31.418,
        "energy_source": "reported",
        "charging_seconds": None,
        "status": "completed",
        "vendor_status": None,
        "station_id": "c-17",
        "evse_uid": None,
        "connector_id": None,
        "location_id": "i-1",
        "vehicle_id": None,
        "user_id": "p_driver",
        "token_id": "p_token",
        "cost_amount": None,
        "currency": None,
        "meter_series": [
            {"at": started_at, "energy_kwh": 0.0},
            {"at": datetime(2026, 3, 1, tzinfo=UTC), "energy_kwh": 3.302},
            {"at": None, "energy_kwh": None},
        ],
        "meter_series_kind": "undecided",
        "payload": None,
        "version_at": None,
        "content_hash": -1,
    }
    assert {name: row[name] for name in expected} == expected
    assert row["read_at"] == row["first_read_at"] == row["requested_at"]


def test_optional_fields_may_be_missing_or_null_or_empty(stage: Stage) -> None:
    bare = {"id": "a", "startDateTime": "2026-03-01T00:00:00Z", "endDateTime": "2026-03-01T01:00:00Z"}
    nulls = dict.fromkeys(("energy", "energyDetails", "authorizedUser", "tokenName", "voided", "aborted"))
    empties = {"energyDetails": [], "authorizedUser": {}, "tokenName": ""}
    rows = stage("zaptec", "sessions", bare, {**bare, **nulls}, {**bare, **empties})
    for row in rows:
        assert row["reason"] is None
        assert (row["energy_kwh"], row["energy_source"], row["meter_series"], row["token_id"]) == (None,) * 4


def test_an_aborted_session_counts_as_given(stage: Stage) -> None:
    row = stage("zaptec", "sessions", {**SESSION, "aborted": True})[0]
    assert (row["status"], row["reason"], row["energy_kwh"]) == ("aborted", None, 31.418)


def test_only_the_installation_scope_names_the_location(stage: Stage) -> None:
    for scope in ("charger:c-17", "user:p_driver"):
        assert stage("zaptec", "sessions", SESSION, scope=scope)[0]["location_id"] is None


def test_installations_and_chargers_begin_when_they_are_read(stage: Stage) -> None:
    installation = stage(
        "zaptec",
        "installations",
        {"Id": "i-1", "Name": "Depot", "City": "Oslo", "CountryCode": "NOR", "Latitude": 59.91, "Longitude": "10.75",
         "TimeZoneIanaName": "Europe/Oslo"},
    )[0]  # fmt: skip
    assert installation == {
        "vendor": "zaptec",
        "location_id": "i-1",
        "name": "Depot",
        "city": "Oslo",
        "country": "NO",
        "latitude": 59.91,
        "longitude": 10.75,
        "time_zone": "Europe/Oslo",
        "version_at": datetime(2026, 4, 1, 6, tzinfo=UTC),
        "is_clocked": False,
        "read_at": datetime(2026, 4, 1, 6, tzinfo=UTC),
        "requested_at": datetime(2026, 4, 1, 6, tzinfo=UTC),
    }
    charger = stage("zaptec", "chargers", {"Id": "c-17", "Name": "Bay 17", "InstallationId": "i-1"})[0]
    assert (charger["station_id"], charger["location_id"], charger["name"]) == ("c-17", "i-1", "Bay 17")
    assert charger["connectors"] is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"energy": {"kWh": 1}}, "unreadable"),
        ({"energy": {"kWh": 1}, "voided": True}, "void"),
        ({"energy": [1], "replacedBySessionId": "s-2"}, "replaced"),
        ({"id": ["a"], "energy": -1}, "negative_energy"),
    ],
)
def test_an_essential_field_of_another_shape_hides_neither_the_month_nor_an_earlier_reason(
    stage: Stage, fields: dict[str, Any], reason: str
) -> None:
    row = stage("zaptec", "sessions", SESSION | fields)[0]
    assert (row["month"], row["reason"]) == ("2026-02", reason)
    assert row["payload"] is not None
