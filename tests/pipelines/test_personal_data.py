"""No personal datum leaves the cleaner, whatever the object looks like; pseudonyms are stable, keyed and apart."""

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.personal_data import EVERYWHERE_DROPPED, MOST_FIELDS, Cleaner, PersonalData, Pseudonyms
from pipelines.vendors.greenflux import Greenflux
from pipelines.vendors.jedlix import Jedlix
from pipelines.vendors.smappee import Smappee
from pipelines.vendors.zaptec import Zaptec

KEY = b"a key for tests"
RULES: dict[str, PersonalData] = {
    "zaptec": Zaptec.personal_data,
    "jedlix": Jedlix.personal_data,
    "greenflux": Greenflux.personal_data,
    "smappee": Smappee.personal_data,
}
# Every value that starts with "planted", in capitals or not, is personal; the rest must stay.
OBJECTS: dict[str, dict[str, Any]] = {
    "zaptec": {
        "id": "session-1",
        "deviceName": "Bay 07",
        "tokenName": "planted card",
        "authorizedUser": {"id": "planted-user", "email": "planted@example.org", "displayName": "Planted Person"},
        "UserId": "planted-user",
        "UserUserName": "planted",
        "UserFullName": "Planted Person",
        "UserEmail": "planted@example.org",
        "TokenName": "planted card",
        "Pin": "planted-1234",
        "energyDetails": [{"timestamp": "2026-03-02T18:00:00+00:00", "energy": 3.3}],
        "sessionSignature": 'OCMF|{"ID":"planted card"}|{}',
        "sessionSignatureEichreicht": 'OCMF|{"ID":"planted card"}|{}',
        "sessionSignatureEichrecht": "planted",
        "newField": {"signed": 'OCMF|{"ID":"planted card"}|{}'},
        "SignedSession": "OCMF|planted",
        "SignedSessionEichrecht": "OCMF|planted",
    },
    "jedlix": {
        "id": "location-1",
        "name": "Home of Planted",
        "userId": "planted-user",
        "coordinates": {"latitude": 52.0907123, "longitude": "5.1214567"},
        "address": {
            "street": "Plantedkade",
            "postalCode": "planted 3511",
            "houseNumber": "planted-12",
            "city": "Utrecht",
        },
        "user": {"firstName": "Planted", "lastName": "Planted", "phoneNumber": "planted +31", "userId": "planted-user"},
    },
    "greenflux": {
        "id": "cdr-1",
        "auth_id": "planted-card",
        "token_uid": "planted-card",
        "token_visual_number": "planted-card",
        "driver_id": "planted-driver",
        "driver_external_id": "planted-driver",
        "customer_id": "planted-customer",
        "customer_external_id": "planted-customer",
        "cpo_customer_external_id": "planted-customer",
        "auth_rules": [{"type": "CustomerExternalId", "value": "planted-customer"}, {"type": "Everybody"}],
        "customised_fields": [{"type": "floor", "value": "2"}],
        "client_ip_address": "planted-10.0.0.1",
        "iccid": "planted-8931",
        "imsi": "planted-204",
        "endpoint": "wss://planted.example",
        "created_by": "planted",
        "modified_by": "planted",
        "operator": {"name": "Operator", "phone_number": "planted +31"},
        "signed_data": "OCMF|planted",
        "charging_periods": [
            {"start_date_time": "2026-03-02T18:00:00Z", "dimensions": [{"type": "ENERGY", "volume": 1}]}
        ],
    },
    "smappee": {
        "id": 48213,
        "rfid": "planted-04A1",
        "userId": 9912777,
        "serialNumber": "5820004711",
        "rfidToken": {"uid": "planted-04A1"},
        "address": {"street": "planted 1"},
        "controller": {"user": {"email": "planted@example.org"}},
    },
}


def cleaner(vendor: str, *, key: bytes = KEY, keeps: bool = False) -> Cleaner:
    return Cleaner(RULES[vendor], Pseudonyms(vendor, key), keep_signed_readings=keeps)


def payload(vendor: str, item: Any) -> Any:
    return orjson.loads(cleaner(vendor).clean(item).payload)


@pytest.mark.parametrize("vendor", RULES)
def test_nothing_personal_is_in_the_payload_and_everything_else_is(vendor: str) -> None:
    written = cleaner(vendor).clean(OBJECTS[vendor]).payload.decode()
    assert "planted" not in written.lower()
    assert "9912777" not in written
    assert "52.0907" not in written
    assert "5.12145" not in written
    for kept in ("session-1", "Bay 07", "3.3", "location-1", "Utrecht", "cdr-1", "floor", '"2"', "5820004711", "48213"):
        assert (kept in written) == (kept in json.dumps(OBJECTS[vendor])), kept


@pytest.mark.parametrize("vendor", RULES)
def test_field_names_in_other_capitals_are_as_personal(vendor: str) -> None:
    def shouted(value: Any) -> Any:
        if isinstance(value, dict):
            return {name.upper(): shouted(inner) for name, inner in value.items()}
        return [shouted(inner) for inner in value] if isinstance(value, list) else value

    assert "planted" not in cleaner(vendor).clean(shouted(OBJECTS[vendor])).payload.decode().lower()


@pytest.mark.parametrize("vendor", RULES)
def test_a_list_of_objects_is_cleaned_as_each_of_them(vendor: str) -> None:
    nested = {"unknown": [[OBJECTS[vendor]], {"deeper": OBJECTS[vendor]}]}
    assert "planted" not in cleaner(vendor).clean(nested).payload.decode().lower()


@pytest.mark.parametrize("name", sorted(EVERYWHERE_DROPPED))
def test_what_names_a_person_is_dropped_wherever_it_stands(name: str) -> None:
    assert payload("greenflux", {"id": "1", "unknown": [{name: "someone", "kept": 2}]}) == {
        "id": "1",
        "unknown": [{"kept": 2}],
    }


@pytest.mark.parametrize("person", ["user", "Driver", "cardholder"])
def test_a_person_loses_their_name_and_a_place_keeps_its_own(person: str) -> None:
    item = {"id": "1", person: {"Name": "someone", "displayName": "S.", "kept": 2}, "place": {"name": "North"}}
    assert payload("smappee", item) == {"id": "1", person: {"kept": 2}, "place": {"name": "North"}}


@pytest.mark.parametrize("address", ["driver@my-host.example", "DRIVER@EXAMPLE.ORG", "d+x@mail.example.org"])
def test_an_e_mail_address_is_dropped_however_it_is_written(address: str) -> None:
    assert payload("greenflux", {"id": "1", "remark": address, "kept": 2}) == {"id": "1", "kept": 2}


def test_pseudonyms_are_stable_keyed_and_bound_to_vendor_and_kind() -> None:
    one = Pseudonyms("smappee", KEY)
    assert one.of("user", 9912) == one.of("user", "9912") == Pseudonyms("smappee", KEY).of("user", 9912)
    others = [
        Pseudonyms("smappee", b"another key").of("user", 9912),
        Pseudonyms("jedlix", KEY).of("user", 9912),
        one.of("token", 9912),
        one.of("user", 9913),
        one.of("user", " 9912"),
    ]
    assert len({one.of("user", 9912), *others}) == 6
    assert all(len(each) == 34 and each.startswith("p_") for each in others)


def test_vendor_and_kind_cannot_be_shifted_into_each_other() -> None:
    assert Pseudonyms("a", KEY).of("b", "c") != Pseudonyms("a", KEY).of("b\x1fc", "")
    assert Pseudonyms("ab", KEY).of("c", "d") != Pseudonyms("a", KEY).of("bc", "d")


def test_a_person_has_one_pseudonym_wherever_the_vendor_names_them() -> None:
    user = Pseudonyms("jedlix", KEY).of("user", "u-1")
    rules = cleaner("jedlix")
    assert orjson.loads(rules.clean({"id": "u-1"}, id_names="user").payload) == {"id": user}
    assert rules.clean({"id": "u-1"}, id_names="user").content == {"id": user}
    assert payload("jedlix", {"userId": "u-1", "vehicle": {"userId": "u-1"}}) == {
        "userId": user,
        "vehicle": {"userId": user},
    }
    zaptec = Pseudonyms("zaptec", KEY).of("user", "u-1")
    assert payload("zaptec", {"authorizedUser": {"id": "u-1"}})["authorizedUser"]["id"] == zaptec
    assert payload("zaptec", {"id": "u-1", "other": {"id": "u-1"}}) == {"id": "u-1", "other": {"id": "u-1"}}


@pytest.mark.parametrize("nobody", [None, "", {}, [], {"id": "planted"}, ["planted"]])
def test_nobody_gets_no_pseudonym(nobody: object) -> None:
    assert payload("smappee", {"id": 1, "rfid": nobody}) == {"id": 1}


