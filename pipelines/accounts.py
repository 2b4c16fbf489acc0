"""Whose data a folder holds: the sandbox's, or that of the accounts it was read from, and of no others.

How far everything is read is known by vendor, list and scope. Another account over the same data would be read from
there on, and what it holds from before would never be.
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from pipelines.faults import ConfigurationError
from pipelines.layout import SANDBOX_RECORD
from pipelines.settings import Settings


def address_of(settings: Settings, vendor: str) -> str:
    """Host and path where a vendor is read. Tokens and names may change for one account; a sandbox changes its port."""
    parts = urlsplit(settings.base_url(vendor))
    return f"{parts.hostname}{parts.path}"


def refuse_other_data(settings: Settings, vendors: Sequence[str], addresses: Mapping[str, str]) -> None:
    """Raise ConfigurationError where these vendors must not be read into the folder.

    `addresses`: where the data of each vendor in the folder was read.
    """
    if (settings.data / SANDBOX_RECORD).exists() and not settings.is_demonstration:
        raise ConfigurationError(
            f"{settings.data} holds the sandbox's invented data, which must not mix with yours. "
            "Move that folder away, or set CHARGEHOUSE_DATA to another one."
        )
    for vendor in vendors:
        present = address_of(settings, vendor)
        known = addresses.get(vendor, present)
        if known != present and not settings.are_new_hosts_accepted:
            raise ConfigurationError(
                f"{vendor}: what {settings.data} holds was read from {known}, and the configuration names {present}. "
                "Of another account, nothing from before would be read: set CHARGEHOUSE_DATA to a folder of its own. "
                f"If it is the same account, run `chargehouse refresh --vendor {vendor} --accept-new-host` once."
            )
