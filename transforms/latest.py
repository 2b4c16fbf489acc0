"""Several versions of one object: which one counts, and whether a received row is new, changed or unchanged."""

import polars as pl

from transforms.fingerprints import id_or_fingerprint

_SESSION = ["vendor", "session_id"]


def winning_versions(versions: pl.DataFrame) -> pl.DataFrame:
    """The winning version of each session, out of StagedSession rows with any number of versions per session.

    The newest by the vendor's own clock wins (one without a clock is the oldest), then the later request, then closed
    before open, then the larger content hash; versions that still tie are one that was read twice. `first_read_at` is
    the earliest of all versions. A location that a scope named is that of the newest run in which one did: the session
    may have come through a scope that names none as well. The result never depends on the order of rows or batches.
    """
    newest_first = [
        pl.col("version_at"),
        pl.col("requested_at"),
        ~pl.col("is_open"),
        pl.col("content_hash"),
        pl.col("read_at"),
        pl.col("scope"),
    ]
    winners = (
        versions.with_columns(pl.col("first_read_at").min().over(_SESSION))
        .sort([*_SESSION, *newest_first], descending=[False, False, *[True] * len(newest_first)], nulls_last=True)
        .unique(_SESSION, keep="first", maintain_order=True)
    )
    located = (
        versions.filter(pl.col("located_at").is_not_null())
        .sort("located_at", "location_id", descending=[True, False])
        .unique(_SESSION, keep="first", maintain_order=True)
        .select(*_SESSION, location="location_id", latest="located_at")
    )
    return (
        winners.join(located, on=_SESSION, how="left", maintain_order="left")
        .with_columns(location_id=pl.coalesce("location", "location_id"), located_at="latest")
        .select(versions.columns)
    )


def classify_receipts(known: pl.DataFrame, received: pl.DataFrame) -> pl.DataFrame:
    """`received` with `outcome`: `new`, `changed` or `unchanged`, compared with the version before.

    `known`: vendor, object_id, content_hash of the winning version, at most one per object. `received`: the same
    columns, load_number, requested_at and position (its place in the answer), and any others. Rows of one object are
    compared in the order of these three, so the result is the same whether loads are processed one by one or together.
    An object without an id is identified by its content alone.
    """
    before = known.select("vendor", pl.Series("object", id_or_fingerprint(known, pl.col("object_id"))), "content_hash")
    classified = (
        received.with_columns(id_or_fingerprint(received, pl.col("object_id")).alias("object"))
        .with_row_index("row")
        .join(before, on=["vendor", "object"], how="left", suffix="_known")
        .sort("vendor", "object", "load_number", "requested_at", "position", "content_hash")
        .with_columns(
            content_hash_before=pl.coalesce(
                pl.col("content_hash").shift().over("vendor", "object"), "content_hash_known"
            )
        )
        .with_columns(
            outcome=pl.when(pl.col("content_hash_before").is_null())
            .then(pl.lit("new"))
            .when(pl.col("content_hash_before") == pl.col("content_hash"))
            .then(pl.lit("unchanged"))
            .otherwise(pl.lit("changed"))
        )
        .sort("row")
    )
    return classified.select(*received.columns, "outcome")
