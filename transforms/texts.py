"""Ids, words and flags out of decoded text."""

import polars as pl


def text_or_null(text: pl.Expr) -> pl.Expr:
    """The text, NULL where it is empty: vendors write an absent id sometimes as null, sometimes as empty text."""
    return pl.when(text.str.len_bytes() > 0).then(text)


def flag(text: pl.Expr) -> pl.Expr:
    """True where a decoded JSON value says true; False for everything else, absent included."""
    return (text.str.to_lowercase() == "true").fill_null(False)


def scoped_id(scope: pl.Expr, kind: str) -> pl.Expr:
    """The id in a scope such as `park:8812`, where the scope is of this kind; else NULL."""
    prefix = f"{kind}:"
    return text_or_null(pl.when(scope.str.starts_with(prefix)).then(scope.str.strip_prefix(prefix)))
