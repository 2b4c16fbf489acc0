"""Memory for reading much in a short time: garbage collected rarely, and one heap for everything that is read.

Parsed answers are a great many small objects without cycles; looking through all of them again and again for cycles
would take a quarter of the time of reading. Every thread that reads a vendor would get a heap of its own, from the C
library and from Arrow, and each would keep the memory of its largest window. One for all takes half the memory, and a
fifth of the processor time with it: a page that is used again need not be cleared by the kernel.
"""

import ctypes
import gc
from functools import cache

import pyarrow as pa

ALLOCATIONS_BETWEEN_COLLECTIONS = 100_000
"""Python's own number is 700 (since 3.13: 2,000)."""

COLLECTIONS_BETWEEN_OLDER = 20
"""After so many collections of the youngest objects the older ones are looked through as well, and so on."""

_M_ARENA_MAX = -8
"""From malloc.h of the GNU C library: the most heaps that threads may be spread over."""


def collect_rarely() -> None:
    """Look for garbage in cycles a hundred times less often than usual; what is no cycle goes at once all the same."""
    gc.set_threshold(ALLOCATIONS_BETWEEN_COLLECTIONS, COLLECTIONS_BETWEEN_OLDER, COLLECTIONS_BETWEEN_OLDER)


@cache
def share_one_heap() -> None:
    """Let every thread that begins from now on use the one heap. Elsewhere than with the GNU C library: only Arrow."""
    pa.set_memory_pool(pa.system_memory_pool())
    _call("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Give memory that is free by now back to the system, before Polars asks for its own."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of the GNU C library, where that is the one."""
    function = getattr(ctypes.CDLL(None), name, None)
    if function is not None:
        function(*arguments)
