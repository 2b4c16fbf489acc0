"""What is left of an object that names a forgotten person, and the list of those who are forgotten."""

from pathlib import Path

import orjson
import pytest

from pipelines.layout import FORGOTTEN
from pipelines.personal_data import Pseudonyms
from pipelines.raw.forgotten import Forgotten, fingerprint, forgotten_of, list_as_forgotten, pseudonyms_of_person
from pipelines.vendors.contract import Endpoint

PSEUDONYMS = Pseudonyms("jedlix", b"a key for tests")
ANNA, BEN = PSEUDONYMS.of("user", "anna"), PSEUDONYMS.of("user", "ben")
CARD = PSEUDONYMS.of("token", "04AB")
FORGOTTEN_ANNA = Forgotten(PSEUDONYMS, [fingerprint(PSEUDONYMS, ANNA)])


def endpoint(**said: object) -> Endpoint:
    return Endpoint("jedlix", "any", "", "", id_field="id", **said)  # type: ignore[arg-type]


SESSIONS = endpoint(started_field="startTime", belongings=("vehicleId",))
VEHICLES = endpoint(is_personal=True)
STATIONS = endpoint()


def left_of(item: object, of: Endpoint) -> object:
    payload = FORGOTTEN_ANNA.without(orjson.dumps(item), of)
    return None if payload is None else orjson.loads(payload)


def test_a_session_keeps_its_energy_and_loses_persons_cards_and_what_is_theirs() -> None:
    session = {
        "id": "s",
        "userId": ANNA,
        "vehicleId": "v",
        "energyCharged": 7.25,
        "access": {"card": CARD, "kind": "rfid", "shown": [CARD, "twice"]},
    }
    kept = {"id": "s", "energyCharged": 7.25, "access": {"kind": "rfid", "shown": ["twice"]}}
    assert left_of(session, SESSIONS) == kept


def test_the_persons_own_object_is_emptied() -> None:
    assert left_of({"id": "v", "userId": ANNA, "details": {"brand": "B"}}, VEHICLES) == {}


def test_an_object_of_everybody_loses_the_one_person_alone() -> None:
    station = {"id": "c", "auth_rules": [{"value": ANNA}, {"value": BEN}]}
    assert left_of(station, STATIONS) == {"id": "c", "auth_rules": [{}, {"value": BEN}]}


@pytest.mark.parametrize("of", [SESSIONS, VEHICLES, STATIONS])
def test_an_object_of_another_person_is_left_alone(of: Endpoint) -> None:
    assert left_of({"id": "s", "userId": BEN, "vehicleId": "v", "note": "anna"}, of) is None


def test_what_is_left_is_left_alone() -> None:
    left = FORGOTTEN_ANNA.without(orjson.dumps({"id": "s", "userId": ANNA}), SESSIONS)
    assert left is not None
    assert FORGOTTEN_ANNA.without(left, SESSIONS) is None


def test_a_person_is_given_by_the_vendors_id_or_by_pseudonym() -> None:
    assert ANNA in pseudonyms_of_person(PSEUDONYMS, "anna")
    assert CARD in pseudonyms_of_person(PSEUDONYMS, "04AB")
    assert pseudonyms_of_person(PSEUDONYMS, ANNA) == [ANNA]


def test_the_list_is_kept_by_vendor_and_holds_no_pseudonym(tmp_path: Path) -> None:
    list_as_forgotten("jedlix", [fingerprint(PSEUDONYMS, ANNA)], tmp_path)
    list_as_forgotten("zaptec", ["another"], tmp_path)
    list_as_forgotten("jedlix", [fingerprint(PSEUDONYMS, CARD)], tmp_path)
    forgotten = forgotten_of("jedlix", PSEUDONYMS, tmp_path)
    assert (forgotten.has(ANNA), forgotten.has(CARD), forgotten.has(BEN)) == (True, True, False)
    listed = (tmp_path / FORGOTTEN).read_text()
    assert ANNA not in listed
    assert CARD not in listed
    assert not forgotten_of("greenflux", PSEUDONYMS, tmp_path)


def test_with_another_key_nobody_is_known_again(tmp_path: Path) -> None:
    list_as_forgotten("jedlix", [fingerprint(PSEUDONYMS, ANNA)], tmp_path)
    others = Pseudonyms("jedlix", b"another key")
    assert not forgotten_of("jedlix", others, tmp_path).has(others.of("user", "anna"))
