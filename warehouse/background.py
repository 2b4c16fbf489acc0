"""Work in a separate thread, so that the thread that waits for it notices signals."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")

BETWEEN_LOOKS_SECONDS = 0.1
"""Timeout of each wait: once Polars is imported, its SIGINT handler lets a wait without a timeout go on."""


def begin(work: Callable[[], Result], name: str) -> tuple[threading.Thread, Future[Result]]:
    """Begins the work in a daemon thread; an exception of the work is raised where the result is awaited."""
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
    """The result of the work, once it is done. Signals are noticed while waiting."""
    while not done.done():
        wait([done], BETWEEN_LOOKS_SECONDS)
    return done.result()
