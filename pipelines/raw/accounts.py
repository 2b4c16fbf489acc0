"""Whose data a folder holds: the sandbox's, or that of the accounts it was read from, and of no others.

Positions are kept by vendor, list and scope, not by account. Another account in the same folder would be read from
those positions on, and its earlier data would never be read.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.faults import ConfigurationError
from pipelines.layout import RAW_FOLDER, SANDBOX_RECORD
from pipelines.raw.positions import Origin
from pipelines.settings import Settings


def address_of(settings: Settings, vendor: str) -> str:
    """Host and path of a vendor's API, without what may change for one account (tokens, names) or a sandbox (port)."""
    parts = urlsplit(settings.base_url(vendor))
    return f"{parts.hostname}{parts.path}"


def holds_own_data(data: Path) -> bool:
    """Whether real accounts, not the sandbox, have been read into the folder."""
    return (data / RAW_FOLDER).exists() and not (data / SANDBOX_RECORD).exists()


def refuse_sandbox(data: Path) -> None:
    """Raise ConfigurationError where the sandbox must not be read into the folder."""
    if holds_own_data(data):
        raise ConfigurationError(
            f"no vendor is configured, and {data} holds data of real accounts, which must not mix with the sandbox's. "
            "Configure the accounts, or set CHARGEHOUSE_DATA to another folder."
        )


def refuse_other_data(settings: Settings, vendors: Sequence[str], origins: Mapping[str, Origin]) -> None:
    """Raise ConfigurationError where these vendors must not be read into the folder.

    `origins`: by vendor, the origin of its data in the folder.
    """
    if settings.is_demonstration:
        refuse_sandbox(settings.data)
    elif (settings.data / RAW_FOLDER).exists() and (settings.data / SANDBOX_RECORD).exists():
        raise ConfigurationError(
            f"{settings.data} holds the sandbox's invented data, which must not mix with yours. "
            "Move that folder away, or set CHARGEHOUSE_DATA to another one."
        )
    for vendor in vendors:
        present = address_of(settings, vendor)
        origin = origins.get(vendor)
        if origin is not None and origin.address != present and not settings.are_new_hosts_accepted:
            raise ConfigurationError(
                f"{vendor}: the data in {settings.data} was read from {origin.address}, but the configuration names "
                f"{present}. If this is another account, set CHARGEHOUSE_DATA to a folder of its own; here its older "
                "data would never be read. If it is the same account, run "
                f"`chargehouse refresh --vendor {vendor} --accept-new-host` once."
            )
