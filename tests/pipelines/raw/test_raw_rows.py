"""From a page's objects to rows of the raw log: whole, without personal data, whatever the objects are."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from pipelines.personal_data import Cleaner, Pseudonyms
from pipelines.raw.raw_rows import RAW_SCHEMA, RawRows, raw_rows
from pipelines.vendors import greenflux, jedlix, smappee
from pipelines.vendors.contract import Endpoint
from pipelines.vendors.paging.pages import Page

ASKED_AT = datetime(2026, 4, 1, 6, tzinfo=UTC)
RULES = {
    "jedlix": jedlix.Jedlix.personal_data,
    "greenflux": greenflux.Greenflux.personal_data,
    "smappee": smappee.Smappee.personal_data,
}


def rows_of(endpoint: Endpoint, *pages: list[Any]) -> RawRows:
    cleaner = Cleaner(RULES[endpoint.vendor], Pseudonyms(endpoint.vendor, b"key"), keep_signed_readings=False)
    return raw_rows([Page(page, ASKED_AT) for page in pages], endpoint, "all", cleaner, ASKED_AT, "run-1")


def columns(rows: RawRows) -> dict[str, list[Any]]:
    told: dict[str, list[Any]] = rows.table.to_pydict()
    return told


def test_a_row_holds_the_whole_object_and_where_it_came_from() -> None:
    session = {"id": "s-1", "startTime": "2026-03-01T00:00:00.000Z", "endTime": "2026-03-01T01:00:00.000Z", "new": [1]}
    rows = rows_of(jedlix.SESSIONS, [session], [{"id": "s-2"}])
    assert rows.table.schema == RAW_SCHEMA
    told = columns(rows)
    assert told["vendor"] == ["jedlix", "jedlix"]
    assert told["endpoint"] == ["sessions", "sessions"]
    assert told["object_id"] == ["s-1", "s-2"]
    assert told["vendor_started"] == ["2026-03-01T00:00:00.000Z", None]
    assert told["vendor_ended"] == ["2026-03-01T01:00:00.000Z", None]
    assert '"new":[1]' in told["payload"][0]
    assert told["position"] == [0, 1]
    assert told["requested_at"] == [ASKED_AT, ASKED_AT]
    assert told["run_id"] == ["run-1", "run-1"]
    assert rows.payload_bytes == sum(map(len, told["payload"]))


def test_the_fingerprint_is_of_the_content_only() -> None:
    one, same, other = columns(rows_of(jedlix.SESSIONS, [{"id": "1"}, {"id": "1"}, {"id": "1", "a": 1}]))[
        "content_hash"
    ]
    assert one == same != other


def test_no_page_and_no_object_are_no_rows() -> None:
    assert rows_of(jedlix.SESSIONS).table.num_rows == rows_of(jedlix.SESSIONS, []).table.num_rows == 0


def test_a_persons_row_goes_by_the_pseudonym() -> None:
    told = columns(rows_of(jedlix.USERS, [{"id": "u-1"}]))
    assert told["object_id"] == [Pseudonyms("jedlix", b"key").of("user", "u-1")]
    assert "u-1" not in told["payload"][0]


@pytest.mark.parametrize("item", [None, 7, "text", [], [1], {}, {"id": None}, {"id": ""}, {"id": {}}, {"id": []}, True])
@pytest.mark.parametrize("endpoint", [jedlix.SESSIONS, jedlix.USERS, greenflux.CDRS, smappee.SESSIONS])
def test_an_object_that_is_none_is_a_row_nevertheless(endpoint: Endpoint, item: Any) -> None:
    rows = rows_of(endpoint, [item, {"id": "after"}])
    assert rows.table.num_rows == 2


LIKE_AN_ADDRESS = "tx-17@cpo.example.nl"


@pytest.mark.parametrize("endpoint", [jedlix.SESSIONS, greenflux.CDRS, greenflux.CHARGE_STATIONS, smappee.SESSIONS])
def test_a_key_that_looks_like_an_e_mail_address_is_kept_and_nothing_else_that_does(endpoint: Endpoint) -> None:
    item = {endpoint.id_field: LIKE_AN_ADDRESS, "inner": {endpoint.id_field: "driver@example.org"}}
    item |= {"startTime": "driver@example.org", "from": "driver@example.org", "energy": 3.5}
    told = columns(rows_of(endpoint, [item, "driver@example.org", ["driver@example.org"]]))
    assert told["object_id"] == [LIKE_AN_ADDRESS, None, None]
    assert "driver" not in str(told)
    assert orjson.loads(told["payload"][0]) == {endpoint.id_field: LIKE_AN_ADDRESS, "inner": {}, "energy": 3.5}


@pytest.mark.parametrize("key", [["driver@example.org"], {"mail": "driver@example.org"}])
def test_a_key_that_is_no_text_is_searched_like_any_other_field(key: Any) -> None:
    assert "@" not in str(columns(rows_of(jedlix.SESSIONS, [{"id": key}])))


def test_a_key_that_names_a_person_is_a_pseudonym_also_where_it_is_an_e_mail_address() -> None:
    told = columns(rows_of(jedlix.USERS, [{"id": "driver@example.org", "contact": "driver@example.org"}]))
    pseudonym = Pseudonyms("jedlix", b"key").of("user", "driver@example.org")
    assert (told["object_id"], told["payload"]) == ([pseudonym], [f'{{"id":"{pseudonym}"}}'])


@pytest.mark.parametrize("odd", ["half \ud800 pair", "\x00", "‮עברית🔌", "../../x", "'; DROP TABLE x", "a" * 300, "con"])
def test_odd_ids_and_times_are_stored(odd: str) -> None:
    told = columns(rows_of(jedlix.SESSIONS, [{"id": odd, "startTime": odd, "endTime": odd}]))
    expected = odd.replace("\ud800", "?")
    assert told["object_id"] == told["vendor_started"] == told["vendor_ended"] == [expected]


def test_numbers_as_ids_are_text() -> None:
    assert columns(rows_of(smappee.SESSIONS, [{"id": 48213, "from": 1772442061000}]))["object_id"] == ["48213"]


def test_running_and_closed_sessions_are_told_apart_the_last_word_counting() -> None:
    running = {"id": 1, "from": 1772442061000, "status": "CHARGING"}
    stopped = {**running, "status": "stopped"}
    started_at = datetime.fromtimestamp(1772442061, UTC)
    assert rows_of(smappee.SESSIONS, [running]).open_sessions == {"1": started_at}
    assert rows_of(smappee.SESSIONS, [running, stopped]).open_sessions == {}
    assert rows_of(smappee.SESSIONS, [running, stopped]).closed_ids == {"1"}
    assert rows_of(smappee.SESSIONS, [stopped], [running]).open_sessions == {"1": started_at}
    assert rows_of(smappee.SESSIONS, [stopped], [running]).closed_ids == set()
    assert rows_of(jedlix.SESSIONS, [{"id": "j", "endTime": None, "startTime": "junk"}]).open_sessions == {"j": None}


@pytest.mark.parametrize("start", [-62135596800000, -1, 0, 946684799999])
def test_a_start_of_before_there_was_any_charging_is_nothing_to_read_from(start: int) -> None:
    """Without a usable start, a session still counts as running, and is found again among newer ones or not at all."""
    assert rows_of(smappee.SESSIONS, [{"id": 1, "from": start, "status": "CHARGING"}]).open_sessions == {"1": None}


def test_starts_of_this_century_are_read_from() -> None:
    for start in (946684800000, 1772442061000):
        running = {"id": 1, "from": start, "status": "CHARGING"}
        assert rows_of(smappee.SESSIONS, [running]).open_sessions == {"1": datetime.fromtimestamp(start / 1000, UTC)}