@pytest.mark.parametrize(
    "unknown",
    [
        {"contact": "driver@example.org"},
        {"contact": "Driver <driver@example.org>, call first"},
        {"contacts": ["driver@example.org", "ok"]},
        {"contacts": [["driver@example.org"], {"a": {"b": "driver@example.org"}}]},
        {"driver@example.org": 1},
        {"contact": "mailto:driver@sub.example.co.uk"},
        {"contact": "dríver@exämple.org"},
        json.loads('{"contact": "driver\\u0040example.org"}'),
        "driver@example.org",
        ["driver@example.org"],
    ],
)
@pytest.mark.parametrize("vendor", RULES)
def test_what_looks_like_an_e_mail_address_is_dropped_from_unknown_fields(vendor: str, unknown: Any) -> None:
    assert b"@" not in cleaner(vendor).clean(unknown).payload
    measured = {next(iter(RULES[vendor].measurements), "x"): [unknown]}
    assert b"@" not in cleaner(vendor).clean(measured).payload


def test_what_only_holds_the_sign_stays() -> None:
    kept = {"name": "EVSE @ gate 3", "firmware": "4.1@rc", "a": "@", "b": "x@y", "c": "@home.now"}
    assert payload("zaptec", kept) == kept


def test_a_long_text_with_the_sign_is_searched_in_no_time() -> None:
    began = time.monotonic()
    payload("zaptec", {"note": "a" * 1_000_000 + "@" + "b" * 1_000_000, "other": "@a" * 300_000})
    assert time.monotonic() - began < 30


def test_signed_readings_are_dropped_or_kept_apart() -> None:
    item = OBJECTS["zaptec"]
    assert cleaner("zaptec").clean(item).signed_readings is None
    kept = cleaner("zaptec", keeps=True).clean(item)
    assert b"OCMF" not in kept.payload
    assert kept.signed_readings is not None
    assert orjson.loads(kept.signed_readings)["sessionSignature"] == item["sessionSignature"]
    assert cleaner("zaptec", keeps=True).clean({"id": "1", "sessionSignature": None}).signed_readings is None


@pytest.mark.parametrize(
    ("person", "kept"),
    [
        ({"id": "u", "nickName": "Jane", "car": {"plate": "AB-12"}}, ["id"]),
        ({"displayName": "Jane"}, []),
        ("Jane Doe", None),
        (["Jane Doe"], None),
        (7, None),
    ],
)
def test_of_an_object_that_describes_a_person_only_the_pseudonym_is_kept(person: Any, kept: list[str] | None) -> None:
    written = payload("zaptec", {"id": "1", "authorizedUser": person})
    assert [*written["authorizedUser"]] == kept if kept is not None else written == {"id": "1"}


def test_measurements_pass_through_unchanged() -> None:
    details = [{"timestamp": "2026-03-02T18:00:00+00:00", "energy": value / 7} for value in range(3_000)]
    assert payload("zaptec", {"energyDetails": details}) == {"energyDetails": details}


def test_coordinates_of_homes_are_rounded_and_those_of_stations_are_not() -> None:
    exact = {"coordinates": {"latitude": 52.0907123, "longitude": "5.1264567"}}
    assert payload("jedlix", exact) == {"coordinates": {"latitude": 52.09, "longitude": 5.13}}
    assert payload("greenflux", exact) == exact
    assert payload("jedlix", {"coordinates": {"latitude": "52,0907", "longitude": None}}) == {
        "coordinates": {"latitude": None, "longitude": None}
    }


@pytest.mark.parametrize(
    ("text", "written"),
    [("half \ud800 pair", "half ? pair"), ("\x00\x1f", "\x00\x1f"), ("‮עברית🔌", "‮עברית🔌"), ("'; DROP--", "'; DROP--")],
)
def test_odd_text_is_kept_or_mended(text: str, written: str) -> None:
    assert payload("zaptec", {"deviceName": text, text: 1}) == {"deviceName": written, written: 1}


def test_odd_text_gets_a_pseudonym_of_its_own() -> None:
    pseudonyms = Pseudonyms("smappee", KEY)
    assert len({pseudonyms.of("token", text) for text in ("\ud800", "\ud801", "?", "🔌", "\x00")}) == 5


@pytest.mark.parametrize(("number", "written"), [(2**64, 2.0**64), (-(2**70), -(2.0**70)), (10**400, "1" + "0" * 400)])
def test_whole_numbers_beyond_json_libraries_are_written(number: int, written: object) -> None:
    assert payload("zaptec", {"energy": number}) == {"energy": written}


def nested(levels: int, *, lists: bool) -> Any:
    value: Any = "driver@example.org"
    for _ in range(levels):
        value = [value] if lists else {"inner": value, "email": "planted"}
    return value


@pytest.mark.parametrize("lists", [True, False])
@pytest.mark.parametrize("levels", [254, 300, 600, 1_000, 3_000])
def test_an_object_nested_too_deeply_keeps_its_outer_levels_and_is_no_object_any_more(levels: int, lists: bool) -> None:
    item = {"id": "1", "tokenName": "planted card", "parts": nested(levels, lists=lists)}
    clean = cleaner("zaptec").clean(item)
    assert clean.content["id"] == "1"
    (outer,) = orjson.loads(clean.payload)
    assert outer["id"] == "1"
    assert outer["parts"]
    assert b"planted" not in clean.payload
    assert b"@" not in clean.payload


