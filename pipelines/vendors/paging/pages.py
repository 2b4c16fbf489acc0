"""One answer of a paged list, by the style of its paging, and what tells its rows apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Page:
    """The objects of one answer, and when it was asked for."""

    objects: Sequence[Any]
    requested_at: datetime


@dataclass(frozen=True)
class CursorPage:
    """`cursor` names the next page; None, or empty, where there is none."""

    page: Page
    cursor: str | None
    has_more: bool


@dataclass(frozen=True)
class NumberedPage:
    """`total_count` is None where the vendor does not say."""

    page: Page
    total_count: int | None
    total_pages: int


@dataclass(frozen=True)
class OffsetPage:
    """`total_count` and `has_next` are None where the vendor does not say."""

    page: Page
    total_count: int | None
    has_next: bool | None


def key_by_id(id_field: str) -> Callable[[Any], str]:
    """What tells a row of a list from the others: its id; where it has none, all that it holds."""
    return lambda item: str(item.get(id_field) or item) if isinstance(item, dict) else repr(item)
