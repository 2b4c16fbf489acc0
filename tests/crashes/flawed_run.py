"""The chargehouse command in a process with one flaw: `python -m tests.crashes.flawed_run FLAW COMMAND ...`."""

import functools
import importlib
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines import command
from tests.crashes.flaw import Flaw


def owner_of(name: str) -> tuple[Any, str]:
    """The module or class that holds the thing named `module:qualified.name`, and the last part of that name."""
    module, _, qualified = name.partition(":")
    owner: Any = importlib.import_module(module)
    *path, last = qualified.split(".")
    for each in path:
        owner = getattr(owner, each)
    return owner, last


def install(flaw: Flaw) -> None:
    """Put the flaw in place. Fails if the product no longer has the function."""
    for name, value in flaw.constants.items():
        owner, last = owner_of(name)
        assert hasattr(owner, last), name
        setattr(owner, last, value)
    owner, last = owner_of(flaw.function)
    original: Callable[..., Any] = getattr(owner, last)
    calls = 0

    @functools.wraps(original)
    def flawed(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        counts = flaw.named is None or flaw.named in str(getattr(arguments[0], "name", arguments[0]))
        calls += counts
        is_now = counts and calls == flaw.nth
        if is_now and flaw.moment == "before" and flaw.happening != "cut short and killed":
            happen(flaw)
        result = original(*arguments, **options)
        if is_now and flaw.happening == "cut short and killed":
            path = Path(str(arguments[flaw.path_argument]))
            os.truncate(path, path.stat().st_size // 2)
            die()
        if is_now and flaw.moment == "after":
            happen(flaw)
        return result

    setattr(owner, last, flawed)


def happen(flaw: Flaw) -> None:
    match flaw.happening:
        case "killed":
            die()
        case "disk full":
            # The kernel refuses every further byte in any file, also from the engines' native code.
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            Path(flaw.flag).symlink_to("reached")
        case "paused":
            Path(flaw.flag).touch()
            while Path(flaw.flag).exists():
                time.sleep(0.01)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    install(Flaw.from_text(sys.argv[1]))
    sys.exit(command.main(sys.argv[2:]))
