"""The faults that the warehouse foresees. Every message is one line; it says what to do, except for DuckDB's own
messages about a query, which are passed on."""

import re

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class WarehouseError(Exception):
    """A foreseeable fault of the lake, the publication or a query."""


class LakeError(WarehouseError):
    """A table cannot be read or written as asked; the stored version is untouched."""


class PublicationError(WarehouseError):
    """The DuckDB file could not be built; the published one, if any, is untouched."""


class QueryError(WarehouseError):
    """A query cannot be answered: nothing is published yet, or the SQL is wrong or would write."""


class StatementError(QueryError):
    """The SQL is not a single read-only statement."""


def reason(fault: Exception) -> str:
    """The message of an engine's error in one line, without terminal colour codes."""
    return " ".join(COLOUR.sub("", str(fault)).split())
