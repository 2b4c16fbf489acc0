"""Decodes JSON objects into columns, such that one malformed object never spoils the others."""

import polars as pl

_ROWS_AT_ONCE = 2_048
"""Polars decodes a column as one piece, on one core, and the cost of a row grows with the size of the piece."""


def decode_objects(payload: pl.Series, fields: pl.Struct) -> pl.DataFrame:
    """Decode JSON objects of one declared shape.

    `payload` holds one JSON object per row; `fields` declares the fields to read, every leaf as pl.String, since
    vendors write the same number sometimes as a number, sometimes as text. Fields that are absent are NULL, fields that
    are not declared are ignored.

    Columns: the fields, and `is_decodable`, which is False where the payload is not a JSON object or holds a declared
    field in another shape (an object where text is expected); all fields of such a row are NULL. One row per payload,
    in the same order.
    """
    objects = pl.concat(
        [pl.Series("object", [], dtype=fields), *_decoded(list(_numbered(payload).iter_slices(_ROWS_AT_ONCE)), fields)]
    )
    return objects.to_frame().select(pl.col("object").struct.unnest(), is_decodable=pl.col("object").is_not_null())


def _numbered(payload: pl.Series) -> pl.DataFrame:
    """Each payload inside an object that carries its row number.

    Polars decodes a column as one JSON array: a payload that is cut off, empty or holds two objects may join or split
    rows, and only the row numbers reveal that.
    """
    numbered = pl.concat_str(
        pl.lit('{"row":'), pl.col("row").cast(pl.String), pl.lit(',"object":'), pl.col("payload"), pl.lit("}")
    )
    return (
        payload.fill_null("null")
        .rename("payload")
        .to_frame()
        .with_columns(row=pl.int_range(pl.len()))
        .select("row", numbered=numbered)
    )


def _decoded(pieces: list[pl.DataFrame], fields: pl.Struct) -> list[pl.Series]:
    """The decoded objects, in order. A piece that cannot be decoded is halved until only the offending rows are
    left."""
    numbered = pl.Struct({"row": pl.Int64, "object": fields})
    try:
        decoded = pl.collect_all(
            [piece.lazy().select(pl.col("numbered").str.json_decode(numbered).struct.unnest()) for piece in pieces]
        )
    except pl.exceptions.ComputeError:
        if len(pieces) > 1:
            return [part for piece in pieces for part in _decoded([piece], fields)]
        return _halved(pieces[0], fields)
    parts: list[pl.Series] = []
    for piece, objects in zip(pieces, decoded, strict=True):
        is_whole = objects.get_column("row").equals(piece.get_column("row"))
        parts.extend([objects.get_column("object")] if is_whole else _halved(piece, fields))
    return parts


def _halved(piece: pl.DataFrame, fields: pl.Struct) -> list[pl.Series]:
    if piece.height == 1:
        return [pl.Series("object", [None], dtype=fields)]
    middle = piece.height // 2
    return _decoded([piece[:middle], piece[middle:]], fields)
