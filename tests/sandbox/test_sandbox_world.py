"""Generated worlds: determined by their arguments, with every oddity, and consistent with the oracle."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from sandbox.generate import generate_world
from sandbox.readings import instant_of_epoch_milliseconds, instant_of_text
from sandbox.truth import truth
from sandbox.world import SESSION_ENDPOINTS, World

BEGINS_AT = datetime(2026, 1, 10, tzinfo=UTC)
NOW = datetime(2026, 4, 10, tzinfo=UTC)


def _encoded(world: World) -> list[bytes]:
    return [
        version.encoded
        for vendor, endpoint in SESSION_ENDPOINTS.items()
        for line in world.timelines(vendor, endpoint)
        for version in line.versions
    ]


def test_equal_arguments_give_equal_worlds(world):
    assert _encoded(generate_world(7, BEGINS_AT, NOW, 480, continues_days=20)) == _encoded(world)
    assert _encoded(generate_world(8, BEGINS_AT, NOW, 480, continues_days=20)) != _encoded(world)


def test_it_has_about_as_many_sessions_as_asked_for_and_goes_on(world):
    shown = sum(len(list(world.shown(vendor, endpoint, NOW))) for vendor, endpoint in SESSION_ENDPOINTS.items())
    later = NOW + timedelta(days=20)
    shown_later = sum(len(list(world.shown(vendor, endpoint, later))) for vendor, endpoint in SESSION_ENDPOINTS.items())
    assert 440 < shown < 540
    assert shown_later > shown + 60


def test_every_late_row_and_correction_comes_within_six_days_of_the_end(world):
    for vendor, endpoint in SESSION_ENDPOINTS.items():
        field = {"zaptec": "endDateTime", "jedlix": "endTime", "greenflux": "stop_date_time", "smappee": "to"}[vendor]
        for line in world.timelines(vendor, endpoint):
            last = line.versions[-1]
            ended_at = instant_of_text(last.payload.get(field)) or instant_of_epoch_milliseconds(
                last.payload.get(field)
            )
            if ended_at is not None:
                assert last.shown_from <= ended_at + timedelta(days=6)


def test_a_world_may_hold_very_late_corrections():
    world = generate_world(7, BEGINS_AT, NOW, 480, very_late=0.5)
    ages = [
        line.versions[-1].shown_from - instant_of_text(line.versions[-1].payload["endDateTime"])
        for line in world.timelines("zaptec", "sessions")
    ]
    assert max(ages) > timedelta(days=20)


def test_the_truth_of_a_generated_world_accounts_for_everything():
    world = generate_world(3, BEGINS_AT, NOW, 2000, continues_days=0)
    refresh = NOW + timedelta(days=40)
    tables = truth(world, [refresh], "Europe/Amsterdam")
    slots: Counter[tuple[str, str]] = Counter()
    for row in tables["fact_energy"]:
        if row["energy_kwh"] is not None:
            assert row["energy_kwh"] >= 0
            slots[row["vendor"], row["session_id"]] += row["energy_kwh"]
    for row in tables["fact_session"]:
        assert slots[row["vendor"], row["session_id"]] == (row["energy_kwh"] or Decimal(0))
    assert tables["open_session"] == []
    shown = sum(len(world.timelines(vendor, endpoint)) for vendor, endpoint in SESSION_ENDPOINTS.items())
    assert len(tables["fact_session"]) + len(tables["rejected_session"]) == shown
    assert {row["reason"] for row in tables["rejected_session"]} == {
        "void",
        "replaced",
        "negative_energy",
        "ends_before_start",
        "implausible_energy",
        "unreadable",
    }
    assert {row["method"] for row in tables["fact_energy"]} == {"even", "metered"}
    assert {row["status"] for row in tables["fact_session"]} == {"completed", "forced_end", "aborted", "unknown"}


def test_a_naive_instant_is_refused():
    with pytest.raises(ValueError, match="time zone"):
        World().show("zaptec", "sessions", "z", {}, datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ValueError, match="time zone"):
        generate_world(1, NOW, BEGINS_AT, 10)


def test_an_edit_is_served_at_once(caller, sandbox, world):
    before = caller.get("jedlix", "/api/v2/sessions").json()
    payload = {**before["items"][0], "id": "added", "startTime": "2026-04-09T23:59:59.000Z"}
    world.show("jedlix", "sessions", "added", payload, sandbox.now)
    after = caller.get("jedlix", "/api/v2/sessions").json()
    assert after["totalCount"] == before["totalCount"] + 1
    assert after["items"][0] == payload
