"""Parses variables from text into typed values: what each may be, and the error message for an invalid one."""

import ipaddress
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr

from pipelines.faults import ConfigurationError
from warehouse.paths import path_fault

MONTH = re.compile(r"2[0-9]{3}-(0[1-9]|1[0-2])\Z")
NAMES_OF_NO_ZONE = re.compile(r"(posix|right)/|(localtime|posixrules|Factory)\Z")
"""What else lies among a machine's zone files: zones under other names, which the query engines do not know."""

MAIL_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+", re.ASCII)
LONGEST_SECONDS = 86_400
"""A day: whoever sets a longer wait has mistaken the unit."""

SLOWEST_RATE, QUICKEST_RATE = 0.001, 1_000_000
"""Requests per second. At one in a quarter of an hour a run would never end; above the maximum there is no limit."""


class Variables:
    """The variables, each read as its type. Raises ConfigurationError, which names an invalid one."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: value.strip() for name, value in values.items()}

    def text(self, name: str, default: str = "") -> str:
        """Its text, which has to be UTF-8; the default where it is not set."""
        value = self._values.get(name) or default
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ConfigurationError(f"{name} must be UTF-8 text.") from None
        return value

    def secret(self, name: str) -> SecretStr | None:
        """A secret, None where it is not set."""
        value = self.text(name)
        return SecretStr(value) if value else None

    def ascii_text(self, name: str) -> str:
        """Printable ASCII. HTTP libraries quote a header of anything else, and Python's SMTP client cannot send it."""
        value = self.text(name)
        if not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"{name} must be printable ASCII text.")
        return value

    def ascii_secret(self, name: str) -> SecretStr | None:
        """A secret of printable ASCII, None where it is not set."""
        value = self.ascii_text(name)
        return SecretStr(value) if value else None

    def flag(self, name: str) -> bool:
        """0 or 1; 0 where it is not set."""
        value = self.text(name, "0")
        if value not in ("0", "1"):
            raise ConfigurationError(f"{name} must be 0 or 1, not {value!r}.")
        return value == "1"

    def folder(self, name: str, default: str, base: Path) -> Path:
        """A folder that exists or can be made, as an absolute path. Expands `~`, as no shell does that in a file."""
        value = self.text(name, default)
        try:
            path = (base / Path(value).expanduser()).resolve()
            nearest = next(place for place in (path, *path.parents) if place.exists())
        except (RuntimeError, ValueError):
            raise ConfigurationError(f"{name} must be a folder, not {value!r}.") from None
        fault = path_fault(value) or path_fault(str(path))
        if fault is not None:
            raise ConfigurationError(f"{name}: {fault}, not {value!r}.")
        if not nearest.is_dir():
            raise ConfigurationError(f"{name} must be a folder, but {nearest} is a file.")
        return path

    def seconds(self, name: str, default: float) -> float:
        """The longest time to wait, in seconds; more than 0."""
        seconds = self.number(name, default, LONGEST_SECONDS)
        if seconds == 0:
            raise ConfigurationError(f"{name} must be more than 0.")
        return seconds

    def rate(self, name: str, default: float) -> float:
        """A rate per second; 0 means no limit."""
        rate = self.number(name, default, QUICKEST_RATE)
        if 0 < rate < SLOWEST_RATE:
            raise ConfigurationError(f"{name} must be 0 or at least {SLOWEST_RATE}.")
        return rate

    def number(self, name: str, default: float, most: int) -> float:
        """A number from 0 to `most`."""
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= most:
            raise ConfigurationError(f"{name} must be a number from 0 to {most}, not {value!r}.")
        return number

    def month(self, name: str) -> str | None:
        """A month (YYYY-MM) of this millennium, None where it is not set."""
        value = self.text(name)
        if value and not MONTH.match(value):
            raise ConfigurationError(f"{name} must be a month such as 2026-01, from 2000 on, not {value!r}.")
        return value or None

    def time_zone(self, name: str, default: str) -> str:
        """The name of a zone of the IANA database."""
        value = self.text(name, default)
        try:
            ZoneInfo(value)
            is_zone = not NAMES_OF_NO_ZONE.match(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            is_zone = False
        if not is_zone:
            raise ConfigurationError(f"{name} must be an IANA time zone such as Europe/Oslo, not {value!r}.")
        return value

    def identifiers(self, name: str) -> tuple[str, ...]:
        """Comma-separated ids, without duplicates, in their order."""
        return tuple(dict.fromkeys(part.strip() for part in self.text(name).split(",") if part.strip()))

    def url(self, name: str, default: str) -> str:
        """A base URL to which credentials may go (`url_fault`), without a slash at its end."""
        value = self.text(name, default).rstrip("/")
        fault = url_fault(value)
        if fault:
            raise ConfigurationError(f"{name}: {fault}")
        return value

    def choice(self, name: str, default: str, choices: Collection[str]) -> str:
        """One of several words."""
        value = self.text(name, default)
        if value not in choices:
            raise ConfigurationError(f"{name} must be one of {', '.join(choices)}, not {value!r}.")
        return value

    def port(self, name: str, default: int) -> int:
        """A TCP port."""
        value = self.text(name, str(default))
        if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= 65_535:
            raise ConfigurationError(f"{name} must be a port from 1 to 65535, not {value!r}.")
        return int(value)

    def mail_addresses(self, name: str) -> tuple[str, ...]:
        """Comma-separated e-mail addresses, without duplicates, in their order."""
        addresses = self.identifiers(name)
        for address in addresses:
            if not MAIL_ADDRESS.fullmatch(address):
                raise ConfigurationError(f"{name} must be mail addresses such as operations@example.com.")
        return addresses

    def api_version(self, name: str, default: str) -> str | None:
        """The version in the path of an endpoint, None for `off`."""
        value = self.text(name, default)
        if value == "off":
            return None
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)*", value):
            raise ConfigurationError(f"{name} must be a version such as {default}, or off, not {value!r}.")
        return value

    def are_set(self, vendor: str, names: tuple[str, ...], optional: str = "") -> bool:
        """Whether a vendor is configured: all its credentials are set. Only some, or only `optional`, is an error."""
        missing = [name for name in names if not self.text(name)]
        if missing and (len(missing) < len(names) or self.text(optional)):
            raise ConfigurationError(f"{vendor} is only half configured: {', '.join(missing)} not set.")
        return not missing

    def required_secret(self, name: str) -> SecretStr:
        """A secret that `are_set` has shown to be set."""
        return SecretStr(self.text(name))


def url_fault(url: str) -> str | None:
    """Why a base URL must not be used, or None. Credentials go to it, so plain http stays on this machine."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "must be an https:// address."
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0 or re.search(r"\s|\\", url):
        return "must be an https:// address."
    if any(mark in url for mark in "@?#"):
        return "must not contain a user name, password, query or fragment."
    try:
        address = ipaddress.ip_address(parts.hostname)
    except ValueError:
        address = None
    # IPv6 has a second spelling of every IPv4 address.
    address = getattr(address, "ipv4_mapped", None) or address
    if parts.scheme == "http" and not is_this_machine(parts.hostname):
        return "plain http is accepted only for this machine (127.0.0.1, localhost); use https."
    if address is not None and address.is_link_local:
        return "link-local addresses are refused."
    return None


def is_this_machine(host: str) -> bool:
    """Whether a host, by name or address, is the machine itself."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback
