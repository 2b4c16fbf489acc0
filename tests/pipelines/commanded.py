"""What came of a command that was run in this process, and the line that ends one which cannot begin."""

from collections.abc import Callable

Told = tuple[int, str, str]
"""Exit status, stdout and stderr."""

Run = Callable[..., Told]
"""Runs a command: its arguments, and by name the only variables of its environment."""


def complaint(told: Told, status: int) -> str:
    """The one line on stderr that ends a command which cannot begin."""
    assert told[0] == status
    lines = told[2].strip().splitlines()
    assert len(lines) == 1, told[2]
    assert lines[0].startswith("chargehouse: ")
    return lines[0]
