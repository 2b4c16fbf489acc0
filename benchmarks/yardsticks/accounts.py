"""The four accounts as every yardstick uses them: address, sign-in and the period to read.

Uses only the standard library, so that any environment can import it.
"""

import json
import os
from urllib.parse import urlencode
from urllib.request import urlopen

VENDORS = ("zaptec", "jedlix", "greenflux", "smappee")


def base_url(vendor: str) -> str:
    """The address of a vendor's API, without a trailing slash."""
    return os.environ[f"{vendor.upper()}_BASE_URL"]


def read_from() -> str:
    """Where reading begins, in ISO 8601."""
    return os.environ["YARDSTICK_FROM"]


def read_to() -> str:
    """Where reading ends, in ISO 8601."""
    return os.environ["YARDSTICK_TO"]


def parks() -> list[str]:
    """The Smappee charging parks to read."""
    return os.environ["SMAPPEE_PARK_IDS"].split(",")


def headers(vendor: str) -> dict[str, str]:
    """The headers that a vendor requires with every request. Signs in, except at GreenFlux, whose token is static."""
    if vendor == "greenflux":
        return {"Authorization": f"Token {os.environ['GREENFLUX_TOKEN']}"}
    bearer = {"Authorization": f"Bearer {_access_token(vendor)}"}
    return {**bearer, "ApiKey": os.environ["JEDLIX_API_KEY"]} if vendor == "jedlix" else bearer


def _access_token(vendor: str) -> str:
    if vendor == "jedlix":
        url, form = os.environ["JEDLIX_TOKEN_URL"], {"grant_type": "client_credentials", "audience": base_url(vendor)}
    else:
        url = base_url(vendor) + {"zaptec": "/oauth/token", "smappee": "/oauth2/token"}[vendor]
        form = {"grant_type": "password"}
    for name in ("username", "password", "client_id", "client_secret"):
        value = os.environ.get(f"{vendor.upper()}_{name.upper()}")
        form |= {name: value} if value else {}
    with urlopen(url, urlencode(form).encode()) as answer:  # noqa: S310 -- the sandbox is plain http
        return str(json.load(answer)["access_token"])
