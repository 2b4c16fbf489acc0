"""What one reading of a list from beginning to end has shown, and whether that proves the list complete."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from pipelines.faults import ReadingError
from pipelines.vendors.paging import limits
from pipelines.vendors.paging.pages import NumberedPage


@dataclass
class ListPass:
    """What one reading of a list from its beginning has shown.

    `keys` are the keys of its rows in the order received, `seen` the same as a set. `versions` are hashes of the rows'
    content, where these are recorded. `rows` is how many places of the list have been read, `risen` by how much the
    total rose meanwhile, `is_steady` whether the total stayed the same. `is_anchored`: every page was tied to the one
    before. `page_size` is the largest number of rows on one page so far, and at least one.
    """

    keys: list[tuple[Hashable, int]] = field(default_factory=list)
    seen: set[tuple[Hashable, int]] = field(default_factory=set)
    rows: int = 0
    page_size: int = 1
    total: int | None = None
    risen: int = 0
    is_steady: bool = True
    is_anchored: bool = True
    versions: list[int] | None = None
    _steps_back: int = 0
    _furthest: int = 0
    _pages_without_news: int = 0

    def fall(self, total: int | None) -> int:
        """Record the total of an answer. Returns by how much it fell since the previous answer."""
        change = 0 if total is None or self.total is None else total - self.total
        self.risen += max(0, change)
        self.is_steady = self.is_steady and change == 0
        self.total = total
        return max(0, -change)

    def step_back(self) -> int:
        """Record that the list moved. Returns how often it has moved since the last new row.

        Raises ReadingError where stepping back does not come to an end.
        """
        self._steps_back += 1
        if self._steps_back > limits.MOST_STEPS_BACK:
            raise ReadingError("the list keeps changing, so it cannot be read to its end.")
        return self._steps_back

    def take(self, objects: Sequence[Any], key: Callable[[Any], Hashable], rows: int, repeated: int = 0) -> bool:
        """Add the rows of an answer, with which `rows` places of the list have been read. Returns whether any was new.
        The first `repeated` rows were requested again only to tie the answer to the one before.

        Raises ReadingError where too many further pages bring no new row.
        """
        keys = _distinct(map(key, objects))
        is_news = not self.seen.issuperset(keys)
        if is_news:
            self._steps_back = self._pages_without_news = 0
        elif keys and rows > self._furthest:
            self._pages_without_news += 1
            if self._pages_without_news > limits.MOST_PAGES_WITHOUT_NEWS:
                raise ReadingError("the same rows come again and again, so the list cannot be read to its end.")
        self._furthest = max(self._furthest, rows)
        self.keys.extend(keys[repeated:])
        self.seen.update(keys)
        if self.versions is not None:
            self.versions.extend(hash(repr(item)) for item in objects[repeated:])
        self.rows = rows
        self.page_size = max(self.page_size, len(keys))
        return is_news

    def began_or_ended_with(self, objects: Sequence[Any], key: Callable[[Any], Hashable]) -> bool:
        """Whether these are its first page, its last page or no rows: what servers send for a page beyond the last."""
        keys, size = _distinct(map(key, objects)), self.page_size
        return not keys or keys in (self.keys[:size], self.keys[-size:])

    def is_whole(self, previous: "ListPass") -> bool:
        """Whether every row that was in the list all the while was seen.

        As many different rows as the total says prove it. Where there is no total, or a wrong one, and nothing ties the
        pages together, two readings with the same rows in the same order prove it, if no row appears twice in one
        reading: a list that lost a row showed another row twice, or had one row more the other time.
        """
        shows_enough = self.total is None or len(self.seen) >= self.total - self.risen
        if not self._is_counted:
            is_same = self.keys == previous.keys and len(self.keys) == len(self.seen)
            shows_enough = shows_enough and (self.is_anchored or is_same)
        return shows_enough or self._shows_versions_again(previous)

    @property
    def _is_counted(self) -> bool:
        """Whether there is a total that may be right: no more rows came than it says."""
        return self.total is not None and not self.counts_too_few

    @property
    def counts_too_few(self) -> bool:
        """Whether more rows came than the total says, which proves it wrong."""
        return self.total is not None and self.rows > self.total

    def _shows_versions_again(self, previous: "ListPass") -> bool:
        """Whether the list permanently holds several versions of a row: both readings show the same rows in the same
        order, each different from all others in its key or its content, and as many as the total, if any, says.

        A row that only moved may appear twice in one reading, but then both are identical, or the old version is gone
        from the next reading.
        """
        if self.versions is None or self.versions != previous.versions:
            return False
        different = len(set(self.versions))
        if self.total is None or not self._is_counted:
            return different == len(self.versions)
        return self.is_steady and previous.is_steady and different >= self.total == previous.total

    def lacks_only(self, known: Set[Hashable]) -> bool:
        """Whether only known rows are left to come, judging by the total, which includes them and has not changed; and
        enough of them that skipping them is worth the two requests that make sure."""
        if not known or self.total is None or not self.is_steady or self.rows + 2 * self.page_size >= self.total:
            return False
        return sum(key not in known for key, _ in self.seen) == self.total - len(known)

    def ends_with(self, last: NumberedPage) -> bool:
        """Whether the last page of the list, fetched ahead of its turn, holds as many rows as the total leaves it."""
        return self.total == last.total_count == (last.total_pages - 1) * self.page_size + len(last.page.objects)


def _distinct(keys: Iterable[Hashable]) -> list[tuple[Hashable, int]]:
    """The keys of one answer's rows, numbered where they repeat: rows that share a key in one answer are different."""
    listed = list(keys)
    if len(set(listed)) == len(listed):
        return [(key, 0) for key in listed]
    times: Counter[Hashable] = Counter()
    distinct: list[tuple[Hashable, int]] = []
    for key in listed:
        distinct.append((key, times[key]))
        times[key] += 1
    return distinct
