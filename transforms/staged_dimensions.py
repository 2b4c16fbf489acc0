"""The part of staging a dimension object that is the same for every vendor, such as whose clock a version carries."""

from collections.abc import Mapping

import dataframely as dy
import polars as pl


def staged_dimension(
    raw: pl.DataFrame,
    decoded: pl.DataFrame,
    schema: type[dy.Schema],
    key: str,
    columns: Mapping[str, pl.Expr],
    clock: pl.Expr | None = None,
) -> pl.DataFrame:
    """Turns raw rows and their decoded fields into a frame of a Staged* dimension schema.

    `columns` gives every column but vendor and those about the version; `key` is the one that identifies the object:
    objects without it, or that cannot be decoded, are left out. `clock` is the vendor's own modification instant;
    without it, or where it is NULL, a version begins when it was read.
    """
    own_clock = pl.lit(None) if clock is None else clock
    objects = raw.hstack(decoded).filter("is_decodable")
    staged = objects.select(
        "vendor",
        "requested_at",
        **columns,
        version_at=pl.coalesce(own_clock, "as_of"),
        read_at="as_of",
        is_clocked=pl.repeat(False, pl.len()) if clock is None else clock.is_not_null(),
    ).filter(pl.col(key).is_not_null())
    return schema.cast(staged.select(schema.column_names()))
