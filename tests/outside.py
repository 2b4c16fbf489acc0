"""What a test lets in of the environment and the settings of whoever runs it: nothing of Chargehouse's."""

import os

NO_FILE = {"CHARGEHOUSE_ENV_FILE": os.devnull}
"""Keeps a process from reading the developer's `.env`, which might name real vendors."""


def outside() -> dict[str, str]:
    """The environment of a Chargehouse that a test starts, before the variables that are its own."""
    return {**{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "TMPDIR")}, **NO_FILE}
