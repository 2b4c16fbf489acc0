"""A forgotten person leaves no trace in the data folder and does not come back; every kWh stays (F66)."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from dlt.common.versioned_state import decompress_state

from pipelines import command
from pipelines.operations.erasure import erase_from_raw_log
from pipelines.personal_data import Pseudonyms
from sandbox.generate import generate_world
from sandbox.server import Sandbox
from tests.end_to_end.published import KEY, TABLES, Chargehouse

FIRST = datetime(2026, 3, 20, 6, tzinfo=UTC)
NEXT = datetime(2026, 3, 27, 6, tzinfo=UTC)
MONTHS = ("--from", "2026-01", "--to", "2026-03")
PERSONS = {
    "zaptec": ("sessions", "authorizedUser", "user"),
    "jedlix": ("sessions", "userId", "user"),
    "greenflux": ("cdrs", "auth_id", "token"),
    "smappee": ("sessions", "rfid", "token"),
}
"""For each vendor: the list, the field that names the person or card, and which of the two it is."""

PERSONAL = ("user_id", "token_id", "vehicle_id")
Sessions = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(generate_world(7, datetime(2026, 1, 10, tzinfo=UTC), FIRST, 480, continues_days=20), FIRST) as running:
        yield running


@pytest.fixture(scope="module")
def persons(sandbox: Sandbox) -> dict[str, str]:
    """The busiest person of each vendor, as the vendor writes the id."""
    return {vendor: busiest(sandbox, vendor) for vendor in PERSONS}


@pytest.fixture(scope="module")
def before() -> dict[str, Any]:
    """What was published before anybody was forgotten."""
    return {}


@pytest.fixture(scope="module")
def house(
    sandbox: Sandbox, persons: dict[str, str], before: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Chargehouse:
    """A warehouse in which the busiest person of every vendor was forgotten after the first refresh."""
    house = Chargehouse(tmp_path_factory.mktemp("house"), sandbox, CHARGEHOUSE_FIRST_MONTH="2026-01")
    assert house.run("refresh", "--as-of", FIRST.isoformat()) == command.DONE
    before.update(sessions=sessions(house), energy=energy(house), audit=audit(house), news=news(house))
    for vendor, person in persons.items():
        assert traces(house.data, pseudonym(vendor, person)), "a person without a trace would prove nothing"
        assert house.run("forget", "--vendor", vendor, "--user", person) == command.DONE
    return house


def busiest(sandbox: Sandbox, vendor: str) -> str:
    endpoint, field, _ = PERSONS[vendor]
    named = Counter(
        (version.payload.get(field) or {}).get("id") if vendor == "zaptec" else version.payload.get(field)
        for _, version in sandbox.world.shown(vendor, endpoint, FIRST)
    )
    del named[None]
    person, count = named.most_common(1)[0]
    assert count > 1
    return str(person)


def pseudonym(vendor: str, person: str) -> str:
    return Pseudonyms(vendor, KEY.encode()).of(PERSONS[vendor][2], person)


def sessions(house: Chargehouse) -> Sessions:
    columns = [name for name, *_ in house.query("DESCRIBE fact_session")]
    return {(row["vendor"], row["session_id"]): row for row in house.rows("fact_session", columns)}


def energy(house: Chargehouse) -> list[tuple[Any, ...]]:
    return house.query(
        "SELECT vendor, month, station_id, count(*), sum(energy_kwh) FROM fact_energy GROUP BY ALL ORDER BY ALL"
    )


def audit(house: Chargehouse) -> list[tuple[Any, ...]]:
    return house.query("SELECT * EXCLUDE (message) FROM ops.load_audit ORDER BY ALL")


def news(house: Chargehouse) -> list[tuple[Any, ...]]:
    return house.query("SELECT vendor, sum(rows_new), sum(rows_changed) FROM ops.load_audit GROUP BY ALL ORDER BY ALL")


def traces(data: Path, text: str) -> list[str]:
    """The files below `data` that contain the text, however they are packed."""
    return sorted(str(path.relative_to(data)) for path in data.rglob("*") if path.is_file() and holds(path, text))


def holds(path: Path, text: str) -> bool:
    if path.suffix == ".parquet":
        rows = "FROM read_parquet($path) AS whole WHERE contains(CAST(whole AS VARCHAR), $text)"
        return bool(duckdb.execute(rows, {"path": str(path), "text": text}).fetchall())
    if path.parent.name == "_dlt_pipeline_state":
        return text in str(decompress_state(orjson.loads(path.read_bytes())["state"]))
    return text.encode() in path.read_bytes()


@pytest.mark.parametrize("vendor", PERSONS)
def test_nothing_below_the_root_of_data_tells_of_the_person(
    vendor: str, house: Chargehouse, sandbox: Sandbox, persons: dict[str, str]
) -> None:
    assert traces(house.data, pseudonym(vendor, persons[vendor])) == []
    if vendor == "jedlix":
        for endpoint in ("vehicles", "charging_locations"):
            own = [
                str(version.payload["id"])
                for _, version in sandbox.world.shown(vendor, endpoint, FIRST)
                if version.payload.get("userId") == persons[vendor]
            ]
            assert own, endpoint
            assert [traces(house.data, each) for each in own] == [[]] * len(own)
    if vendor != "smappee":
        # A card number of eight digits may occur anywhere by chance.
        assert traces(house.data, persons[vendor]) == []


def test_a_forgotten_person_is_not_asked_for_by_name(
    house: Chargehouse, persons: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    user = persons["zaptec"]
    assert house.run("refresh", "--as-of", FIRST.isoformat(), ZAPTEC_USER_IDS=f"somebody,{user}") == command.MISTAKE
    complaint = capsys.readouterr().err
    assert "id number 2 of ZAPTEC_USER_IDS is that of a forgotten person" in complaint
    assert user not in complaint


def test_every_session_and_every_kwh_of_theirs_stays(house: Chargehouse, before: dict[str, Any]) -> None:
    was, now = before["sessions"], sessions(house)
    assert now.keys() == was.keys()
    changed = {key for key in was if now[key] != was[key]}
    assert {vendor for vendor, _ in changed} == PERSONS.keys()
    for key in changed:
        left = set(PERSONAL) | ({"location_id"} if key[0] == "jedlix" else set())
        assert now[key] == {**was[key], **dict.fromkeys(left)}
    assert energy(house) == before["energy"]


def test_what_was_received_stands_in_the_audit_as_before(house: Chargehouse, before: dict[str, Any]) -> None:
    assert audit(house) == before["audit"]


def test_a_jedlix_driver_takes_vehicle_and_home_along(house: Chargehouse) -> None:
    known = {
        table: house.query(f"SELECT count(DISTINCT {key}) FROM {table} WHERE vendor = 'jedlix'")[0][0]
        for table, key in (("dim_user", "user_id"), ("dim_vehicle", "vehicle_id"), ("dim_location", "location_id"))
    }
    assert len(set(known.values())) == 1, "one of each is gone"
    unresolved = house.query(
        "SELECT count(*) FROM fact_session s WHERE vendor = 'jedlix' AND vehicle_id IS NOT NULL "
        "AND NOT EXISTS (FROM dim_vehicle v WHERE v.vendor = s.vendor AND v.vehicle_id = s.vehicle_id)"
    )
    assert unresolved == [(0,)]


def test_they_do_not_come_back(
    house: Chargehouse, sandbox: Sandbox, persons: dict[str, str], before: dict[str, Any]
) -> None:
    """Neither a backfill of every month, nor what the vendors send later, nor a rebuild brings them back."""
    assert house.run("backfill", *MONTHS, "--as-of", FIRST.isoformat()) == command.DONE
    assert energy(house) == before["energy"]
    assert news(house) == before["news"], "what comes is what is left of it, and no other version"
    sandbox.now = NEXT
    assert house.run("refresh", "--as-of", NEXT.isoformat()) == command.DONE
    assert len(sessions(house)) > len(before["sessions"])
    published = {table: house.query(f"FROM {table} ORDER BY ALL") for table in TABLES}
    for vendor, person in persons.items():
        assert traces(house.data, pseudonym(vendor, person)) == []
    assert house.run("rebuild") == command.DONE
    assert {table: house.query(f"FROM {table} ORDER BY ALL") for table in TABLES} == published


def test_what_was_begun_and_not_finished_is_told_until_it_is(
    house: Chargehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    [(person,)] = house.query("SELECT min(user_id) FROM fact_session WHERE vendor = 'zaptec'")
    erase_from_raw_log(house.settings(), "zaptec", person, lambda: None)
    capsys.readouterr()
    assert house.run("status") == command.INCOMPLETE
    assert "A `chargehouse forget` did not finish: run the same command again" in capsys.readouterr().out
    assert house.run("forget", "--vendor", "zaptec", "--user", person) == command.DONE
    assert traces(house.data, person) == []
    assert house.run("status") == command.DONE


def test_a_backup_made_afterwards_keeps_them_out(
    house: Chargehouse, sandbox: Sandbox, persons: dict[str, str], tmp_path: Path
) -> None:
    assert house.run("backup", str(tmp_path / "backups")) == command.DONE
    restored = Chargehouse(tmp_path / "restored", sandbox, CHARGEHOUSE_FIRST_MONTH="2026-01")
    assert restored.run("restore", str(tmp_path / "backups")) == command.DONE
    assert restored.run("backfill", *MONTHS, "--as-of", sandbox.now.isoformat()) == command.DONE
    assert energy(restored) == energy(house)
    for folder in (restored.data, tmp_path / "backups"):
        assert not any(traces(folder, pseudonym(vendor, person)) for vendor, person in persons.items())
