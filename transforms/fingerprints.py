"""Ids for objects that have none."""

import polars as pl


def no_id_fingerprint(content_hash: pl.Series) -> pl.Series:
    """`no-id-` and the content hash as 16 hexadecimal digits (unsigned): the id given to an object without one."""
    return pl.Series(
        content_hash.name, [f"no-id-{number % 2**64:016x}" for number in content_hash.to_list()], dtype=pl.String
    )


def id_or_fingerprint(frame: pl.DataFrame, object_id: pl.Expr) -> pl.Series:
    """Per row the id; where it is NULL, the fingerprint of `content_hash`."""
    ids = frame.select(id=object_id, hash="content_hash")
    # Objects without an id are rare: only their hashes are formatted.
    hashes = ids.filter(pl.col("id").is_null()).get_column("hash").unique()
    fingerprints = pl.col("hash").replace_strict(
        hashes, no_id_fingerprint(hashes), default=None, return_dtype=pl.String
    )
    return ids.select(pl.coalesce("id", fingerprints)).to_series()
