from collections.abc import Callable

import polars as pl
import pytest

from transforms.vendors import STAGINGS

RowsBuilder = Callable[..., pl.DataFrame]


def test_a_session_that_cannot_be_decoded_keeps_the_id_that_the_raw_log_gives(raw_rows: RowsBuilder) -> None:
    raw = raw_rows("zaptec", "sessions", {"id": "a", "energyDetails": 7}).with_columns(object_id=pl.lit("a"))
    staged = STAGINGS["zaptec", "sessions"].stage(raw, "UTC")
    assert staged.select("session_id", "reason").row(0) == ("a", "unreadable")


@pytest.mark.parametrize(("vendor", "endpoint"), sorted(STAGINGS))
def test_every_endpoint_gives_its_schema_even_without_rows(raw_rows: RowsBuilder, vendor: str, endpoint: str) -> None:
    staging = STAGINGS[vendor, endpoint]
    schema = staging.table.schema.create_empty().schema
    assert staging.stage(raw_rows(vendor, endpoint), "UTC").schema == schema
    assert staging.stage(raw_rows(vendor, endpoint, "odd"), "UTC").schema == schema


@pytest.mark.parametrize(
    ("vendor", "endpoint"), sorted(key for key, staging in STAGINGS.items() if staging.table.name != "staged_session")
)
def test_dimension_objects_that_cannot_be_named_are_left_out(raw_rows: RowsBuilder, vendor: str, endpoint: str) -> None:
    assert STAGINGS[vendor, endpoint].stage(raw_rows(vendor, endpoint, "odd", {}, []), "UTC").height == 0
