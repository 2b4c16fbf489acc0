"""What the vendors have announced about their APIs, which version of each is in use, and how far back they reach."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.settings import Settings
from pipelines.vendors import ENDPOINTS

UNVERSIONED = "unversioned"


@dataclass(frozen=True)
class Announcement:
    """A change to an endpoint that a vendor has announced. `kept_months`: how long rows are sure to be kept."""

    text: str
    source_url: str
    kept_months: int | None = None


ANNOUNCEMENTS = {
    ("zaptec", "sessions"): Announcement(
        "Planned, without a date: sessions older than 2 years are deleted from the legacy session endpoints, and 3 to "
        "6 months later all closed sessions are. Closed sessions are to be read from the session archive, which is "
        "what Chargehouse reads. How long the archive keeps a session is not announced: only 2 years are certain.",
        "https://docs.zaptec.com/page/archived-session-endpoints-and-legacy-session-deprecation-planned",
        kept_months=24,
    ),
    **{
        ("jedlix", endpoint.name): Announcement(
            "Version 1 of the Smart Charging API will be marked as deprecated when version 2 leaves its beta phase, "
            "and removed 6 months later. Chargehouse reads version 2.",
            endpoint.documentation_url,
        )
        for endpoint in ENDPOINTS["jedlix"]
    },
}
"""By vendor and endpoint. Sources: Zaptec, "Announcement: Upcoming Changes to Session APIs", steps 3 to 5; Jedlix,
"Smart Charging API v2", introduction."""


@dataclass(frozen=True)
class EndpointInUse:
    """A vendor's endpoint that is switched on, with the API version in its path or base URL."""

    vendor: str
    name: str
    api_version: str
    announcement: Announcement | None


def endpoints_in_use(settings: Settings) -> Iterator[EndpointInUse]:
    """Every endpoint that the settings let a run read."""
    for vendor in settings.vendors:
        for endpoint in ENDPOINTS[vendor]:
            version = _api_version(settings, vendor, endpoint.name)
            if version is not None:
                known = ANNOUNCEMENTS.get((vendor, endpoint.name))
                yield EndpointInUse(vendor, endpoint.name, version, known)


def _api_version(settings: Settings, vendor: str, endpoint: str) -> str | None:
    """None for an endpoint that is switched off."""
    if vendor == "greenflux" and settings.greenflux:
        account = settings.greenflux
        return {
            "locations": account.locations_version,
            "charge_stations": account.stations_version,
            "cdrs": account.cdrs_version,
        }[endpoint]
    if vendor == "jedlix":
        return "v2"
    if vendor == "smappee" and settings.smappee:
        version = re.search(r"/(v[0-9]+)$", settings.smappee.base_url)
        return version[1] if version else UNVERSIONED
    return UNVERSIONED
