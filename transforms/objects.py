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
    are not declared are ignored. A field in another shape than declared (an object where text is expected) is NULL too.

    Columns: the fields, and `is_decodable`, which is False where the payload is not a JSON object (all fields are NULL)
    or holds an `essential` field in another shape. One row per payload, in the same order.
    """
    shape = _Shape(fields, frozenset(essential))
    rows = payload.fill_null("null").rename("payload").to_frame().with_row_index("row")
    decoded = pl.concat([_nothing_decoded(fields), *_decoded(list(rows.iter_slices(_ROWS_AT_ONCE)), shape)])
    return decoded.select(pl.col("object").struct.unnest(), "is_decodable")


@dataclass(frozen=True)
class _Shape:
    """The fields that are read of an object, and those without which the object means nothing."""

    fields: pl.Struct
    essential: frozenset[str]


def _nothing_decoded(fields: pl.Struct) -> pl.DataFrame:
    return pl.DataFrame(schema={"object": fields, "is_decodable": pl.Boolean})


def _decoded(pieces: list[pl.DataFrame], shape: _Shape) -> list[pl.DataFrame]:
    """`object` and `is_decodable` of the rows of all pieces, in order. A piece that cannot be decoded is decoded again
    without the misshapen fields."""
    parts: list[pl.DataFrame] = []
    for piece, objects in zip(pieces, _decoded_together(pieces, shape.fields), strict=True):
        if objects is None:
            parts.extend(_decoded_in_halves(_repaired(piece, shape), shape.fields))
        else:
            parts.append(objects.to_frame().select("object", is_decodable=pl.col("object").is_not_null()))
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


def _repaired(piece: pl.DataFrame, shape: _Shape) -> pl.DataFrame:
    """The piece without misshapen fields, and `is_whole`, which is False where one of those is essential."""
    repaired = [_without_misfits(payload, shape) for payload in piece.get_column("payload")]
    return piece.with_columns(
        payload=pl.Series([payload for payload, _ in repaired], dtype=pl.String),
        is_whole=pl.Series([is_whole for _, is_whole in repaired], dtype=pl.Boolean),
    )


def _without_misfits(payload: str, shape: _Shape) -> tuple[str, bool]:
    """The object without its fields in another shape (`null` if it is no object), and whether none of those is
    essential."""
    try:
        item = orjson.loads(payload)
        if not isinstance(item, dict):
            return "null", False
        declared = [field for field in shape.fields.fields if field.name in item]
        misfits = {field.name for field in declared if not _fits(item[field.name], field.dtype)}
        if not misfits:
            return payload, True
        fitting = {field.name: item[field.name] for field in declared if field.name not in misfits}
        return orjson.dumps(fitting).decode(), not misfits & shape.essential
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return "null", False


def _decoded_in_halves(piece: pl.DataFrame, fields: pl.Struct) -> list[pl.DataFrame]:
    """`object` and `is_decodable` of the rows of a repaired piece, halved until only the offending rows are left."""
    [objects] = _decoded_together([piece], fields)
    if objects is not None:
        is_decodable = pl.col("object").is_not_null() & piece.get_column("is_whole")
        return [objects.to_frame().select("object", is_decodable=is_decodable)]
    if piece.height == 1:
        return [_nothing_decoded(fields).clear(1).with_columns(is_decodable=pl.lit(False))]
    middle = piece.height // 2
    return [*_decoded_in_halves(piece[:middle], fields), *_decoded_in_halves(piece[middle:], fields)]


def _fits(value: object, dtype: pl.DataType | DataTypeClass) -> bool:
    """Whether a JSON value has the shape that is declared, down to every leaf; null has any."""
    if value is None:
        return True
    if isinstance(dtype, pl.List):
        return isinstance(value, list) and all(_fits(element, dtype.inner) for element in value)
    if isinstance(dtype, pl.Struct):
        return isinstance(value, dict) and all(_fits(value.get(each.name), each.dtype) for each in dtype.fields)
    return not isinstance(value, dict | list)
