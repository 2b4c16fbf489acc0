"""The key of the pseudonyms: the configured one, or one that is made once and kept beside the raw log.

A new key beside an existing raw log would give every person and card a second pseudonym. So no key is made there, and a
different one is refused unless the user explicitly accepts it.
"""

import os
import secrets
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from pipelines.faults import ConfigurationError
from pipelines.layout import PSEUDONYM_KEY
from pipelines.personal_data import Pseudonyms
from pipelines.raw.positions import Origin
from pipelines.raw.raw_log import RawLog
from pipelines.settings import Settings
from warehouse.durable_files import flush


def pseudonyms_of(vendor: str, settings: Settings, origins: Mapping[str, Origin]) -> Pseudonyms:
    """The pseudonyms of a vendor's persons and cards, by the key that the vendor's data in the folder was written with.

    `origins`: by vendor, the origin of its data in the folder. Raises ConfigurationError where that key is gone, or the
    present one is another.
    """
    pseudonyms = Pseudonyms(vendor, pseudonym_key(settings.pseudonym_key, settings.data))
    origin = origins.get(vendor)
    known = (None, pseudonyms.key_fingerprint)
    if origin is not None and origin.key_fingerprint not in known and not settings.is_new_key_accepted:
        raise ConfigurationError(_another(vendor, settings))
    return pseudonyms


def pseudonym_key(configured: SecretStr | None, data: Path) -> bytes:
    """The configured key, or else the one in the file below `data`, which is made where nothing was ever read.

    Raises ConfigurationError where the file is empty, or is gone while the raw log has loads.
    """
    if configured is not None:
        return configured.get_secret_value().encode()
    path = data / PSEUDONYM_KEY
    if not path.exists():
        # The path is checked again last: another process may just have made the key and appended its first load.
        if RawLog(data).newest_load() is not None and not path.exists():
            raise ConfigurationError(_gone(path))
        _make(path)
    key = path.read_bytes().strip()
    if not key:
        raise ConfigurationError(
            f"{path} is empty, and pseudonyms without a key can be reversed by trying all card numbers. Restore the "
            "file from a backup; if there is none, delete it and run again."
        )
    return key


def _make(path: Path) -> None:
    folder = path.parent
    folder.mkdir(parents=True, exist_ok=True)
    # Every process writes a file of its own, readable by its owner only.
    descriptor, name = tempfile.mkstemp(prefix=f".{PSEUDONYM_KEY}.", dir=folder)
    beside = Path(name)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    flush(beside)
    # Making a link is atomic, and never replaces a key that another process made meanwhile.
    try:
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        beside.unlink()
    # The key must be on the disk before the first row that is written with it.
    flush(folder)


def _another(vendor: str, settings: Settings) -> str:
    data = settings.data
    without_it = (
        f"If it is lost, move {data} away: its data is invented."
        if settings.is_demonstration
        else "If it is lost, run `chargehouse refresh --accept-new-key` once."
    )
    return (
        f"{vendor}: the data in {data} was written with another pseudonym key than the current one. With this one "
        "every person and card would get a second pseudonym, and forgotten persons would come back. Restore the former "
        f"key in CHARGEHOUSE_PSEUDONYM_KEY or, if that variable is not set, in {data / PSEUDONYM_KEY}. {without_it}"
    )


def _gone(path: Path) -> str:
    made_by_hand = f"(umask 077; openssl rand -hex 32 > {shlex.quote(str(path))})"
    return (
        f"{path} is missing, and the raw log beside it holds pseudonyms made with it. Restore the file from a backup, "
        "or set CHARGEHOUSE_PSEUDONYM_KEY to its content. If the key is lost, make a new one with "
        f"`{made_by_hand}`, and run `chargehouse refresh --accept-new-key` once: from then on every person and card "
        "gets a new pseudonym, which no rebuild can join with the old one."
    )
