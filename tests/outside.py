"""What a test takes over from the environment of whoever runs it: nothing that belongs to Chargehouse."""

import os

NO_FILE = {"CHARGEHOUSE_ENV_FILE": os.devnull}
"""Keeps a process from reading the developer's `.env`, which might name real vendors."""


def outside() -> dict[str, str]:
    """The environment of a Chargehouse that a test starts, to which the test adds variables of its own."""
    return {**{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}, **NO_FILE}
