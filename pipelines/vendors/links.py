"""The Link header of an answer: the target of each link, and its relations."""

import re
from typing import NamedTuple

_LINK = re.compile(r"<([^<>]*)>([^<>]*)")
_RELATION = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))', re.IGNORECASE)


class Link(NamedTuple):
    """A link: its target as written, and its relations in lower case, of which there may be several."""

    target: str
    relations: frozenset[str]


def links_of(header: str) -> list[Link]:
    """The links of a Link header, in order. Source: RFC 8288, 3 and 3.3; some servers use single quotes."""
    return [Link(target, _relations(parameters)) for target, parameters in _LINK.findall(header)]


def _relations(parameters: str) -> frozenset[str]:
    found = [quoted or plain.strip("'") for quoted, plain in _RELATION.findall(parameters)]
    return frozenset(relation.lower() for relations in found for relation in relations.split())
