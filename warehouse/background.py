"""Work in a thread of its own, so that the thread that waits for it notices signals."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")

BETWEEN_LOOKS_SECONDS = 0.1
"""Once Polars is imported, SIGINT ends no wait that has no end of its own: its handler lets it go on."""


def begin(work: Callable[[], Result], name: str) -> tuple[threading.Thread, Future[Result]]:
    """Begins the work in a thread that does not keep the process; what it raises is raised where it is waited for."""
    done: Future[Result] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as fault:  # noqa: BLE001 -- raised in the thread that waits
            done.set_exception(fault)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread, done


def awaited(done: Future[Result]) -> Result:
    """What came of the work, once it is done. A signal is noticed meanwhile."""
    while not done.done():
        wait([done], BETWEEN_LOOKS_SECONDS)
    return done.result()
