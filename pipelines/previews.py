"""The first rows of a table as a person reads them in the web UI."""

from datetime import datetime

import dagster as dg
import polars as pl

ROWS_SHOWN = 5
MONTHS_SHOWN = 60
TEXT_SHOWN = 60
"""So many characters of a text are shown: a payload would fill the page."""


def preview(rows: pl.DataFrame, shown: int = MONTHS_SHOWN) -> dg.MarkdownMetadataValue:
    """The rows as a table, and how many there are besides."""
    lines = [
        f"| {' | '.join(rows.columns)} |",
        f"|{' --- |' * rows.width}",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows.head(shown).iter_rows()),
    ]
    if rows.height > shown:
        lines.append(f"\nand {rows.height - shown:,} more.")
    return dg.MetadataValue.md("\n".join(lines))


def table_preview(rows: pl.LazyFrame, *, last: bool = False) -> dg.MarkdownMetadataValue:
    """A few rows of a table: its first, or its last."""
    return preview((rows.tail(ROWS_SHOWN) if last else rows.head(ROWS_SHOWN)).collect())


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case float():
            return f"{value:,.4f}".rstrip("0").rstrip(".")
        case datetime():
            return f"{value:%Y-%m-%d %H:%M}"
        case _:
            text = " ".join(str(value).split()).replace("|", "\\|")
            return text if len(text) <= TEXT_SHOWN else f"{text[:TEXT_SHOWN]}…"
