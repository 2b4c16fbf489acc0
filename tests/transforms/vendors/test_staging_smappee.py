from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

Stage = Callable[..., list[dict[str, Any]]]

SESSION = {
    "id": 48213,
    "serialNumber": 5820004711,
    "connector": 2,
    "authenticationType": "RFID",
    "rfid": "p_card",
    "userId": "p_user",
    "from": 1772442061000,
    "to": "1772470915000",
    "status": "STOPPED",
    "range": 100,
    "duration": 8.02,
    "startReading": 1042.37,
    "stopReading": 1071.92,
}


def test_a_session_is_staged_field_by_field(stage: Stage) -> None:
    row = stage("smappee", "sessions", SESSION, scope="park:8812")[0]
    expected = {
        "session_id": "48213",
        "month": "2026-03",
        "is_open": False,
        "reason": None,
        "started_at": datetime(2026, 3, 2, 9, 1, 1, tzinfo=UTC),
        "ended_at": datetime(2026, 3, 2, 17, 1, 55, tzinfo=UTC),
        "energy_kwh": 29.55,
        "energy_source": "meter_readings",
        "status": "completed",
        "vendor_status": "STOPPED",
        "station_id": "5820004711",
        "connector_id": "2",
        "location_id": "8812",
        "user_id": "p_user",
        "token_id": "p_card",
        "meter_series": None,
    }
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("changes", "energy_kwh", "source", "reason"),
    [
        ({"energy": 30.5}, 30.5, "reported", None),
        ({"energy": "30.5"}, 30.5, "reported", None),
        ({"energy": 30.5, "stopReading": 1}, 30.5, "reported", None),
        ({"energy": 30.5, "stopReading": "n/a"}, 30.5, "reported", None),
        ({"energy": "n/a"}, None, None, "unreadable"),
        ({"energy": ""}, 29.55, "meter_readings", None),
        ({"energy": "", "stopReading": ""}, None, None, None),
        ({"energy": -1}, -1.0, "reported", "negative_energy"),
        ({"stopReading": 1042.36}, -0.01, "meter_readings", "negative_energy"),
        ({"stopReading": None}, None, None, None),
        ({"stopReading": "n/a"}, None, None, "unreadable"),
        ({"startReading": 0, "stopReading": 88123.4}, 88123.4, "meter_readings", "implausible_energy"),
    ],
)
def test_energy_where_present_wins_over_the_readings(
    stage: Stage, changes: dict[str, Any], energy_kwh: float | None, source: str | None, reason: str | None
) -> None:
    row = stage("smappee", "sessions", {**SESSION, **changes})[0]
    assert (row["energy_kwh"], row["energy_source"], row["reason"]) == (energy_kwh, source, reason)


@pytest.mark.parametrize("status", ["INITIAL", "STARTED", "CHARGING", "SUSPENDED", "STOPPING", None])
def test_only_stopped_is_closed_whatever_to_says(stage: Stage, status: str | None) -> None:
    row = stage("smappee", "open_sessions", {**SESSION, "status": status})[0]
    assert (row["is_open"], row["ended_at"], row["reason"], row["vendor_status"]) == (True, None, None, status)


def test_stopped_is_read_in_any_case(stage: Stage) -> None:
    row = stage("smappee", "sessions", {**SESSION, "status": "Stopped"})[0]
    assert (row["is_open"], row["reason"], row["vendor_status"]) == (False, None, "Stopped")


def test_an_end_of_nothing_between_quotes_is_none(stage: Stage) -> None:
    row = stage("smappee", "open_sessions", {**SESSION, "status": "CHARGING", "to": ""})[0]
    assert (row["is_open"], row["ended_at"], row["reason"]) == (True, None, None)


@pytest.mark.parametrize("to", [None, "", "later", 1772470915])
def test_a_stopped_session_without_a_readable_end_is_unreadable(stage: Stage, to: Any) -> None:
    row = stage("smappee", "sessions", {**SESSION, "to": to})[0]
    assert (row["is_open"], row["reason"]) == (False, "unreadable")


def test_times_in_seconds_are_unreadable(stage: Stage) -> None:
    assert stage("smappee", "sessions", {**SESSION, "from": 1772442061})[0]["reason"] == "unreadable"
