"""Versions of objects: which are worth keeping, and when each was valid."""

from collections.abc import Sequence

import polars as pl


def _content(attributes: Sequence[str]) -> pl.Expr:
    """All attributes as one text, so that nested ones compare and sort like the rest and NULL equals NULL."""
    return pl.struct(attributes).struct.json_encode()


def distinct_versions(
    known: pl.DataFrame, received: pl.DataFrame, key: Sequence[str], attributes: Sequence[str]
) -> pl.DataFrame:
    """The rows of `received` that are new versions, to be appended to `known`. Both are Staged dimension frames.

    Each is compared with the previous version of its key, known or received, in the order (version_at, requested_at): a
    version without a vendor's clock is new where an attribute differs, one with a clock also where version_at does. The
    two kinds are compared separately: a clock may later place a version between two that were read without one.
    """
    versions = pl.concat(
        [
            known.with_columns(is_received=pl.lit(False)),
            received.select(known.columns).with_columns(is_received=pl.lit(True)),
        ]
    ).with_columns(content=_content(attributes))

    def repeats(column: str) -> pl.Expr:
        return pl.col(column).eq_missing(pl.col(column).shift().over(*key, "is_clocked"))

    return (
        versions.sort(*key, "version_at", "requested_at", "content", "is_received")
        .filter(pl.col("is_received") & ~(repeats("content") & (~pl.col("is_clocked") | repeats("version_at"))))
        .select(known.columns)
    )


def with_validity(versions: pl.DataFrame, key: Sequence[str], attributes: Sequence[str]) -> pl.DataFrame:
    """The history of each key: key, attributes, valid_from, valid_to, is_current; without gaps or overlaps.

    Versions are in the order in which they begin; of several that begin at once, the last requested one counts; a
    version that changes nothing is part of the one before. valid_to is NULL and is_current True for the newest.
    """
    return (
        versions.with_columns(content=_content(attributes))
        .sort(*key, "version_at", "requested_at", "content")
        .with_columns(following=pl.col("version_at").shift(-1).over(*key))
        .with_columns(valid_from=_beginning(key))
        .sort(*key, "valid_from", "requested_at", "content")
        .unique([*key, "valid_from"], keep="last", maintain_order=True)
        .filter(pl.col("content").ne_missing(pl.col("content").shift().over(*key)))
        .select(
            *key,
            *attributes,
            "valid_from",
            valid_to=pl.col("valid_from").shift(-1).over(*key),
        )
        .with_columns(is_current=pl.col("valid_to").is_null())
    )


def _beginning(key: Sequence[str]) -> pl.Expr:
    """When a version begins: at its version_at. If the content changed but not the vendor's clock, the later version
    begins when it was read; if the clock had moved on by then, the later version replaces the earlier one. Needs rows
    ordered by key, version_at and requested_at."""
    version_at = pl.col("version_at")
    is_edit = (
        pl.col("is_clocked")
        & version_at.eq_missing(version_at.shift().over(*key))
        & pl.col("content").ne_missing(pl.col("content").shift().over(*key))
    )
    begins_at = pl.max_horizontal("version_at", "read_at")
    next_clock = pl.col("following").filter(pl.col("following") != version_at).first().over(*key, "version_at")
    is_in_time = (begins_at < next_clock).fill_null(True)
    return pl.when(is_edit & is_in_time).then(begins_at).otherwise(version_at).cum_max().over(*key, "version_at")
