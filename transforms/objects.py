"""Decodes JSON objects into columns, such that one malformed object never spoils the others."""

from collections.abc import Collection
from dataclasses import dataclass

import orjson
import polars as pl
from polars.datatypes import DataTypeClass

_ROWS_AT_ONCE = 2_048
"""Polars decodes a column as one piece, on one core, and the cost of a row grows with the size of the piece."""


def decode_objects(payload: pl.Series, fields: pl.Struct, essential: Collection[str]) -> pl.DataFrame:
    """Decode JSON objects of one declared shape.

    `payload` holds one JSON object per row; `fields` declares the fields to read, every leaf as pl.String, since
    vendors write the same number sometimes as a number, sometimes as text. Fields that are absent are NULL, fields that
    are not declared are ignored. A field in another shape than declared (an object where text is expected) is NULL too,
    unless it is `essential`.

    Columns: the fields, and `is_decodable`, which is False where the payload is not a JSON object or holds an essential
    field in another shape; all fields of such a row are NULL. One row per payload, in the same order.
    """
    shape = _Shape(fields, frozenset(essential))
    rows = payload.fill_null("null").rename("payload").to_frame().with_row_index("row")
    objects = pl.concat(
        [pl.Series("object", [], dtype=fields), *_decoded(list(rows.iter_slices(_ROWS_AT_ONCE)), shape)]
    )
    return objects.to_frame().select(pl.col("object").struct.unnest(), is_decodable=pl.col("object").is_not_null())


@dataclass(frozen=True)
class _Shape:
    """The fields that are read of an object, and those without which the object means nothing."""

    fields: pl.Struct
    essential: frozenset[str]


def _decoded(pieces: list[pl.DataFrame], shape: _Shape) -> list[pl.Series]:
    """The decoded objects, in order. A piece that cannot be decoded is decoded again without the misshapen fields; if
    that fails too, it is halved until only the offending rows are left."""
    parts: list[pl.Series] = []
    for piece, objects in zip(pieces, _decoded_together(pieces, shape.fields), strict=True):
        parts.extend(_repaired(piece, shape) if objects is None else [objects])
    return parts


def _decoded_together(pieces: list[pl.DataFrame], fields: pl.Struct) -> list[pl.Series | None]:
    """The decoded objects of each piece; None for a piece that holds something else than one object of these fields for
    each row.

    Polars decodes a column as one JSON array: a payload that is cut off, empty or holds two objects may join or split
    rows. So each payload is decoded inside an object that carries its row number, which reveals that.
    """
    numbered = pl.concat_str(
        pl.lit('{"row":'), pl.col("row").cast(pl.String), pl.lit(',"object":'), pl.col("payload"), pl.lit("}")
    )
    decoding = numbered.str.json_decode(pl.Struct({"row": pl.UInt32, "object": fields})).struct.unnest()
    try:
        decoded = pl.collect_all([piece.lazy().select(decoding) for piece in pieces])
    except pl.exceptions.ComputeError:
        return [None] if len(pieces) == 1 else [each for piece in pieces for each in _decoded_together([piece], fields)]
    return [
        objects.get_column("object") if objects.get_column("row").equals(piece.get_column("row")) else None
        for piece, objects in zip(pieces, decoded, strict=True)
    ]


def _repaired(piece: pl.DataFrame, shape: _Shape) -> list[pl.Series]:
    payloads = [_without_misfits(payload, shape) for payload in piece.get_column("payload")]
    repaired = piece.with_columns(payload=pl.Series(payloads, dtype=pl.String))
    [objects] = _decoded_together([repaired], shape.fields)
    if objects is not None:
        return [objects]
    if piece.height == 1:
        return [pl.Series("object", [None], dtype=shape.fields)]
    middle = piece.height // 2
    return _decoded([repaired[:middle], repaired[middle:]], shape)


def _without_misfits(payload: str, shape: _Shape) -> str:
    """The object without its fields in another shape; `null` if one of these is essential, or if it is no object."""
    try:
        item = orjson.loads(payload)
        if not isinstance(item, dict):
            return "null"
        declared = [field for field in shape.fields.fields if field.name in item]
        misfits = {field.name for field in declared if not _fits(item[field.name], field.dtype)}
        if not misfits:
            return payload
        if misfits & shape.essential:
            return "null"
        return orjson.dumps({field.name: item[field.name] for field in declared if field.name not in misfits}).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return "null"


def _fits(value: object, dtype: pl.DataType | DataTypeClass) -> bool:
    """Whether a JSON value has the shape that is declared, down to every leaf; null has any."""
    if value is None:
        return True
    if isinstance(dtype, pl.List):
        return isinstance(value, list) and all(_fits(element, dtype.inner) for element in value)
    if isinstance(dtype, pl.Struct):
        return isinstance(value, dict) and all(_fits(value.get(each.name), each.dtype) for each in dtype.fields)
    return not isinstance(value, dict | list)
