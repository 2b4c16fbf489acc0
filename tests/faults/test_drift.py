"""Objects that are not as they were, or not as documented: F34 to F41."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.faults.scene import INSTALLATION, Scene, iso
from tests.faults.verdict import DIMENSIONS, SESSION_TABLES, Walk

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = datetime(2026, 4, 2, 6, tzinfo=UTC)
SECOND = FIRST + timedelta(days=1)
HOUR = timedelta(hours=1)
ODD_NAMES = {
    "emoji": "Lader \N{ELECTRIC PLUG}\N{HIGH VOLTAGE SIGN} \N{REGIONAL INDICATOR SYMBOL LETTER N}",
    "right to left": "\u202eשער טעינה\u202c محطة",
    "control": "line\nfeed\ttab \x00 \x1b[31mred\x7f \u2028",
    "combining": "Ladestation\u0308 o\u0308\u0308 Å",
    "long": "x" * 1_000_000,
}
LIKE_AN_ADDRESS = "tx-17@cpo.example.nl"
NUMBERS = {
    "text": ("12.5", 12.5),
    "whole": (12, 12.0),
    "exponent": ("1.25e1", 12.5),
    "tiny": (1e-9, 0.0),
    "comma": ("12,5", None),
    "word": ("NaN", None),
    "infinite": ("Infinity", None),
    "huge": (1e300, None),
    "flag": (True, None),
    "object": ({"value": 12.5}, None),
    "list": ([12.5], None),
}
"""Ways to write an energy, and the kWh they mean; None for those that must not count."""


def scene() -> Scene:
    made = Scene(BEGINS_AT - timedelta(days=60))
    started_at, ended_at = BEGINS_AT + HOUR, BEGINS_AT + 3 * HOUR
    made.zaptec("new-field", started_at, ended_at, tariffClass={"name": "night", "steps": [1, 2]})
    made.jedlix("new-word", started_at, ended_at, status="PausedByGrid")
    made.greenflux("sparse", started_at, ended_at, location=None, currency=None, total_cost=None, auth_id=None)
    made.smappee(1, started_at, ended_at, serialNumber=5820004711, connector="1", **{"from": _text(started_at)})
    for name, (written, _) in NUMBERS.items():
        made.zaptec(f"zaptec-{name}", started_at, ended_at, written)
        made.greenflux(f"cdr-{name}", started_at, ended_at, written)
    # The sandbox cannot encode NaN or numbers of thirty digits as JSON by itself.
    made.zaptec("zaptec-bare-nan", started_at, ended_at, "NaN")
    made.on_the_wire("zaptec", "sessions", "zaptec-bare-nan", '"energy":"NaN"', '"energy":NaN')
    made.greenflux("cdr-thirty-digits", started_at, ended_at, "1e29")
    thirty_digits = f'"total_energy":{10**29}'
    made.on_the_wire("greenflux", "cdrs", "cdr-thirty-digits", '"total_energy":"1e29"', thirty_digits)
    made.jedlix("no-id", started_at, ended_at)
    made.again("jedlix", "no-id", ended_at, id=None)
    made.zaptec("no-start", started_at, ended_at, startDateTime=None)
    made.jedlix("still-running", FIRST - 3 * HOUR, None, endTime="", energyCharged="")
    made.smappee(2, FIRST - 3 * HOUR, None, to="")
    made.smappee(3, started_at, ended_at, "", stopReading=112.5)
    for vendor in ("zaptec", "jedlix", "greenflux"):
        getattr(made, vendor)(LIKE_AN_ADDRESS, started_at, ended_at)
    # A session found both through its installation and through its charger.
    made.zaptec("twice", started_at, ended_at)
    for vendor in ("zaptec", "jedlix", "greenflux"):
        getattr(made, vendor)("4711", started_at, ended_at)
    made.smappee(4711, started_at, ended_at)
    for number, name in enumerate(ODD_NAMES.values()):
        made.place(f"odd-{number}", name=name)
    made.installation("surrogate", Name="half a letter")
    made.on_the_wire("zaptec", "installations", "surrogate", "half a letter", "half a \\ud83d letter")
    _month_long(made)
    made.greenflux("issued-again", started_at, ended_at, 10.0)
    made.again("greenflux", "issued-again", FIRST + HOUR, total_energy=9.0)
    return made


def _month_long(made: Scene) -> None:
    """A session of thirty days with a meter point every quarter of an hour, nearly three thousand of them."""
    started_at = BEGINS_AT + 4 * HOUR
    points = [
        {"timestamp": iso(started_at + number * HOUR / 4), "energy": 0.0 if number == 0 else 0.25}
        for number in range(2880 + 1)
    ]
    made.zaptec("month-long", started_at, started_at + timedelta(days=30), 720.0, energyDetails=points)


def _text(instant: datetime) -> str:
    return str(int(instant.timestamp() * 1000))


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walk]:
    with Sandbox(scene().world, FIRST) as sandbox:
        scopes = {"ZAPTEC_INSTALLATION_IDS": INSTALLATION, "ZAPTEC_CHARGER_IDS": "charger-1"}
        walk = Walk(tmp_path_factory.mktemp("data"), sandbox, "2026-03", **scopes)
        walk.refresh(FIRST)
        walk.refresh(SECOND)
        yield walk


def energies(walk: Walk) -> dict[str, float | None]:
    rows = walk.house.query("SELECT session_id, energy_kwh FROM fact_session")
    return {session: None if kwh is None else float(kwh) for session, kwh in rows}


def reasons(walk: Walk) -> dict[str, str]:
    return dict(walk.house.query("SELECT session_id, reason FROM rejected_session"))


def test_f34_a_new_field_is_kept_in_raw_and_a_new_word_is_status_unknown(drifted: Walk) -> None:
    words = drifted.house.query("SELECT status, vendor_status FROM fact_session WHERE session_id = 'new-word'")
    assert words == [("unknown", "PausedByGrid")]
    assert "new-field" in energies(drifted)
    raw = drifted.house.data / "raw" / "zaptec_sessions" / "*.parquet"
    kept = drifted.house.query(f"SELECT count(*) FROM '{raw}' WHERE payload LIKE '%tariffClass%night%'")
    assert kept[0][0] >= 1


@pytest.mark.parametrize("name", [name for name, (_, kwh) in NUMBERS.items() if kwh is not None])
@pytest.mark.parametrize("vendor", ["zaptec", "cdr"])
def test_f35_a_number_is_a_number_however_it_is_written(drifted: Walk, vendor: str, name: str) -> None:
    assert energies(drifted)[f"{vendor}-{name}"] == NUMBERS[name][1]


def test_f35_missing_and_null_fields_are_null_and_a_session_without_id_or_start_is_unreadable(drifted: Walk) -> None:
    columns = "location_id, station_id, token_id, cost_amount, currency"
    sparse = drifted.house.query(f"SELECT {columns} FROM fact_session WHERE session_id = 'sparse'")
    assert sparse == [(None, None, None, None, None)]
    assert reasons(drifted)["no-start"] == "unreadable"
    nameless = drifted.house.query("SELECT reason FROM rejected_session WHERE session_id LIKE 'no-id-%'")
    assert nameless == [("unreadable",)]
    assert energies(drifted)["1"] == 10.0


@pytest.mark.parametrize("name", [name for name, (_, kwh) in NUMBERS.items() if kwh is None and name != "huge"])
@pytest.mark.parametrize("vendor", ["zaptec", "cdr"])
def test_f37_what_is_no_number_is_rejected_with_its_payload(drifted: Walk, vendor: str, name: str) -> None:
    session = f"{vendor}-{name}"
    assert reasons(drifted)[session] == "unreadable"
    ((payload,),) = drifted.house.query(f"SELECT payload FROM rejected_session WHERE session_id = '{session}'")
    assert session in payload


@pytest.mark.parametrize("session", ["zaptec-huge", "cdr-huge", "cdr-thirty-digits"])
def test_f37_a_number_beyond_all_bounds_is_implausible(drifted: Walk, session: str) -> None:
    assert reasons(drifted)[session] == "implausible_energy"


def test_f37_a_bare_nan_spoils_its_own_session_and_not_the_page(drifted: Walk) -> None:
    assert reasons(drifted)["zaptec-bare-nan"] == "unreadable"
    assert "twice" in energies(drifted)


def test_f38_of_two_versions_the_newer_counts_and_the_older_stays_in_raw(drifted: Walk) -> None:
    assert energies(drifted)["issued-again"] == 9.0
    raw = drifted.house.data / "raw" / "greenflux_cdrs" / "*.parquet"
    versions = drifted.house.query(f"SELECT count(DISTINCT content_hash) FROM '{raw}' WHERE object_id = 'issued-again'")
    assert versions == [(2,)]


def test_f38_a_session_reached_through_two_scopes_is_one_session(drifted: Walk) -> None:
    raw = drifted.house.data / "raw" / "zaptec_sessions" / "*.parquet"
    scopes = drifted.house.query(f"SELECT count(DISTINCT scope) FROM '{raw}' WHERE object_id = 'twice'")
    assert scopes == [(2,)]
    assert drifted.house.query("SELECT location_id FROM fact_session WHERE session_id = 'twice'") == [(INSTALLATION,)]


def test_f39_one_id_in_four_vendors_is_four_sessions(drifted: Walk) -> None:
    rows = drifted.house.query("SELECT vendor, count(*) FROM fact_session WHERE session_id = '4711' GROUP BY vendor")
    assert sorted(rows) == [("greenflux", 1), ("jedlix", 1), ("smappee", 1), ("zaptec", 1)]


def test_nothing_between_quotes_is_no_end_and_no_energy(drifted: Walk) -> None:
    running = drifted.house.query("SELECT vendor, session_id FROM open_session ORDER BY ALL")
    assert running == [("jedlix", "still-running"), ("smappee", "2")]
    assert energies(drifted)["3"] == 12.5


def test_an_id_that_looks_like_an_e_mail_address_is_an_id(drifted: Walk) -> None:
    rows = drifted.house.query(f"SELECT vendor, energy_kwh FROM fact_session WHERE session_id = '{LIKE_AN_ADDRESS}'")
    assert sorted((vendor, float(kwh)) for vendor, kwh in rows) == [("greenflux", 10), ("jedlix", 10), ("zaptec", 10)]


def test_f40_any_text_is_stored_as_it_is(drifted: Walk) -> None:
    names = drifted.house.query("SELECT name FROM dim_location WHERE location_id LIKE 'odd-%' ORDER BY location_id")
    assert [name for (name,) in names] == list(ODD_NAMES.values())
    ((halved,),) = drifted.house.query("SELECT name FROM dim_location WHERE location_id = 'surrogate'")
    assert halved.startswith("half a ")


def test_f40_control_characters_reach_no_terminal(drifted: Walk) -> None:
    assert drifted.run("sql", "SELECT name FROM dim_location WHERE location_id = 'odd-2'") == command.DONE
    assert "\x1b" not in drifted.told
    assert "\x00" not in drifted.told


def test_f41_a_month_long_series_of_three_thousand_points_is_metered_slot_by_slot(drifted: Walk) -> None:
    slots = drifted.house.query(
        "SELECT method, count(*), min(energy_kwh), max(energy_kwh), sum(energy_kwh) FROM fact_energy "
        "WHERE session_id = 'month-long' GROUP BY method"
    )
    assert [(method, count, *map(float, rest)) for method, count, *rest in slots] == [
        ("metered", 2880, 0.25, 0.25, 720.0)
    ]


def test_the_drifted_world_equals_the_truth(drifted: Walk) -> None:
    assert drifted.differences(["fact_session", "fact_energy", "open_session"]) == {}
    # The truth makes up no id, decodes what the product cannot, and has no text for a name that is not valid Unicode.
    assert drifted.differences(["rejected_session"], leaving_out=["session_id", "month"]) == {}
    assert drifted.differences(DIMENSIONS, leaving_out=["name"]) == {}


@pytest.mark.parametrize("levels", [300, 990])
def test_an_object_nested_beyond_all_use_is_unreadable_and_takes_nothing_along(tmp_path: Path, levels: int) -> None:
    made = Scene(BEGINS_AT - timedelta(days=60))
    started_at, ended_at = FIRST - 2 * HOUR, FIRST - HOUR
    made.jedlix("deep", started_at, ended_at, extra="nested")
    made.on_the_wire("jedlix", "sessions", "deep", '"nested"', '{"x":' * levels + "1" + "}" * levels)
    made.jedlix("plain", started_at, ended_at)
    made.smappee(1, started_at, ended_at)
    with Sandbox(made.world, FIRST) as sandbox:
        walk = Walk(tmp_path, sandbox, "2026-03")
        walk.refresh(FIRST, vendors=["jedlix", "smappee"])
        assert sorted(energies(walk)) == ["1", "plain"]
        assert reasons(walk) == {"deep": "unreadable"}
        assert walk.gaps() == {}
        made.again("jedlix", "deep", FIRST, extra="mended")
        walk.refresh(SECOND, vendors=["jedlix", "smappee"])
        assert walk.differences(SESSION_TABLES, ["jedlix", "smappee"]) == {}


def test_f36_a_cursor_that_becomes_an_object_fails_the_list_and_not_the_run(tmp_path: Path) -> None:
    made = Scene(BEGINS_AT - timedelta(days=60))
    made.zaptec("zaptec-1", BEGINS_AT, BEGINS_AT + HOUR)
    made.jedlix("jedlix-1", BEGINS_AT, BEGINS_AT + HOUR)
    with Sandbox(made.world, FIRST) as sandbox:
        walk = Walk(tmp_path, sandbox, "2026-03")
        retyped = [
            sandbox.faults.arm("retyped_cursor", "zaptec", endpoint="sessions", times=None),
            sandbox.faults.arm("retyped_total", "jedlix", endpoint="vehicles", times=None),
        ]
        walk.refresh(FIRST, expecting=command.INCOMPLETE, vendors=["zaptec", "jedlix"])
        assert all(fault.fired for fault in retyped)
        assert set(walk.gaps()) == {"zaptec sessions installation:house-1", "jedlix vehicles all"}
        assert walk.house.query("SELECT session_id FROM fact_session") == [("jedlix-1",)]
        sandbox.faults.clear()
        walk.refresh(FIRST + timedelta(days=40), vendors=["zaptec", "jedlix"])
        assert walk.differences(["fact_session", "fact_energy"], ["zaptec", "jedlix"]) == {}
