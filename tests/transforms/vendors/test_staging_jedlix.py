from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

Stage = Callable[..., list[dict[str, Any]]]

SESSION = {
    "id": "s-1",
    "userId": "p_user",
    "vehicleId": "v-1",
    "chargingLocationId": None,
    "isManaged": False,
    "status": "ForceEnded",
    "calibrationState": None,
    "startTime": "2026-02-11T19:03:27.140Z",
    "endTime": "2026-02-12T05:48:02.000Z",
    "energyCharged": 22.6,
    "startBatteryLevel": 38,
    "endBatteryLevel": 80,
}


def test_a_session_is_staged_field_by_field(stage: Stage) -> None:
    row = stage("jedlix", "sessions", SESSION)[0]
    expected = {
        "session_id": "s-1",
        "month": "2026-02",
        "is_open": False,
        "reason": None,
        "started_at": datetime(2026, 2, 11, 19, 3, 27, 140_000, tzinfo=UTC),
        "ended_at": datetime(2026, 2, 12, 5, 48, 2, tzinfo=UTC),
        "energy_kwh": 22.6,
        "energy_source": "reported",
        "status": "forced_end",
        "vendor_status": "ForceEnded",
        "station_id": None,
        "location_id": None,
        "vehicle_id": "v-1",
        "user_id": "p_user",
        "meter_series": None,
        "meter_series_kind": None,
        "version_at": None,
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("word", "status"),
    [("Complete", "completed"), ("complete", "completed"), ("FORCEENDED", "forced_end"), ("Active", "completed"),
     ("Paused", "unknown"), (None, "unknown")],
)  # fmt: skip
def test_status_words_are_read_in_any_case_and_kept_as_given(stage: Stage, word: str | None, status: str) -> None:
    row = stage("jedlix", "sessions", {**SESSION, "status": word})[0]
    assert (row["status"], row["vendor_status"], row["is_open"]) == (status, word, False)


def test_a_status_of_nothing_between_quotes_is_no_word(stage: Stage) -> None:
    row = stage("jedlix", "sessions", {**SESSION, "status": ""})[0]
    assert (row["status"], row["vendor_status"]) == ("unknown", None)


def test_a_session_without_an_end_is_open_whatever_its_status(stage: Stage) -> None:
    row = stage("jedlix", "open_sessions", {**SESSION, "status": "Complete", "endTime": None})[0]
    assert (row["is_open"], row["ended_at"], row["reason"]) == (True, None, None)


def test_an_end_and_an_energy_of_nothing_between_quotes_are_none(stage: Stage) -> None:
    running = {**SESSION, "status": "Active", "endTime": "", "energyCharged": ""}
    row = stage("jedlix", "open_sessions", running)[0]
    assert (row["is_open"], row["ended_at"], row["energy_kwh"], row["reason"]) == (True, None, None, None)
    row = stage("jedlix", "sessions", {**SESSION, "energyCharged": ""})[0]
    assert (row["is_open"], row["energy_kwh"], row["energy_source"], row["reason"]) == (False, None, None, None)


@pytest.mark.parametrize("end", [" ", "soon", "0001-01-01T00:00:00Z"])
def test_an_end_that_is_no_time_is_unreadable(stage: Stage, end: str) -> None:
    row = stage("jedlix", "sessions", {**SESSION, "endTime": end})[0]
    assert (row["is_open"], row["reason"]) == (False, "unreadable")


def test_a_session_whose_energy_nobody_gives_counts_without(stage: Stage) -> None:
    row = stage("jedlix", "sessions", {**SESSION, "energyCharged": None})[0]
    assert (row["energy_kwh"], row["energy_source"], row["reason"]) == (None, None, None)


def test_a_charging_location_is_coarse_and_nameless_and_clocked(stage: Stage) -> None:
    location = {
        "id": "l-1",
        "coordinates": {"latitude": 52.0907, "longitude": 5.1254},
        "address": {"city": "Utrecht", "region": None, "country": "nl", "area": None},
        "createdAt": "2025-11-03T08:15:00.001Z",
        "updatedAt": "2026-01-20T14:02:59.870123",
    }
    row, never_updated, bare = stage(
        "jedlix",
        "charging_locations",
        location,
        {**location, "updatedAt": None},
        {"id": "l-2", "coordinates": None, "address": None},
    )
    assert (row["name"], row["city"], row["country"], row["latitude"], row["longitude"]) == (
        None, "Utrecht", "NL", 52.09, 5.13)  # fmt: skip
    assert (row["version_at"], row["is_clocked"]) == (datetime(2026, 1, 20, 14, 2, 59, 870_000, tzinfo=UTC), True)
    assert (never_updated["version_at"], never_updated["is_clocked"]) == (never_updated["read_at"], False)
    assert (bare["latitude"], bare["city"], bare["is_clocked"]) == (None, None, False)


def test_vehicles_and_users_begin_when_they_are_read(stage: Stage) -> None:
    vehicle = stage(
        "jedlix",
        "vehicles",
        {"id": "v-1", "userId": "p_user", "details": {"brand": "Volta", "model": "One", "version": None},
         "isConnected": True, "createdAt": "2025-11-03T08:15:00.001Z"},
    )[0]  # fmt: skip
    assert (vehicle["vehicle_id"], vehicle["user_id"], vehicle["brand"], vehicle["model"], vehicle["version"]) == (
        "v-1", "p_user", "Volta", "One", None)  # fmt: skip
    user = stage("jedlix", "users", {"id": "p_user", "createdAt": "2025-11-03T08:15:00.001Z"})[0]
    assert user["created_at"] == datetime(2025, 11, 3, 8, 15, 0, 1_000, tzinfo=UTC)
    assert vehicle["is_clocked"] is user["is_clocked"] is False
    assert vehicle["version_at"] == user["version_at"] == datetime(2026, 4, 1, 6, tzinfo=UTC)
