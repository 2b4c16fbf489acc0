"""Which folders can hold a lake."""

UNREADABLE_IN_PATHS = "*?[=%"
"""Wildcards and partitions to the query engines; % is an escape character to the Delta log."""


def path_fault(path: str) -> str | None:
    """Why a lake cannot lie at this path, or None."""
    if "://" in path:
        return "object stores are not supported yet; choose a local folder"
    unreadable = [character for character in UNREADABLE_IN_PATHS if character in path]
    return f"choose a folder without {' '.join(unreadable)} in its path" if unreadable else None
