"""The first rows of a table as a person reads them in the web UI."""

from datetime import datetime

import dagster as dg
import polars as pl

from pipelines.personal_data import PSEUDONYM

ROWS_SHOWN = 5
"""Of a table: enough to see what its rows look like."""

MONTHS_SHOWN = 60
"""Rows of a list by month, at most: five years."""

TEXT_SHOWN = 60
"""So many characters of a text are shown: a payload would fill the page."""


def preview(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows as a table, and how many there are besides."""
    return dg.MetadataValue.md(markdown_table(rows, MONTHS_SHOWN, longest_text=TEXT_SHOWN))


def table_preview(rows: pl.LazyFrame, *, last: bool = False) -> dg.MarkdownMetadataValue:
    """A few rows of a table: its first, or its last."""
    return preview((rows.tail(ROWS_SHOWN) if last else rows.head(ROWS_SHOWN)).collect())


def markdown_table(
    rows: pl.DataFrame, shown: int, *, instants: str = "%Y-%m-%d %H:%M", longest_text: int | None = None
) -> str:
    """The first `shown` rows as a table, and how many there are besides.

    `instants`: how an instant is written. `longest_text`: so many characters of a text are shown; all by default.
    """

    def cell(value: object) -> str:
        match value:
            case None:
                return ""
            case float():
                return f"{value:,.4f}".rstrip("0").rstrip(".")
            case datetime():
                return value.strftime(instants)
            case _:
                text = " ".join(str(value).split()).replace("|", "\\|")
                # What is shown stays in Dagster's history, in which nobody can be forgotten.
                text = PSEUDONYM.sub("(pseudonym)", text)
                return text if longest_text is None or len(text) <= longest_text else f"{text[:longest_text]}…"

    lines = [
        f"| {' | '.join(rows.columns)} |",
        f"|{' --- |' * rows.width}",
        *(f"| {' | '.join(map(cell, row))} |" for row in rows.head(shown).iter_rows()),
    ]
    if rows.height > shown:
        lines.append(f"\nand {rows.height - shown:,} more.")
    return "\n".join(lines)
