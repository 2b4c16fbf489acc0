"""Asks a vendor module for one endpoint, over scripted answers."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.personal_data import Pseudonyms
from pipelines.settings import load_settings
from pipelines.vendors import open_vendor
from pipelines.vendors.contract import Line, Position, Question
from pipelines.vendors.http_client import Tally
from tests.pipelines.scripted_server import ScriptedServer

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
REFRESH = Question("refresh", NOW, datetime(2026, 2, 1, tzinfo=UTC))


def variables(server: ScriptedServer) -> dict[str, str]:
    """The settings of every vendor at this server, without a rate limit and with short timeouts and pauses."""
    return {
        "ZAPTEC_USERNAME": "operator",
        "ZAPTEC_PASSWORD": "secret",
        "ZAPTEC_BASE_URL": server.url,
        "ZAPTEC_INSTALLATION_IDS": "i-1",
        "JEDLIX_CLIENT_ID": "client",
        "JEDLIX_CLIENT_SECRET": "secret",
        "JEDLIX_BASE_URL": server.url,
        "JEDLIX_TOKEN_URL": f"{server.url}/token",
        "GREENFLUX_TOKEN": "secret",
        "GREENFLUX_BASE_URL": server.url,
        "SMAPPEE_CLIENT_ID": "client",
        "SMAPPEE_CLIENT_SECRET": "secret",
        "SMAPPEE_USERNAME": "park",
        "SMAPPEE_PASSWORD": "secret",
        "SMAPPEE_BASE_URL": server.url,
        "SMAPPEE_PARK_IDS": "1201",
        "CHARGEHOUSE_RETRY_PAUSE_SECONDS": "0.001",
        "CHARGEHOUSE_READ_TIMEOUT_SECONDS": "2",
    } | {f"{vendor}_REQUESTS_PER_SECOND": "0" for vendor in ("ZAPTEC", "JEDLIX", "GREENFLUX", "SMAPPEE")}


def line_of(server: ScriptedServer, vendor: str, endpoint: str, question: Question = REFRESH, **changed: str) -> Line:
    """The line of an endpoint's first scope."""
    settings = load_settings({**variables(server), **changed}, Path("/nonexistent/.env"))
    opened = open_vendor(vendor, settings, Pseudonyms(vendor, b"key"))
    for chains in opened.rounds(question):
        for chain in chains:
            for line in chain:
                if line.endpoint.name == endpoint:
                    return line
    raise LookupError(f"{vendor} has no line for {endpoint}")


def objects_of(server: ScriptedServer, vendor: str, endpoint: str, **changed: str) -> list[Any]:
    """What the endpoint's first scope holds, all pages together."""
    line = line_of(server, vendor, endpoint, REFRESH, **changed)
    [window] = line.stretches(Position())
    return [item for page in line.read(window, Tally()) for item in page.objects]
