"""The oracle, against cases worked out by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from sandbox.truth import truth
from sandbox.world import World

START = datetime(2026, 3, 10, 8, 5, tzinfo=UTC)
REFRESH = datetime(2026, 6, 1, tzinfo=UTC)


def _iso(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _zaptec(world: World, session_id: str = "z", start: datetime = START, minutes: float = 30, **changed: Any) -> None:
    payload = {
        "id": session_id,
        "chargerId": "charger",
        "startDateTime": _iso(start),
        "endDateTime": _iso(start + timedelta(minutes=minutes)),
        "energy": 3.0,
        **changed,
    }
    world.show("zaptec", "sessions", session_id, payload, START, "installation")


def _point(minutes: float, energy: Any) -> dict[str, Any]:
    return {"timestamp": _iso(START + timedelta(minutes=minutes)), "energy": energy}


def _slots(world: World, time_zone: str = "UTC") -> list[tuple[str, str, str | None, str]]:
    rows = truth(world, [REFRESH], time_zone)["fact_energy"]
    return [
        (
            row["slot_start_at"].strftime("%H:%M"),
            row["month"],
            None if row["energy_kwh"] is None else str(row["energy_kwh"]),
            row["method"],
        )
        for row in rows
    ]


def _energies(world: World) -> list[str | None]:
    return [energy for _, _, energy, _ in _slots(world)]


def test_an_even_session_by_quarter_hour():
    world = World()
    _zaptec(world)
    # 08:05 to 08:35 at 0.1 kWh a minute: 10, 15 and 5 minutes.
    assert _slots(world) == [
        ("08:00", "2026-03", "1.000000", "even"),
        ("08:15", "2026-03", "1.500000", "even"),
        ("08:30", "2026-03", "0.500000", "even"),
    ]
    (fact,) = truth(world, [REFRESH])["fact_session"]
    assert fact["energy_kwh"] == Decimal("3.000000")
    assert (fact["connected_seconds"], fact["charging_seconds"], fact["idle_seconds"]) == (1800.0, None, None)
    assert (fact["location_id"], fact["station_id"], fact["energy_source"]) == ("installation", "charger", "reported")


def test_slots_are_rounded_so_that_they_add_up():
    world = World()
    _zaptec(world, minutes=55, energy=1.0)
    # Boundaries after 10, 25, 40 and 55 of 55 minutes: .181818.. .454545.. .727272.. 1
    assert _energies(world) == ["0.181818", "0.272727", "0.272728", "0.272727"]


def test_a_session_of_no_length_has_one_slot():
    world = World()
    _zaptec(world, minutes=0, energy=0.5, start=START.replace(minute=15))
    assert _slots(world) == [("08:15", "2026-03", "0.500000", "even")]


def test_without_energy_the_slots_have_none_either():
    world = World()
    _zaptec(world, minutes=20, energy=None, energyDetails=[_point(0, 0), _point(20, 1)])
    assert _slots(world) == [("08:00", "2026-03", None, "even"), ("08:15", "2026-03", None, "even")]
    assert truth(world, [REFRESH])["fact_session"][0]["energy_source"] is None


@pytest.mark.parametrize(
    ("details", "energies", "method"),
    [
        # Per interval: 1 kWh until 08:15, 2 kWh until 08:30, nothing after.
        ([(0, 0), (10, 1.0), (25, 2.0)], ["1.000000", "2.000000", "0.000000"], "metered"),
        # The same, cumulative.
        ([(0, 0), (10, 1.0), (25, 3.0)], ["1.000000", "2.000000", "0.000000"], "metered"),
        # Sum and last value are equally close: cumulative, and 3 kWh fall evenly between start and end.
        ([(0, 0), (30, 3.0)], ["1.000000", "1.500000", "0.500000"], "metered"),
        # Misses the energy by a tenth: not used. Misses it by a third of a percent: scaled to fit.
        ([(0, 0), (10, 0.9), (25, 1.8)], ["1.000000", "1.500000", "0.500000"], "even"),
        ([(0, 0), (10, 0.99), (25, 2.0)], ["0.993311", "2.006689", "0.000000"], "metered"),
        # Points outside are moved to the edge; an interval of no length belongs to the slot that holds it.
        ([(-60, 1.0), (10, 1.0), (90, 1.0)], ["2.000000", "0.750000", "0.250000"], "metered"),
        ([(0, 0), (40, 1.0), (50, 2.0)], ["0.333333", "0.500000", "2.166667"], "metered"),
        # A series that falls by more than 0.001 kWh is not used, a smaller fall is flattened.
        ([(0, 0), (10, 1.0), (25, 0.5), (30, 3.0)], ["1.000000", "1.500000", "0.500000"], "even"),
        ([(0, 0), (10, 3.0), (25, -0.5), (30, 0.5)], ["1.000000", "1.500000", "0.500000"], "even"),
        ([(0, 0), (10, 1.0), (25, 0.9995), (30, 3.0)], ["1.000000", "0.000000", "2.000000"], "metered"),
        # A point that cannot be read spoils the series.
        ([(0, 0), (10, "n/a"), (25, 2.0)], ["1.000000", "1.500000", "0.500000"], "even"),
        ([], ["1.000000", "1.500000", "0.500000"], "even"),
    ],
)
def test_zaptec_series(details, energies, method):
    world = World()
    _zaptec(world, energyDetails=[_point(minutes, energy) for minutes, energy in details])
    assert _energies(world) == energies
    assert {slot[3] for slot in _slots(world)} == {method}


def test_a_session_across_the_end_of_a_month_and_of_summer_time():
    world = World()
    _zaptec(world, start=datetime(2026, 3, 31, 21, 30, tzinfo=UTC), minutes=60, energy=4.0)
    assert [(slot[0], slot[1]) for slot in _slots(world, "Europe/Amsterdam")] == [
        ("21:30", "2026-03"),
        ("21:45", "2026-03"),
        ("22:00", "2026-04"),
        ("22:15", "2026-04"),
    ]
    assert truth(world, [REFRESH], "Europe/Amsterdam")["fact_session"][0]["month"] == "2026-03"
    autumn = World()
    # 26 October 2025 has 25 hours in Amsterdam: from 22:00Z of the day before to 23:00Z.
    _zaptec(autumn, start=datetime(2025, 10, 25, 22, tzinfo=UTC), minutes=25 * 60, energy=25.0)
    rows = truth(autumn, [REFRESH], "Europe/Amsterdam")["fact_energy"]
    assert len(rows) == 100
    assert {row["energy_kwh"] for row in rows} == {Decimal("0.25")}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"voided": True, "energy": -1}, "void"),
        ({"replacedBySessionId": "other", "energy": -1}, "replaced"),
        ({"energy": -0.001, "startDateTime": None}, "negative_energy"),
        ({"startDateTime": _iso(START + timedelta(hours=1)), "energy": 9000}, "ends_before_start"),
        ({"energy": 5000.001, "endDateTime": _iso(START + timedelta(days=9))}, "implausible_energy"),
        ({"energy": 16.667, "endDateTime": _iso(START + timedelta(seconds=60))}, "implausible_energy"),
        ({"startDateTime": None}, "unreadable"),
        ({"startDateTime": "n/a"}, "unreadable"),
        ({"energy": "1,5"}, "unreadable"),
    ],
)
def test_the_first_reason_that_applies(changed, reason):
    world = World()
    _zaptec(world, **changed)
    tables = truth(world, [REFRESH])
    assert [row["reason"] for row in tables["rejected_session"]] == [reason]
    assert tables["fact_session"] == tables["fact_energy"] == tables["open_session"] == []


@pytest.mark.parametrize("seconds", [59, 0])
def test_a_short_session_has_no_greatest_power(seconds):
    world = World()
    _zaptec(world, minutes=seconds / 60, energy=20.0)
    assert len(truth(world, [REFRESH])["fact_session"]) == 1


def _smappee(world: World, **changed: Any) -> dict[str, list[dict[str, Any]]]:
    milliseconds = int(START.timestamp() * 1000)
    payload = {"id": 7, "serialNumber": 58, "from": milliseconds, "to": milliseconds + 900_000, "status": "STOPPED"}
    payload |= {"startReading": 10.1, "stopReading": 12.35, **changed}
    world.show("smappee", "sessions", "7", {k: v for k, v in payload.items() if v is not None}, START, "1201")
    return truth(world, [REFRESH])


@pytest.mark.parametrize(
    ("changed", "energy", "source"),
    [
        ({}, Decimal("2.25"), "meter_readings"),
        ({"energy": "2.5", "stopReading": 1.0}, Decimal("2.5"), "reported"),
        ({"stopReading": None}, None, None),
    ],
)
def test_smappee_energy(changed, energy, source):
    (fact,) = _smappee(World(), **changed)["fact_session"]
    assert (fact["energy_kwh"], fact["energy_source"]) == (energy, source)
    assert (fact["session_id"], fact["station_id"], fact["location_id"]) == ("7", "58", "1201")


def test_smappee_is_closed_by_its_status_alone():
    assert [row["vendor_status"] for row in _smappee(World(), status="CHARGING")["open_session"]] == ["CHARGING"]
    assert len(_smappee(World(), status="stopped")["fact_session"]) == 1
    assert [row["reason"] for row in _smappee(World(), to=None)["rejected_session"]] == ["unreadable"]
    assert [row["reason"] for row in _smappee(World(), stopReading=1)["rejected_session"]] == ["negative_energy"]


@pytest.mark.parametrize(
    ("word", "status"),
    [("Complete", "completed"), ("forceended", "forced_end"), ("Active", "completed"), ("Dozing", "unknown")],
)
def test_jedlix_statuses(word, status):
    world = World()
    payload = {"id": "j", "startTime": _iso(START), "endTime": _iso(START + timedelta(hours=1)), "status": word}
    world.show("jedlix", "sessions", "j", payload, START)
    (fact,) = truth(world, [REFRESH])["fact_session"]
    assert (fact["status"], fact["vendor_status"]) == (status, word)


def _cdr(world: World, shown_from: datetime, **changed: Any) -> None:
    payload = {
        "id": "c",
        "start_date_time": _iso(START),
        "stop_date_time": _iso(START + timedelta(hours=1)),
        "total_energy": 4.0,
        "total_time": 1.0,
        "total_parking_time": 0.25,
        "total_cost": 1.23456,
        "currency": "EUR",
        "location": {"id": "L", "evses": [{"uid": "S-1", "connectors": [{"id": "2"}]}]},
        "last_updated": _iso(shown_from),
        **changed,
    }
    world.show("greenflux", "cdrs", "c", payload, shown_from)


def test_greenflux_cdrs_issued_again_and_stations_that_come_later():
    world = World()
    first, second = START + timedelta(hours=2), START + timedelta(days=2)
    _cdr(world, first)
    _cdr(world, second, total_cost=1.0)
    station = {"charge_station_id": "S", "created": _iso(second), "modified": None, "evses": [{"uid": "S-1"}]}
    world.show("greenflux", "charge_stations", "S", station, second)
    (fact,) = truth(world, [second - timedelta(hours=1)])["fact_session"]
    assert (fact["station_id"], fact["evse_uid"]) == (None, "S-1")
    assert (fact["connector_id"], fact["location_id"]) == ("2", "L")
    assert (fact["charging_seconds"], fact["idle_seconds"]) == (2700.0, 900.0)
    assert (fact["cost_amount"], fact["currency"]) == (Decimal("1.2346"), "EUR")
    (fact,) = truth(world, [second - timedelta(hours=1), REFRESH])["fact_session"]
    assert (fact["station_id"], fact["cost_amount"]) == ("S", Decimal("1.0000"))


def test_greenflux_periods_last_until_the_next_one():
    world = World()
    periods = [
        {"start_date_time": _iso(START), "dimensions": [{"type": "ENERGY", "volume": 3.0}]},
        {"start_date_time": _iso(START + timedelta(minutes=10)), "dimensions": [{"type": "TIME", "volume": 0.5}]},
        {"start_date_time": _iso(START + timedelta(minutes=40)), "dimensions": [{"type": "ENERGY", "volume": 1.0}]},
    ]
    _cdr(world, START + timedelta(hours=2), charging_periods=periods)
    # 08:05-08:15 3 kWh, 08:15-08:45 nothing, 08:45-09:05 1 kWh.
    assert _energies(world) == ["3.000000", "0.000000", "0.000000", "0.750000", "0.250000"]


def test_history_of_what_has_a_modification_time_and_of_what_has_none():
    world = World()
    early, late = START - timedelta(days=9), START
    refreshes = [START - timedelta(days=1), START + timedelta(days=1), START + timedelta(days=2)]
    location = {"id": "L", "name": "one", "country": "NLD", "created": _iso(early), "modified": None}
    world.show("greenflux", "locations", "L", location, early)
    world.show("greenflux", "locations", "L", {**location, "name": "two", "modified": _iso(late)}, late)
    installation = {"Id": "I", "Name": "one", "CountryCode": "NO", "Active": True}
    world.show("zaptec", "installations", "I", installation, early)
    world.show("zaptec", "installations", "I", {**installation, "Active": False}, late)
    world.show("zaptec", "installations", "I", {**installation, "Name": "two"}, START + timedelta(hours=30))
    rows = truth(world, refreshes)["dim_location"]
    found = {(row["vendor"], row["name"]): (row["valid_from"], row["valid_to"], row["is_current"]) for row in rows}
    assert found == {
        ("greenflux", "one"): (early, late, False),
        ("greenflux", "two"): (late, None, True),
        ("zaptec", "one"): (refreshes[0], refreshes[2], False),
        ("zaptec", "two"): (refreshes[2], None, True),
    }
    assert {row["country"] for row in rows} == {"NL", "NO"}


def test_connectors_belong_to_their_evse():
    world = World()
    evses = [
        {"uid": "S-1", "evse_id": "NL*1", "connectors": [{"id": "1", "max_electric_power": 22080}]},
        {"uid": "S-2", "evse_id": None, "connectors": [{"id": "1", "max_electric_power": 0}]},
    ]
    station = {"charge_station_id": "S", "created": _iso(START), "evses": evses}
    world.show("greenflux", "charge_stations", "S", station, START)
    rows = truth(world, [REFRESH])["dim_connector"]
    assert [(row["evse_id"], row["connector_id"], row["max_power_kw"]) for row in rows] == [
        ("NL*1", "1", 22.08),
        ("S-2", "1", None),
    ]


def test_pseudonyms_and_the_first_instant_read():
    world = World()
    _zaptec(world, authorizedUser={"id": "u"}, tokenName="t")
    (fact,) = truth(world, [REFRESH], pseudonym=lambda vendor, kind, value: f"{vendor}/{kind}/{value}")["fact_session"]
    assert (fact["user_id"], fact["token_id"]) == ("zaptec/user/u", "zaptec/token/t")
    assert truth(world, [REFRESH], first_read_at=START + timedelta(hours=1))["fact_session"] == []
    assert truth(world, [START])["fact_session"] == []


def test_refreshes_must_be_in_order():
    with pytest.raises(ValueError, match="ascending"):
        truth(World(), [REFRESH, START])
