"""Work in a thread of its own, so that the thread that waits for it notices signals."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


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
