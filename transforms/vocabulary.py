"""The names in a vendor's answers: the fields of its objects, the words it uses, and which of them nobody reads."""

from collections.abc import Iterator

import polars as pl

from transforms.vendors import STAGINGS
from warehouse.tables.operations import Vocabulary

FIELD, WORD = "field", "word"

SEEN = pl.Schema(
    {
        "vendor": pl.String(),
        "endpoint": pl.String(),
        "kind": pl.String(),
        "name": pl.String(),
        "seen_at": pl.Datetime("us", "UTC"),
    }
)
"""A name that was seen: kind is field or word, seen_at the as-of instant of the run that saw it."""

_NAME = ["vendor", "endpoint", "kind", "name"]


def seen_fields(fields: pl.DataFrame) -> pl.DataFrame:
    """Fields that were seen (vendor, endpoint, field, seen_at) in the columns of SEEN, each once."""
    return _earliest(fields.with_columns(kind=pl.lit(FIELD), name="field"))


def seen_words(received: pl.DataFrame, staged: pl.DataFrame) -> pl.DataFrame:
    """Status words that no transform knows, in the columns of SEEN, each once.

    `received`: vendor and endpoint of raw rows; `staged`: their StagedSession rows, in the same order. Running sessions
    count too: an unknown word may be why a session is not seen to have ended.
    """
    words = pl.concat(
        [received.select("vendor", "endpoint"), staged.select("vendor_status", seen_at="read_at")], how="horizontal"
    ).join(_KNOWN, on=["vendor", "endpoint"], how="inner")
    is_known = pl.col("vendor_status").str.to_lowercase().is_in(pl.col("status_words"))
    return _earliest(
        words.filter(pl.col("vendor_status").is_not_null() & ~is_known).with_columns(
            kind=pl.lit(WORD), name=pl.concat_str("status_field", pl.lit("="), "vendor_status")
        )
    )


def new_vocabulary(known: pl.DataFrame, seen: pl.DataFrame) -> pl.DataFrame:
    """The names among `seen` (columns of SEEN) that are not in `known` (Vocabulary rows), to be appended to it."""
    fresh = _earliest(seen).join(known, on=_NAME, how="anti").rename({"seen_at": "first_seen_at"})
    return Vocabulary.cast(with_claims(fresh).select(Vocabulary.column_names())).sort(_NAME)


def with_claims(names: pl.DataFrame) -> pl.DataFrame:
    """`names` (rows with vendor, endpoint, kind and name) with is_claimed by today's transforms."""
    claimed = pl.DataFrame(list(_claimed()), schema=dict.fromkeys(_NAME, pl.String), orient="row")
    return names.join(claimed.with_columns(_claim=pl.lit(True)), on=_NAME, how="left").select(
        pl.exclude("_claim", "is_claimed"), is_claimed=pl.col("_claim").fill_null(False)
    )


def paths(fields: pl.Struct, prefix: str = "") -> Iterator[str]:
    """The dotted paths of all fields of an object, including those that contain others; lists add nothing to a path."""
    for field in fields.fields:
        path = prefix + field.name
        yield path
        inner = field.dtype
        while isinstance(inner, pl.List):
            inner = inner.inner
        if isinstance(inner, pl.Struct):
            yield from paths(inner, f"{path}.")


def _claimed() -> Iterator[tuple[str, str, str, str]]:
    for (vendor, endpoint), staging in STAGINGS.items():
        for path in paths(staging.fields):
            yield vendor, endpoint, FIELD, path


def _earliest(seen: pl.DataFrame) -> pl.DataFrame:
    return seen.group_by(_NAME).agg(pl.col("seen_at").min()).select(SEEN.names())


_KNOWN = pl.DataFrame(
    [
        (vendor, endpoint, staging.status_field, sorted(staging.status_words))
        for (vendor, endpoint), staging in STAGINGS.items()
        if staging.status_field is not None
    ],
    schema={
        "vendor": pl.String,
        "endpoint": pl.String,
        "status_field": pl.String,
        "status_words": pl.List(pl.String),
    },
    orient="row",
)
"""The endpoints whose sessions have a status word: the field that holds it, and the known words in lower case."""
