"""Removes persons and cards from an object before any part of it is written.

Ids become keyed pseudonyms (HMAC-SHA-256, so that a short card number cannot be found by trying them all). Names,
addresses of people and machines, and whatever looks like an e-mail address or a signed reading are dropped. Only an
object's own key, which some platforms write as `number@operator`, may look like an e-mail address.
"""

import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import orjson

# One character before the @ is enough to find an address; matching more would make the search of a long text far too
# slow.
PERSONAL_TEXT = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]|OCMF\|")
"""An e-mail address, or the beginning of a signed meter reading, which may name a card. Source: Open Charge Metering
Format (OCMF)."""

PSEUDONYM_DIGITS = 32
"""128 bits: no two persons of a vendor get the same pseudonym."""

PSEUDONYM = re.compile(rf"p_[0-9a-f]{{{PSEUDONYM_DIGITS}}}")


def without_pseudonyms(text: str) -> str:
    """The text as it may stand where no person can be erased: in the history of runs."""
    return PSEUDONYM.sub("(pseudonym)", text)


PSEUDONYMS_REMEMBERED = 200_000
"""The size of the cache, so that a person who charges every day is not hashed for every session."""

EVERYWHERE_DROPPED = frozenset(
    {"email", "useremail", "emailaddress", "username", "userusername"}
    | {"fullname", "userfullname", "firstname", "lastname", "givenname", "familyname", "surname"}
    | {"phone", "phonenumber", "phone_number", "phonenumbers", "telephone", "mobile", "mobilenumber", "mobilephone"}
)
"""Fields, in lower case, that describe a person whatever the vendor and the object. They are dropped even where no
document names them."""

PERSONS_NAMES = {
    person: frozenset({"name", "displayname", "display_name"}) for person in ("user", "driver", "cardholder")
}
"""Objects, in lower case, that are a person whatever the vendor, and the fields that are dropped of them."""


@dataclass(frozen=True)
class PersonalData:
    """A vendor's personal fields, by the vendor's names in upper or lower case, at any place in an object.

    `pseudonymised` maps a field to the kind of thing it names: user, token or customer. A dotted name (`parent.field`)
    applies only directly inside `parent`. `persons` are objects of which only the pseudonymised fields are kept; a text
    in their place is dropped. `dropped` fields are left out. `signed_readings` are dropped too, or kept
    separately if the settings ask for it. `rounded` maps a numeric field to the decimals that it keeps. `measurements`
    are long lists of numbers, which are not searched.
    """

    pseudonymised: Mapping[str, str] = field(default_factory=dict)
    persons: frozenset[str] = frozenset()
    dropped: frozenset[str] = frozenset()
    signed_readings: frozenset[str] = frozenset()
    rounded: Mapping[str, int] = field(default_factory=dict)
    measurements: frozenset[str] = frozenset()


class Pseudonyms:
    """Keyed pseudonyms of one vendor's persons and cards: the same value always gets the same one."""

    def __init__(self, vendor: str, key: bytes) -> None:
        self._vendor = vendor
        self._key = key
        self._known = lru_cache(maxsize=PSEUDONYMS_REMEMBERED)(self._digest)

    def of(self, kind: str, value: object) -> str:
        """The pseudonym, `p_` and 32 hexadecimal digits, of a value of this kind (user, token, customer)."""
        return self._known(kind, str(value))

    @property
    def key_fingerprint(self) -> str:
        """Distinguishes the key from another one, and reveals nothing else about it."""
        return self._digest("key", "")

    def _digest(self, kind: str, value: str) -> str:
        # Neither a vendor nor a kind contains the separator, so no two values make the same message.
        message = f"{self._vendor}\x1f{kind}\x1f{value}".encode(errors="surrogatepass")
        return "p_" + hmac.digest(self._key, message, "sha256").hex()[:PSEUDONYM_DIGITS]


@dataclass(frozen=True)
class CleanObject:
    """An object without personal data, as it may be written, and as JSON; its signed readings if they are kept."""

    content: Any
    payload: bytes
    signed_readings: str | None


@dataclass(frozen=True)
class _Shape:
    """What to do with objects that have the same field names, decided once instead of for each object.

    `persons` and `nested`: the fields that may hold an object that describes a person, and other objects or lists, each
    with the path of those.
    """

    dropped: tuple[str, ...]
    persons: tuple[tuple[str, str], ...]
    pseudonymised: tuple[tuple[str, str], ...]
    rounded: tuple[tuple[str, int], ...]
    nested: tuple[tuple[str, str], ...]


