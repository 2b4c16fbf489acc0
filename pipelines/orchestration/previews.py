"""The first rows of a table, formatted for people in the web UI."""

from datetime import datetime

import dagster as dg
import polars as pl

from pipelines.personal_data import PSEUDONYM

ROWS_SHOWN = 5
"""Rows shown of a table: enough to see what they look like."""

MONTHS_SHOWN = 60
"""The most rows shown of a list by month: five years."""

TEXT_SHOWN = 60
"""Characters shown of a text: a whole payload would fill the page."""


def preview(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows as a table, and how many more there are."""
    return dg.MetadataValue.md(markdown_table(rows, MONTHS_SHOWN, longest_text=TEXT_SHOWN))


def table_preview(rows: pl.LazyFrame, *, last: bool = False) -> dg.MarkdownMetadataValue:
    """A few rows of a table: its first, or its last."""
    return preview((rows.tail(ROWS_SHOWN) if last else rows.head(ROWS_SHOWN)).collect())


def markdown_table(
    rows: pl.DataFrame, shown: int, *, instants: str = "%Y-%m-%d %H:%M", longest_text: int | None = None
) -> str:
    """The first `shown` rows as a table, and how many more there are.

    `instants`: the format of an instant. `longest_text`: how many characters of a text are shown; all by default.
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
                # A preview stays in Dagster's history, from which no person can be erased.
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
