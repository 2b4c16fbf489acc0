"""Memory for reading much in a short time: garbage collected rarely, and one heap for everything that is read.

Parsed answers are a great many small objects without cycles. Searching all of them for cycles again and again would
take a quarter of the reading time. By default, every thread that reads a vendor gets a heap of its own from the C
library and from Arrow, and each heap keeps the memory of its largest window. One shared heap saves half the memory, and
a fifth of the processor time with it: the kernel need not clear a page of memory that is used again.
"""

import ctypes
import gc
from functools import cache

import pyarrow as pa

ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000
"""Python's default is 700 (since 3.13: 2,000)."""

COLLECTIONS_BETWEEN_OLDER = 20
"""After this many collections of one generation, the next older generation is collected too."""

_M_ARENA_MAX = -8
"""From malloc.h of the GNU C library: the option for the maximum number of heaps."""


def collect_rarely() -> None:
    """Look for garbage in cycles about a hundred times less often than usual; other garbage is still freed at once."""
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS, COLLECTIONS_BETWEEN_OLDER, COLLECTIONS_BETWEEN_OLDER)


@cache
def share_one_heap() -> None:
    """Let every thread that starts from now on use the one heap. Without the GNU C library, only Arrow uses it."""
    pa.set_memory_pool(pa.system_memory_pool())
    _call("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Return free memory to the system, before Polars asks for its own."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the GNU C library; does nothing where the process runs on another C library."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
