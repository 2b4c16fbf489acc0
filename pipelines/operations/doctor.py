"""`chargehouse doctor`: checks configuration and credentials, with one small call to each vendor or each park."""

import shutil
from pathlib import Path
from tempfile import TemporaryFile

from pipelines.faults import ReadingError
from pipelines.personal_data import Pseudonyms
from pipelines.settings import Settings, unknown_names
from pipelines.vendors import ENDPOINTS, open_vendor
from pipelines.vendors.http_client import Tally


def examine(settings: Settings) -> tuple[list[str], bool]:
    """A line for the data folder, the time zone, each vendor and each unknown variable; and whether the folder can be
    written and every configured vendor answered."""
    obstacle = _obstacle(settings.data)
    lines = [
        f"data        {f'FAILED: {obstacle}' if obstacle else _folder_and_space(settings.data)}",
        f"time zone   {settings.time_zone}",
    ]
    all_well = obstacle is None
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


def _obstacle(data: Path) -> str | None:
    """Why the data folder cannot be made or written, in words; None if it can."""
    existing = _nearest(data)
    try:
        with TemporaryFile(dir=existing) as file:
            file.write(b"doctor")
    except OSError as fault:
        return f"{existing} is not writable ({fault.strerror}); fix that, or set CHARGEHOUSE_DATA to another folder."
    return None


def _folder_and_space(data: Path) -> str:
    return f"{data} ({shutil.disk_usage(_nearest(data)).free / 1e9:,.1f} GB free)"


def _nearest(data: Path) -> Path:
    """The folder, or the nearest folder above it that exists."""
    return next(path for path in (data, *data.parents) if path.exists())
