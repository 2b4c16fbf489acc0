"""The charging platforms: one module each, and this registry of them.

docs/design.md lists what else a new vendor needs.
"""

from collections.abc import Mapping

from pipelines.personal_data import Pseudonyms
from pipelines.settings import Settings
from pipelines.vendors import greenflux, jedlix, smappee, zaptec
from pipelines.vendors.contract import Endpoint, Vendor

ENDPOINTS: Mapping[str, tuple[Endpoint, ...]] = {
    "zaptec": tuple(zaptec.Zaptec.endpoints),
    "jedlix": tuple(jedlix.Jedlix.endpoints),
    "greenflux": tuple(greenflux.Greenflux.endpoints),
    "smappee": tuple(smappee.Smappee.endpoints),
}

LOOK_BACKS: Mapping[str, str] = {
    "zaptec": f"the look-back is {zaptec.LOOK_BACK.days} days",
    "jedlix": f"the look-back is {jedlix.LOOK_BACK.days} days",
    "greenflux": "rows are found by their modification time, however late",
    "smappee": f"the window begins {smappee.MARGIN.days} day before the oldest running session",
}
"""How far back each vendor's readings reach, for a person who compares it with how late rows come."""


def open_vendor(name: str, settings: Settings, pseudonyms: Pseudonyms) -> Vendor:
    """The vendor of this name, with its account from the settings. Raises ValueError where it is not configured."""
    if name == "zaptec" and settings.zaptec:
        return zaptec.Zaptec(settings.zaptec, settings.patience, pseudonyms)
    if name == "jedlix" and settings.jedlix:
        return jedlix.Jedlix(settings.jedlix, settings.patience)
    if name == "greenflux" and settings.greenflux:
        return greenflux.Greenflux(settings.greenflux, settings.patience)
    if name == "smappee" and settings.smappee:
        return smappee.Smappee(settings.smappee, settings.patience)
    raise ValueError(f"{name} is not configured")
