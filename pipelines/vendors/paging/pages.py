"""One answer of a paged list, for each style of paging, and the key that tells its rows apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Page:
    """The objects of one answer, and when it was requested."""

    objects: Sequence[Any]
    requested_at: datetime


@dataclass(frozen=True)
class CursorPage:
    """`cursor` names the next page; None or empty where there is no next page."""

    page: Page
    cursor: str | None
    has_more: bool


@dataclass(frozen=True)
class NumberedPage:
    """`total_count` is None where the vendor does not give it."""

    page: Page
    total_count: int | None
    total_pages: int


@dataclass(frozen=True)
class OffsetPage:
    """`total_count`, `has_next` and `next_offset` are None where the vendor does not give them."""

    page: Page
    total_count: int | None
    has_next: bool | None
    next_offset: int | None = None


def key_by_id(id_field: str) -> Callable[[Any], str]:
    """A function that gives the key of a row: its id, or its whole content where it has no id."""
    return lambda item: str(item.get(id_field) or item) if isinstance(item, dict) else repr(item)
