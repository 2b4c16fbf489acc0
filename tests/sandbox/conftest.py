"""A small generated world served over real HTTP, and a client that signs in and asks without ever retrying."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3

from sandbox.generate import generate_world
from sandbox.server import Sandbox
from sandbox.world import World

BEGINS_AT = datetime(2026, 1, 10, tzinfo=UTC)
NOW = datetime(2026, 4, 10, tzinfo=UTC)


class Caller:
    """Talks to one sandbox as a customer of its four vendors."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.environment = sandbox.environment()
        self.http = urllib3.PoolManager(retries=False, timeout=5)
        self._headers: dict[str, dict[str, str]] = {}

    def sign_in(self, vendor: str, **changed: str) -> urllib3.BaseHTTPResponse:
        settings = self.environment
        if vendor == "zaptec":
            url = f"{settings['ZAPTEC_BASE_URL']}/oauth/token"
            form = {"grant_type": "password"}
            form |= {"username": settings["ZAPTEC_USERNAME"], "password": settings["ZAPTEC_PASSWORD"]}
        elif vendor == "jedlix":
            url = settings["JEDLIX_TOKEN_URL"]
            form = {"grant_type": "client_credentials", "audience": settings["JEDLIX_BASE_URL"]}
            form |= {"client_id": settings["JEDLIX_CLIENT_ID"], "client_secret": settings["JEDLIX_CLIENT_SECRET"]}
        else:
            url = f"{settings['SMAPPEE_BASE_URL']}/oauth2/token"
            form = {"grant_type": "password"}
            form |= {"client_id": settings["SMAPPEE_CLIENT_ID"], "client_secret": settings["SMAPPEE_CLIENT_SECRET"]}
            form |= {"username": settings["SMAPPEE_USERNAME"], "password": settings["SMAPPEE_PASSWORD"]}
        return self.http.request("POST", url, fields=form | changed, encode_multipart=False)

    def headers(self, vendor: str) -> dict[str, str]:
        if vendor not in self._headers:
            if vendor == "greenflux":
                self._headers[vendor] = {"Authorization": f"Token {self.environment['GREENFLUX_TOKEN']}"}
            else:
                token = self.sign_in(vendor).json()["access_token"]
                self._headers[vendor] = {"Authorization": f"Bearer {token}"}
            if vendor == "jedlix":
                self._headers[vendor]["ApiKey"] = self.environment["JEDLIX_API_KEY"]
        return self._headers[vendor]

    def get(self, vendor: str, path: str, **query: Any) -> urllib3.BaseHTTPResponse:
        url = self.environment[f"{vendor.upper()}_BASE_URL"] + path
        fields = {name: str(value) for name, value in query.items()}
        return self.http.request("GET", url, fields=fields, headers=self.headers(vendor), redirect=False)


@pytest.fixture
def world() -> World:
    """A world of its own for every test, so that tests may edit it."""
    return generate_world(7, BEGINS_AT, NOW, 480, continues_days=20)


@pytest.fixture
def sandbox(world: World) -> Iterator[Sandbox]:
    with Sandbox(world, NOW) as running:
        yield running


@pytest.fixture
def caller(sandbox: Sandbox) -> Caller:
    return Caller(sandbox)
