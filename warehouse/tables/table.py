"""A table: its name, its schema and where it is published."""

from dataclasses import dataclass
from typing import Literal

import dataframely as dy


@dataclass(frozen=True)
class Table:
    """One table of the lake.

    `schema` declares its columns; everything said about a column anywhere (types, DuckDB comments, Dagster column
    metadata, the data dictionary) comes from there. The schema's docstring opens with the grain.
    """

    name: str
    schema: type[dy.Schema]
    group: Literal["facts", "dimensions", "operations", "staging"]
    partitioned_by_month: bool = False

    @property
    def database_schema(self) -> Literal["main", "ops", "staging"]:
        """The schema of the published DuckDB file that shows the table; `staging` is not published."""
        match self.group:
            case "operations":
                return "ops"
            case "staging":
                return "staging"
            case _:
                return "main"

    @property
    def is_published(self) -> bool:
        """Whether the DuckDB file shows the table."""
        return self.group != "staging"

    @property
    def description(self) -> str:
        """The schema's docstring as one paragraph: the grain first."""
        return " ".join((self.schema.__doc__ or "").split())
