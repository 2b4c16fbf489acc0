"""`chargehouse doctor`: configuration and credentials, with one small call to each vendor or each park."""

from pipelines.faults import ReadingError
from pipelines.personal_data import Pseudonyms
from pipelines.settings import Settings, unknown_names
from pipelines.vendors import ENDPOINTS, open_vendor
from pipelines.vendors.http_client import Tally


def examine(settings: Settings) -> tuple[list[str], bool]:
    """A line for each vendor, and whether all that are on answered."""
    lines = [
        f"data        {settings.data}",
        f"time zone   {settings.time_zone}",
    ]
    all_well = True
    for name in ENDPOINTS:
        if name not in settings.vendors:
            lines.append(f"{name:<11} off (no credentials set)")
            continue
        try:
            shown = open_vendor(name, settings, Pseudonyms(name, b"")).check_credentials(Tally())
        except ReadingError as fault:
            lines.append(f"{name:<11} FAILED: {fault}")
            all_well = False
        else:
            lines.append(f"{name:<11} ok: {shown}")
    lines += [f"unknown     {name} (misspelt? see .env.example)" for name in unknown_names()]
    return lines, all_well
