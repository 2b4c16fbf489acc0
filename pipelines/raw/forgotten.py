"""Forgotten persons: recognised when a vendor sends them again, and removed from every object.

The list below the root of data holds a keyed fingerprint of each pseudonym, a value that appears in no table: without
the key it reveals nothing about anybody, and no row can be joined to it.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import orjson

from pipelines.faults import ConfigurationError
from pipelines.layout import FORGOTTEN
from pipelines.personal_data import PSEUDONYM, Pseudonyms, as_json
from pipelines.settings import Settings
from pipelines.vendors.contract import Endpoint
from warehouse.durable_files import replacing

KINDS = ("user", "token", "customer")
"""What a vendor's id may identify: a person, a card, or the contract holder. One id may name several of these."""

_WRITTEN_PSEUDONYM = re.compile(f'"({PSEUDONYM.pattern})"'.encode())


class Forgotten:
    """The forgotten persons of one vendor."""

    def __init__(self, pseudonyms: Pseudonyms, fingerprints: Collection[str]) -> None:
        self._pseudonyms = pseudonyms
        self._fingerprints = frozenset(fingerprints)

    def __bool__(self) -> bool:
        return bool(self._fingerprints)

    def has(self, pseudonym: str) -> bool:
        """Whether the pseudonym is that of a forgotten person or card."""
        return fingerprint(self._pseudonyms, pseudonym) in self._fingerprints

    def without(self, payload: bytes, endpoint: Endpoint) -> bytes | None:
        """The object, a payload of the raw log, without what identifies a forgotten person; None where nothing does.

        An object that is the person's own (a user, a vehicle, a home) is emptied. A session keeps its times, energy and
        charger, and loses every pseudonym and the fields in `belongings`. Any other object loses the forgotten one.
        """
        if not any(self.has(found.decode()) for found in set(_WRITTEN_PSEUDONYM.findall(payload))):
            return None
        if endpoint.is_personal:
            return b"{}"
        leaves_out = _is_pseudonym if endpoint.started_field is not None else self._is_forgotten
        return as_json(_without(orjson.loads(payload), leaves_out, endpoint.belongings))

    def _is_forgotten(self, value: Any) -> bool:
        return _is_pseudonym(value) and self.has(value)


def forgotten_of(vendor: str, pseudonyms: Pseudonyms, data: Path) -> Forgotten:
    """The forgotten persons of a vendor, as listed below the root of data."""
    return Forgotten(pseudonyms, _listed(data).get(vendor, ()))


def refuse_forgotten(settings: Settings, vendor: str, pseudonyms: Pseudonyms) -> None:
    """Raise ConfigurationError where the settings ask for the sessions of a forgotten person."""
    if vendor != "zaptec" or settings.zaptec is None:
        return
    forgotten = forgotten_of(vendor, pseudonyms, settings.data)
    for number, user_id in enumerate(settings.zaptec.user_ids, start=1):
        if forgotten.has(pseudonyms.of("user", user_id)):
            raise ConfigurationError(
                f"id number {number} of ZAPTEC_USER_IDS is that of a forgotten person: remove it, so that nothing "
                "leads to them again."
            )


def fingerprint(pseudonyms: Pseudonyms, pseudonym: str) -> str:
    """The value that the list holds for a pseudonym."""
    return pseudonyms.of("forgotten", pseudonym)


def list_as_forgotten(vendor: str, fingerprints: Collection[str], data: Path) -> None:
    """Add to the list, which is on the disk when this returns. The caller prevents concurrent calls."""
    listed = _listed(data)
    listed[vendor] = sorted({*listed.get(vendor, ()), *fingerprints})
    with replacing(data / FORGOTTEN) as unfinished:
        unfinished.write_text(json.dumps(listed, indent=1) + "\n")


def pseudonyms_of_person(pseudonyms: Pseudonyms, person: str) -> list[str]:
    """The pseudonyms of a person, who is given by an id as the vendor writes it, or by a pseudonym: then that one."""
    return [person] if PSEUDONYM.fullmatch(person) else [pseudonyms.of(kind, person) for kind in KINDS]


def _listed(data: Path) -> dict[str, list[str]]:
    path = data / FORGOTTEN
    listed: Mapping[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
    return dict(listed)


def _is_pseudonym(value: Any) -> bool:
    return isinstance(value, str) and PSEUDONYM.fullmatch(value) is not None


def _without(value: Any, leaves_out: Callable[[Any], bool], belongings: Collection[str]) -> Any:
    match value:
        case dict():
            return {
                name: _without(inner, leaves_out, belongings)
                for name, inner in value.items()
                if name not in belongings and not leaves_out(inner)
            }
        case list():
            return [_without(inner, leaves_out, belongings) for inner in value if not leaves_out(inner)]
        case _:
            return value
