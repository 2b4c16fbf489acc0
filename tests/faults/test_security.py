"""What an id, an address, an error or a network must never do: F62 to F68."""

import base64
import json
import socket
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
import polars as pl
import pytest

from pipelines import command
from sandbox.server import Sandbox
from tests.end_to_end.published import Chargehouse
from tests.faults.scene import Scene
from tests.faults.verdict import Walk

# dlt reads its telemetry switch only at import, and the tests' commands run in an environment that lacks it.
import_module("pipelines.raw.raw_log")

BEGINS_AT = datetime(2026, 3, 1, tzinfo=UTC)
FIRST = datetime(2026, 3, 12, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
PATHS = ["../../x", "a/b", "con", "%2e%2e", "n" * 300, "..", "C:\\x", "nul\x00l"]
STATEMENTS = ["'; DROP TABLE fact_session; --", '")', "line\nfeed", "${HOME}", "=cmd()|'/c calc'!A0"]
IDS = [*PATHS, *STATEMENTS]
PERSON = {"id": "person-4711", "email": "planted@example.org", "fullName": "Planted Person"}
CARD = "04PLANTEDCARD99"


def scene() -> Scene:
    made = Scene(BEGINS_AT - timedelta(days=60))
    started_at, ended_at = BEGINS_AT + HOUR, BEGINS_AT + 2 * HOUR
    for number, identity in enumerate(IDS):
        made.installation(identity)
        made.charger(f"charger {identity}", identity)
        made.zaptec(identity, started_at, ended_at, chargerId=f"charger {identity}")
        made.jedlix(identity, started_at, ended_at)
        made.greenflux(identity, started_at, ended_at, evse=f"evse {identity}")
        made.place(identity, name=identity)
        made.station(identity, f"evse {identity}", BEGINS_AT + number * HOUR)
    return made


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Walk, list[str]]]:
    """A refresh of hostile ids, and every address that was looked up or connected to meanwhile."""
    asked: list[str] = []
    connect, resolve = socket.socket.connect, socket.getaddrinfo

    def connecting(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            asked.append(str(address[0]))
        return connect(self, address)

    def resolving(host: Any, *rest: Any, **named: Any) -> Any:
        asked.append(str(host))
        return resolve(host, *rest, **named)

    with (
        Sandbox(scene().world, FIRST) as sandbox,
        patch.object(socket.socket, "connect", connecting),
        patch.object(socket, "getaddrinfo", resolving),
    ):
        walk = Walk(tmp_path_factory.mktemp("outer") / "data", sandbox, "2026-03")
        walk.refresh(FIRST, vendors=["zaptec", "jedlix", "greenflux"])
        yield walk, asked


def test_f62_an_id_that_looks_like_a_path_names_no_file(hostile: tuple[Walk, list[str]]) -> None:
    walk, _ = hostile
    outer = walk.house.data.parent
    assert [path.name for path in outer.iterdir()] == ["data"]
    names = [str(path.relative_to(outer)) for path in outer.rglob("*")]
    assert not [name for name in names if any(identity in name for identity in PATHS if identity not in ("..", "con"))]
    assert not [name for name in names if "con" in Path(name).parts]


@pytest.mark.parametrize("identity", range(len(IDS)))
def test_f63_an_id_that_looks_like_a_statement_is_stored_as_it_is(
    hostile: tuple[Walk, list[str]], identity: int
) -> None:
    walk, _ = hostile
    with duckdb.connect(str(walk.house.data / "warehouse.duckdb"), read_only=True) as connection:
        found = connection.execute(
            "SELECT vendor FROM fact_session WHERE session_id = ? ORDER BY vendor", [IDS[identity]]
        ).fetchall()
    assert found == [("greenflux",), ("jedlix",), ("zaptec",)]


def test_f62_f63_hostile_ids_equal_the_truth_in_every_table(hostile: tuple[Walk, list[str]]) -> None:
    walk, _ = hostile
    assert walk.differences(vendors=["zaptec", "jedlix", "greenflux"]) == {}


def test_f68_a_refresh_calls_nobody_but_the_vendors(hostile: tuple[Walk, list[str]]) -> None:
    _, asked = hostile
    assert set(asked) == {"127.0.0.1"}


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/latest",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "ftp://vendor.example.net",
        "http://vendor.example.net",
        "http://10.0.0.1",
        "https://somebody:secret@vendor.example.net",
        "http://localhost.example.net",
        "https://",
    ],
)
def test_f67_a_base_url_that_is_no_https_address_of_a_vendor_is_a_mistake(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Sandbox(Scene(BEGINS_AT).world, FIRST) as sandbox:
        house = Chargehouse(tmp_path / "data", sandbox)
        assert house.run("refresh", "--as-of", FIRST.isoformat(), JEDLIX_BASE_URL=address) == command.MISTAKE
        told = capsys.readouterr().err
        assert "JEDLIX_BASE_URL" in told
        assert "secret" not in told
        assert not sandbox.requests


def test_f65_no_secret_and_no_person_is_anywhere_after_every_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = Scene(BEGINS_AT - timedelta(days=60))
    started_at, ended_at = BEGINS_AT + HOUR, BEGINS_AT + 2 * HOUR
    made.zaptec("person", started_at, ended_at, authorizedUser=PERSON, tokenName=CARD, note=PERSON["email"])
    made.zaptec("person-rejected", started_at, ended_at, "n/a", authorizedUser=PERSON, tokenName=CARD)
    made.jedlix("person", started_at, ended_at, userId=PERSON["id"])
    made.greenflux("person", started_at, ended_at, auth_id=CARD, token_uid=CARD, driver_external_id=PERSON["id"])
    made.smappee(1, started_at, ended_at, rfid=CARD, userId="person-4711")
    data = tmp_path / "data"
    with Sandbox(made.world, FIRST) as sandbox:
        house = Chargehouse(data, sandbox, CHARGEHOUSE_FIRST_MONTH="2026-03", CHARGEHOUSE_RETRY_PAUSE_SECONDS="0.001")
        for kind in ("html", "reset_mid_body", "malformed_json"):
            sandbox.faults.arm(kind, "zaptec", endpoint="installations", times=2)
        for vendor in ("zaptec", "jedlix", "smappee"):
            sandbox.faults.arm("status", vendor, endpoint="token", value=500, times=2)
            sandbox.faults.arm("status", vendor, endpoint="sessions", value=401, times=1)
        assert house.run("refresh", "--as-of", FIRST.isoformat()) == command.DONE
        tokens = [token for vendor in ("zaptec", "jedlix", "smappee") for token in sandbox.apis[vendor].tokens._tokens]
        sandbox.faults.arm("ocpi_status", "greenflux", value=2001, times=None)
        sandbox.faults.arm("redirect", "smappee", endpoint="sessions", times=None)
        sandbox.faults.arm("status", "jedlix", endpoint="sessions", value=403, times=None)
        sandbox.faults.arm("status", "jedlix", endpoint="vehicles", value=401, times=None)
        later = (FIRST + timedelta(days=1)).isoformat()
        assert house.run("refresh", "--as-of", later, ZAPTEC_PASSWORD="wrong-planted") == command.INCOMPLETE  # noqa: S106
        house.run("doctor", SMAPPEE_PASSWORD="wrong-planted")  # noqa: S106
        house.run("status")
        settings = sandbox.settings
    secrets = [
        *tokens,
        *(settings.zaptec.password, settings.jedlix.client_secret, settings.jedlix.api_key, settings.greenflux.token),
        *(settings.smappee.password, settings.smappee.client_secret, "wrong-planted"),
        *(PERSON.values()),
        CARD,
    ]
    told = capfd.readouterr()
    assert len(tokens) >= 3
    assert "HTTP 403" in told.err
    everything = {"terminal": f"{told.out}{told.err}"} | dict(_texts(data))
    assert len(everything) > 50
    assert [(place, secret) for place, text in everything.items() for secret in secrets if secret in text] == []


def _texts(folder: Path) -> Iterator[tuple[str, str]]:
    """Every file below a folder as text: packed ones unpacked, the rest byte by byte."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if path.suffix == ".parquet":
            yield str(path), pl.read_parquet(path, hive_partitioning=False).write_json()
        else:
            yield str(path), path.read_bytes().decode("latin-1")
        if path.parent.name == "_dlt_pipeline_state" and path.suffix == ".jsonl":
            for line in path.read_text().splitlines():
                yield f"{path} unpacked", zlib.decompress(base64.b64decode(json.loads(line)["state"])).decode()
