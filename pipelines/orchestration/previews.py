"""The first rows of a table, formatted for people in the web UI.

A preview stays in Dagster's history, from which no person can be erased, so nothing in it leads to one.
"""

from datetime import datetime

import dagster as dg
import polars as pl

from pipelines.personal_data import without_pseudonyms
from pipelines.vendors import ENDPOINTS

ROWS_SHOWN = 5
"""Rows shown of a table: enough to see what they look like."""

MONTHS_SHOWN = 60
"""The most rows shown of a list by month: five years."""

TEXT_SHOWN = 60
"""Characters shown of a text: a whole payload would fill the page."""

OF_PERSONS = {vendor for vendor, endpoints in ENDPOINTS.items() if any(each.is_personal for each in endpoints)}
"""The vendors whose objects are the persons' own: their vehicles and homes."""

OWN_COLUMNS = ("user_id", "vehicle_id", "location_id")
"""The columns that lead to a person in a row of these vendors."""


def preview(rows: pl.DataFrame) -> dg.MarkdownMetadataValue:
    """The first rows as a table, and how many more there are."""
    return dg.MetadataValue.md(markdown_table(rows, MONTHS_SHOWN, longest_text=TEXT_SHOWN))


def table_preview(rows: pl.LazyFrame, *, last: bool = False) -> dg.MarkdownMetadataValue:
    """A few rows of a table: its first, or its last."""
    rows = _leading_to_nobody(rows)
    return preview((rows.tail(ROWS_SHOWN) if last else rows.head(ROWS_SHOWN)).collect())


def _leading_to_nobody(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Sessions without the persons' own objects, and no such objects."""
    names = rows.collect_schema().names()
    own = [name for name in OWN_COLUMNS if name in names]
    if not own:
        return rows
    is_own = pl.col("vendor").is_in(OF_PERSONS)
    if "session_id" in names:
        return rows.with_columns(pl.when(~is_own).then(name).alias(name) for name in own)
    return rows.filter(~is_own)


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
                text = without_pseudonyms(text)
                return text if longest_text is None or len(text) <= longest_text else f"{text[:longest_text]}…"

    lines = [
        f"| {' | '.join(rows.columns)} |",
        f"|{' --- |' * rows.width}",
        *(f"| {' | '.join(map(cell, row))} |" for row in rows.head(shown).iter_rows()),
    ]
    if rows.height > shown:
        lines.append(f"\nand {rows.height - shown:,} more.")
    return "\n".join(lines)
