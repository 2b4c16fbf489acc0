"""Names, paths and texts as parts of SQL: they are data, whatever characters they hold."""

from collections.abc import Iterable


def identifier(name: str) -> str:
    """The name of a table or column, in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """The text as a value, in single quotes; NULL for None."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """The texts as a list value."""
    return f"[{', '.join(literal(text) for text in texts)}]"
