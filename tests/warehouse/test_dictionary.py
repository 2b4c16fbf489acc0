"""Every declared table and column is described, and the data dictionary shows them all."""

import polars as pl
import pytest

from warehouse import dictionary
from warehouse.column_types import duckdb_type, polars_schema, unit
from warehouse.tables import PUBLISHED_TABLES, TABLES

ORDINALS = {"number", "content_hash"}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_and_column_is_described(table):
    assert table.description.endswith(".")
    assert table.schema.primary_key()
    for name, column in table.schema.columns().items():
        assert column.description, name
        if column.dtype.is_numeric() and name not in ORDINALS:
            assert unit(column), f"{name} is a measure without a unit"
        if isinstance(column.dtype, pl.Datetime):
            assert unit(column) == "UTC", name


def test_the_dictionary_has_every_table_and_column():
    lines = dictionary.data_dictionary().splitlines()
    assert "`make documents`" in lines[0]
    for table in PUBLISHED_TABLES:
        assert f"## {table.name}" in lines or f"## ops.{table.name}" in lines
        for name, dtype in polars_schema(table).items():
            assert any(line.startswith(f"| `{name}` | {duckdb_type(dtype)} |") for line in lines)


def test_a_cell_holds_no_line_break_and_no_bare_bar():
    for line in dictionary.data_dictionary().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 6


def test_the_dictionary_is_fresh():
    assert dictionary.main(["--check"]) == 0


def test_a_stale_dictionary_is_said_to_be_stale_and_written_anew(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dictionary, "DICTIONARY_PATH", tmp_path / "docs" / "data-dictionary.md")
    assert dictionary.main(["--check"]) == 1
    assert "run `make documents`" in capsys.readouterr().err
    assert dictionary.main([]) == 0
    assert dictionary.main(["--check"]) == 0
