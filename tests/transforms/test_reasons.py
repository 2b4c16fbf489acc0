from collections.abc import Callable
from typing import Any

import pytest

Stage = Callable[..., list[dict[str, Any]]]

SOUND = {
    "id": "a",
    "startDateTime": "2026-03-02T10:00:00Z",
    "endDateTime": "2026-03-02T11:00:00Z",
    "energy": 10,
    "voided": False,
}


def reason(stage: Stage, **changes: Any) -> Any:
    return stage("zaptec", "sessions", {**SOUND, **changes})[0]["reason"]


def test_a_sound_session_has_no_reason_and_keeps_no_payload(stage: Stage) -> None:
    row = stage("zaptec", "sessions", SOUND)[0]
    assert (row["reason"], row["payload"]) == (None, None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"voided": True}, "void"),
        ({"replacedBySessionId": "b"}, "replaced"),
        ({"replacedBySessionId": ""}, None),
        ({"energy": -0.001}, "negative_energy"),
        ({"endDateTime": "2026-03-02T09:59:59.999Z"}, "ends_before_start"),
        ({"energy": 5000.001, "endDateTime": "2026-03-09T10:00:00Z"}, "implausible_energy"),
        ({"energy": 5000, "endDateTime": "2026-03-09T10:00:00Z"}, None),
        ({"energy": 1000.001}, "implausible_energy"),
        ({"energy": 1000}, None),
        # Exactly one megawatt, but above it by the last bit if computed in floats.
        ({"energy": 570.1375, "endDateTime": "2026-03-02T10:34:12.495Z"}, None),
        ({"energy": 570.137501, "endDateTime": "2026-03-02T10:34:12.495Z"}, "implausible_energy"),
        ({"energy": 1e300}, "implausible_energy"),
        ({"energy": 5000, "startDateTime": "1971-01-01T00:00:00Z"}, None),
        ({"energy": 100, "endDateTime": "2026-03-02T10:00:59.999Z"}, None),
        ({"energy": 100, "endDateTime": "2026-03-02T10:01:00Z"}, "implausible_energy"),
        ({"energy": 0}, None),
        ({"energy": None}, None),
        ({"endDateTime": "2026-03-02T10:00:00Z"}, None),
        ({"id": None}, "unreadable"),
        ({"id": ""}, "unreadable"),
        ({"startDateTime": None}, "unreadable"),
        ({"startDateTime": "soon"}, "unreadable"),
        ({"endDateTime": "later"}, "unreadable"),
        ({"energy": "n/a"}, "unreadable"),
        ({"energy": "12,5"}, "unreadable"),
        ({"energy": "NaN"}, "unreadable"),
        ({"energy": {"kwh": 10}}, "unreadable"),
        ({"endDateTime": ["2026-03-02T11:00:00Z"]}, "unreadable"),
        ({"voided": {}}, "unreadable"),
        ({"energy": ""}, None),
        ({"energyDetails": "none"}, None),
        ({"energyDetails": {}}, None),
        ({"authorizedUser": "somebody"}, None),
        ({"chargerId": []}, None),
    ],
)
def test_a_session_is_rejected_for_one_thing_wrong_with_it(
    stage: Stage, changes: dict[str, Any], expected: Any
) -> None:
    assert reason(stage, **changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"voided": True, "replacedBySessionId": "b"}, "void"),
        ({"replacedBySessionId": "b", "energy": -1}, "replaced"),
        ({"energy": -1, "endDateTime": "2026-03-02T09:00:00Z"}, "negative_energy"),
        ({"energy": 9999, "endDateTime": "2026-03-02T09:00:00Z"}, "ends_before_start"),
        ({"energy": 9999, "id": None}, "implausible_energy"),
        ({"voided": True, "startDateTime": None}, "void"),
    ],
)
def test_of_several_reasons_the_first_in_order_is_given(stage: Stage, changes: dict[str, Any], expected: str) -> None:
    assert reason(stage, **changes) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"energy": -1}, None), ({"energy": 9999}, None), ({"voided": True}, "void"), ({"energy": "n/a"}, "unreadable")],
)
def test_a_running_session_is_not_judged_by_its_energy(stage: Stage, changes: dict[str, Any], expected: Any) -> None:
    row = stage("zaptec", "sessions", {**SOUND, "endDateTime": None, **changes})[0]
    assert (row["reason"], row["is_open"]) == (expected, True)


def test_a_rejected_session_keeps_its_payload_and_its_claim(stage: Stage) -> None:
    row = stage("zaptec", "sessions", {**SOUND, "energy": -2})[0]
    assert row["energy_kwh"] == -2
    assert '"energy": -2' in row["payload"]


def test_what_has_no_id_is_known_by_its_content_hash(stage: Stage) -> None:
    first, second = stage("zaptec", "sessions", "not JSON", {})
    assert first["session_id"] == "no-id-ffffffffffffffff"
    assert second["session_id"] == "no-id-0000000000000000"
    assert (first["status"], first["is_open"], first["month"]) == ("unknown", False, None)
