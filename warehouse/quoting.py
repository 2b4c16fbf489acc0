"""Names, paths and texts as parts of SQL: they are data, whatever characters they hold."""

from collections.abc import Iterable


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    return f"[{', '.join(literal(text) for text in texts)}]"