MOST_SHAPES = 10_000
"""The most shapes remembered: objects whose field names are data would fill the memory with them."""

LESS_THAN_ANY_OVERFLOW = 10**300
"""An integer below this can be written as a float, the largest of which is 1.8e308. orjson writes integers of at most
64 bits as they are."""

LEVELS_KEPT = 100
"""Levels kept of an object that is nested too deeply. orjson writes 254 levels and reads 1,024."""

MOST_FIELDS = 1_000
"""The most different fields noted: with more, the field names are data and no vocabulary."""


class Cleaner:
    """Removes the personal data from one vendor's objects, and notes which fields these have.

    `known_fields`: (endpoint, dotted path) of those that need not be noted again.
    """

    def __init__(
        self,
        personal_data: PersonalData,
        pseudonyms: Pseudonyms,
        *,
        keep_signed_readings: bool,
        known_fields: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._rules = personal_data
        self._pseudonyms = pseudonyms
        self._keep_signed_readings = keep_signed_readings
        self._dropped = EVERYWHERE_DROPPED | _lowered(personal_data.dropped | personal_data.signed_readings)
        self._persons = _lowered(personal_data.persons)
        self._rounded = {name.lower(): decimals for name, decimals in personal_data.rounded.items()}
        self._measurements = _lowered(personal_data.measurements)
        self._anywhere = {name.lower(): kind for name, kind in personal_data.pseudonymised.items() if "." not in name}
        self._inside: dict[str, dict[str, str]] = {}
        self._shapes: dict[tuple[str, tuple[str, ...]], _Shape] = {}
        self._fields = set(known_fields)
        self._new_fields: list[tuple[str, str]] = []
        for dotted, kind in personal_data.pseudonymised.items():
            parent, separator, name = dotted.lower().partition(".")
            if separator:
                self._inside.setdefault(parent, {})[name] = kind

    def clean(
        self, item: Any, *, endpoint: str = "", id_names: str | None = None, id_field: str | None = None
    ) -> CleanObject:
        """The object of this endpoint without personal data. `id_names`: the kind of person or card that the object's
        own `id` names. `id_field`: the field of a key that names nobody, and so may look like an e-mail address.

        An object nested too deeply to be searched and written keeps its outer levels, and is wrapped in a list: staging
        rejects what is not an object, and would otherwise take what is left for the whole.
        """
        try:
            return self._cleaned(item, endpoint, id_names, id_field)
        except (RecursionError, orjson.JSONEncodeError):
            outer = self._cleaned(_outer_levels(item, LEVELS_KEPT), endpoint, id_names, id_field)
            return replace(outer, payload=b"[" + outer.payload + b"]")

    def take_new_fields(self) -> list[tuple[str, str]]:
        """The fields that were first met since the last call and may be written, as (endpoint, dotted path)."""
        new, self._new_fields = self._new_fields, []
        return new

    def _cleaned(self, item: Any, endpoint: str, id_names: str | None, id_field: str | None) -> CleanObject:
        signed = self._signed_readings(item) if self._keep_signed_readings else None
        return self._written(self._without_personal_data(item, f"{endpoint}:"), id_names, id_field, signed)

    def _written(self, cleaned: Any, id_names: str | None, id_field: str | None, signed: str | None) -> CleanObject:
        if id_names is not None and isinstance(cleaned, dict) and cleaned.get("id") is not None:
            cleaned["id"] = self._pseudonyms.of(id_names, cleaned["id"])
        payload = as_json(cleaned)
        if b"@" in payload or b"OCMF|" in payload:
            key = cleaned.get(id_field) if id_names is None and isinstance(cleaned, dict) else None
            cleaned = _without_personal_texts(cleaned)
            if isinstance(key, str):
                cleaned[id_field] = key
            payload = as_json(cleaned)
        return CleanObject(cleaned, payload, signed)

    def _signed_readings(self, item: Any) -> str | None:
        if not isinstance(item, dict):
            return None
        kept = {name: item[name] for name in sorted(self._rules.signed_readings) if item.get(name) is not None}
        return as_json(kept).decode() if kept else None

    def _without_personal_data(self, value: Any, path: str) -> Any:
        if isinstance(value, list):
            return [self._without_personal_data(element, path) for element in value]
        if not isinstance(value, dict):
            return value
        names = tuple(value)
        shape = self._shapes.get((path, names)) or self._learned(path, names)
        result = value.copy()
        for name in shape.dropped:
            del result[name]
        for name, inner_path in shape.persons:
            inner = value[name]
            if isinstance(inner, dict):
                result[name] = self._without_personal_data(inner, inner_path)
            elif inner is not None:
                del result[name]
        for name, kind in shape.pseudonymised:
            inner = value[name]
            # A whole object that names a person is dropped: only a plain value can be pseudonymised.
            if inner is None or inner == "" or isinstance(inner, dict | list):
                del result[name]
            else:
                result[name] = self._pseudonyms.of(kind, inner)
        for name, inner_path in shape.nested:
            inner = value[name]
            if isinstance(inner, (dict, list)):
                result[name] = self._without_personal_data(inner, inner_path)
        for name, decimals in shape.rounded:
            if not isinstance(value[name], dict | list):
                result[name] = _rounded(value[name], decimals)
        return result

    def _learned(self, path: str, names: tuple[str, ...]) -> _Shape:
        endpoint, _, inside = path.partition(":")
        parent = inside.rpartition(".")[2].lower()
        kinds = {**self._anywhere, **self._inside.get(parent, {})}
        unwanted = self._dropped | PERSONS_NAMES.get(parent, frozenset())
        if parent in self._persons:
            unwanted = frozenset(name.lower() for name in names) - kinds.keys()
        dropped = tuple(name for name in names if name.lower() in unwanted)
        kept = [(name, name.lower()) for name in names if name.lower() not in unwanted]
        plain = [(name, lowered) for name, lowered in kept if lowered not in kinds]
        inner = f"{path}." if inside else path
        unsearched = self._measurements | self._persons
        shape = _Shape(
            dropped,
            persons=tuple((name, f"{inner}{name}") for name, lowered in kept if lowered in self._persons),
            pseudonymised=tuple((name, kinds[lowered]) for name, lowered in kept if lowered in kinds),
            rounded=tuple((name, self._rounded[lowered]) for name, lowered in plain if lowered in self._rounded),
            nested=tuple((name, f"{inner}{name}") for name, lowered in plain if lowered not in unsearched),
        )
        if len(self._shapes) < MOST_SHAPES:
            self._shapes[path, names] = shape
        for name, _ in kept:
            self._note(endpoint, f"{inside}.{name}" if inside else name)
        return shape

    def _note(self, endpoint: str, path: str) -> None:
        # Where field names are data, one may hold an e-mail address. Half a surrogate pair cannot be stored.
        is_new = (endpoint, path) not in self._fields and len(self._fields) < MOST_FIELDS
        if is_new and path.isprintable() and "@" not in path:
            self._fields.add((endpoint, path))
            self._new_fields.append((endpoint, path))


def _lowered(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _outer_levels(value: Any, levels: int) -> Any:
    """The value down to `levels` levels; None replaces every object and list below."""
    if isinstance(value, dict | list) and not levels:
        return None
    if isinstance(value, dict):
        return {name: _outer_levels(inner, levels - 1) for name, inner in value.items()}
    return [_outer_levels(inner, levels - 1) for inner in value] if isinstance(value, list) else value


def _rounded(value: Any, decimals: int) -> float | None:
    """A number, or a text that holds one, rounded to `decimals`; None for anything else, however exact it is."""
    try:
        return round(float(value), decimals)
    except (TypeError, ValueError, OverflowError):
        return None


def as_json(value: Any) -> bytes:
    """Compact JSON. In text that is not valid Unicode (a lone surrogate), the bad parts are replaced."""
    try:
        written = orjson.dumps(value)
    except orjson.JSONEncodeError:
        written = orjson.dumps(_encodable(value))
    # A copy: the bytes from orjson keep the four kilobytes that it reserved for as long as they live.
    return bytes(memoryview(written))


def _encodable(value: Any) -> Any:
    match value:
        case dict():
            return {_encodable(name): _encodable(inner) for name, inner in value.items()}
        case list():
            return [_encodable(element) for element in value]
        case str():
            return value.encode(errors="replace").decode()
        case int() if not -(2**63) <= value < 2**64:
            return float(value) if abs(value) < LESS_THAN_ANY_OVERFLOW else str(value)
        case _:
            return value


def _without_personal_texts(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: _without_personal_texts(inner)
                for name, inner in value.items()
                if not _is_personal_text(inner) and not _is_personal_text(name)
            }
        case list():
            return [_without_personal_texts(inner) for inner in value if not _is_personal_text(inner)]
        case _:
            return None if _is_personal_text(value) else value


def _is_personal_text(value: Any) -> bool:
    return isinstance(value, str) and PERSONAL_TEXT.search(value) is not None
