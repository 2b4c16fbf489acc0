# ruff: noqa: S105 - the passwords here open nothing but the sandbox
"""How the four APIs behave: every behaviour of a vendor that is uncertain is a switch here.

Settings may be changed while the server runs; the next request follows them.
"""

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class VendorSettings:
    """The settings that every vendor's API has.

    `token_seconds` is the lifetime of an access token, on the virtual or the real clock (`expiry_clock`); `token_uses`
    ends it after that many requests. `denied_scopes` are answered with 403: an endpoint's name, or the id of an
    installation, charger, user or park. `requests_per_second` limits the real rate, and allows a `burst` at once;
    beyond that the answer is 429 with `retry_after`.
    """

    token_seconds: float = 3600.0
    expiry_clock: Literal["virtual", "real"] = "real"
    token_uses: int | None = None
    denied_scopes: set[str] = field(default_factory=set)
    latency_seconds: float = 0.0
    requests_per_second: float | None = None
    burst: int = 5
    retry_after: str | None = "1"


@dataclass
class ZaptecSettings(VendorSettings):
    """Zaptec, with the page sizes of the session archive."""

    username: str = "operator@example.org"
    password: str = "sandbox-zaptec-password"
    default_page_size: int = 50
    max_page_size: int = 200


@dataclass
class JedlixSettings(VendorSettings):
    """Jedlix; `echoed_page_size` is what the envelope claims in place of the page size requested."""

    client_id: str = "sandbox-jedlix-client"
    client_secret: str = "sandbox-jedlix-secret"
    api_key: str = "sandbox-jedlix-key"
    default_page_size: int = 20
    echoed_page_size: int | None = None


@dataclass
class GreenfluxSettings(VendorSettings):
    """GreenFlux; `page_cap` caps pages below the limit requested, `bare_array` leaves out the envelope.

    With `ordered` off, lists come in an order unrelated to the modification time.
    """

    token: str = "sandbox-greenflux-token"
    default_limit: int = 50
    page_cap: int | None = None
    link_header: bool = True
    total_count_header: bool = True
    limit_header: bool = True
    bare_array: bool = False
    ordered: bool = True


@dataclass
class SmappeeSettings(VendorSettings):
    """Smappee; whether an empty answer is 204 instead of `[]`, whether a single session is a bare object instead of an
    array of one, and whether the list of completed sessions includes the open ones."""

    token_seconds: float = 36000.0
    client_id: str = "sandbox-smappee-client"
    client_secret: str = "sandbox-smappee-secret"
    username: str = "park@example.org"
    password: str = "sandbox-smappee-password"
    empty_is_no_content: bool = False
    single_is_object: bool = False
    default_includes_open: bool = False


@dataclass
class Settings:
    """The settings of the four APIs."""

    zaptec: ZaptecSettings = field(default_factory=ZaptecSettings)
    jedlix: JedlixSettings = field(default_factory=JedlixSettings)
    greenflux: GreenfluxSettings = field(default_factory=GreenfluxSettings)
    smappee: SmappeeSettings = field(default_factory=SmappeeSettings)

    def of(self, vendor: str) -> VendorSettings:
        """The settings of `vendor`, as the type common to all. Raises KeyError for an unknown vendor."""
        by_vendor: dict[str, VendorSettings] = {
            "zaptec": self.zaptec,
            "jedlix": self.jedlix,
            "greenflux": self.greenflux,
            "smappee": self.smappee,
        }
        return by_vendor[vendor]