def test_signed_readings_nested_too_deeply_are_kept_apart_as_far_as_they_can_be_written() -> None:
    clean = cleaner("zaptec", keeps=True).clean({"id": "1", "sessionSignature": nested(300, lists=True)})
    assert orjson.loads(clean.payload) == [{"id": "1"}]
    assert clean.signed_readings is not None
    assert len(clean.signed_readings) < 300


def test_an_object_nested_deeply_is_whole_where_it_can_be_written() -> None:
    assert payload("zaptec", {"id": "1", "parts": nested(200, lists=True)})["id"] == "1"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "userId", "rfid", "email", "address", "energyDetails"]) | st.text(), inner
        )
    ),
    max_leaves=20,
)


@given(JSON, st.sampled_from(sorted(RULES)))
def test_whatever_json_there_is_comes_out_as_json_and_the_same_each_time(item: Any, vendor: str) -> None:
    once = cleaner(vendor).clean(item, id_names="user")
    assert once == cleaner(vendor).clean(item, id_names="user")
    orjson.loads(once.payload)


def hidden_in_anything(vendor: str) -> st.SearchStrategy[Any]:
    """JSON with the vendor's object anywhere in it, except inside measurements, which are not searched."""
    names = st.sampled_from(["id", "userId", "rfid", "coordinates", "latitude", "address", "ID", "authorizedUser", "x"])
    return st.recursive(
        st.just(OBJECTS[vendor]) | st.none() | st.integers(0, 9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
        max_leaves=6,
    )


@pytest.mark.parametrize("vendor", RULES)
@settings(max_examples=25)
@given(data=st.data())
def test_nothing_personal_comes_through_wherever_it_stands(vendor: str, data: st.DataObject) -> None:
    clean = cleaner(vendor).clean(data.draw(hidden_in_anything(vendor)), endpoint="sessions", id_field="id")
    for written in (clean.payload.decode(), json.dumps(clean.content)):
        assert "planted" not in written.lower()
        assert "9912777" not in written


_WORD = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=4)
_E_MAIL = st.builds("{}{}@{}.{}{}".format, st.sampled_from(["", "<", "mailto:", "a b "]), _WORD, _WORD, _WORD,
                    st.sampled_from(["", ">", ", x"]))  # fmt: skip


@given(st.sampled_from(sorted(RULES)), _E_MAIL, st.lists(st.sampled_from(["x", "energyDetails", "a list", "latitude"])))
def test_no_e_mail_address_comes_through_however_deep(vendor: str, address: str, path: list[str]) -> None:
    item: Any = address
    for name in path:
        item = [item] if name == "a list" else {name: item}
    assert b"@" not in cleaner(vendor).clean({"unknown": item, "id": "1"}, id_field="id").payload


def test_fields_are_noted_once_by_their_path_and_dropped_ones_never() -> None:
    rules = cleaner("zaptec")
    item = {"id": "1", "authorizedUser": {"id": "u", "email": "a@b.de"}, "parts": [{"power": {"max": 3}}], "Pin": "1"}
    rules.clean(item, endpoint="sessions")
    assert sorted(rules.take_new_fields()) == [
        ("sessions", "authorizedUser"),
        ("sessions", "authorizedUser.id"),
        ("sessions", "id"),
        ("sessions", "parts"),
        ("sessions", "parts.power"),
        ("sessions", "parts.power.max"),
    ]
    rules.clean(item | {"parts": [{"power": {"max": 4, "min": 1}}]}, endpoint="sessions")
    rules.clean({"id": "1"}, endpoint="chargers")
    assert sorted(rules.take_new_fields()) == [("chargers", "id"), ("sessions", "parts.power.min")]


def test_names_that_are_data_are_no_fields() -> None:
    rules = cleaner("zaptec")
    rules.clean({"someone@example.org": 1, "half \ud800": 2}, endpoint="sessions")
    assert rules.take_new_fields() == []
    for number in range(3_000):
        rules.clean({str(number): number}, endpoint="sessions")
    assert len(rules.take_new_fields()) == MOST_FIELDS


def test_known_fields_are_not_noted_again() -> None:
    rules = Cleaner(
        RULES["zaptec"], Pseudonyms("zaptec", KEY), keep_signed_readings=False, known_fields=[("sessions", "id")]
    )
    rules.clean({"id": "1", "energy": 2}, endpoint="sessions")
    assert rules.take_new_fields() == [("sessions", "energy")]
