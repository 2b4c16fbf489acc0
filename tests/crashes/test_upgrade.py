"""An upgrade that finds tables of the previous version (F33) rebuilds them from the raw log, and the run says so."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import dataframely as dy
import polars as pl
import pytest

from pipelines import command
from pipelines.tables.lakes import BUILT, CONSUMED, NEWS, TIME_ZONE, Lakes
from pipelines.tables.upgrade import RECORD, outdated_tables, refuse_outdated, upgrade
from tests.crashes.conftest import REFRESHES
from tests.crashes.house import House
from transforms.edition import EDITION
from warehouse.editions import can_carry_over, fingerprint
from warehouse.errors import LakeError
from warehouse.lake import Lake
from warehouse.tables import (
    COVERAGE,
    DIM_CHARGE_STATION,
    FACT_ENERGY,
    FACT_SESSION,
    LOAD_AUDIT,
    STAGED_LOCATION,
    STAGED_SESSION,
    TABLES,
    TOUCHED_MONTH,
)
from warehouse.tables.table import Table


def with_columns(table: Table, columns: Mapping[str, dy.Column]) -> Table:
    """The table as declared by a version of the product that had these columns."""
    return replace(table, schema=type(table.schema.__name__, (dy.Schema,), dict(columns)))


def lacking(table: Table, column: str) -> Table:
    return with_columns(table, {name: each for name, each in table.schema.columns().items() if name != column})


def written_as(house: House, older: Table) -> None:
    """Rewrite the stored rows of a table as the older version of it would have written them."""
    [table] = [each for each in TABLES if each.name == older.name]
    lake = lake_of(house, table)
    marks = {name: mark for name in (BUILT, CONSUMED, NEWS, TIME_ZONE) if (mark := lake.mark(table, name)) is not None}
    types = {name: column.dtype for name, column in older.schema.columns().items()}
    rows = lake.scan(table).collect().select(pl.col(name).cast(dtype) for name, dtype in types.items())
    months = {file.month for file in lake.files(table)}
    lake.forget(table)
    if table.partitioned_by_month:
        lake.replace_months(older, rows, months, marks)
    else:
        lake.replace(older, rows, marks)
    assert set(lake.snapshot(table).columns) == set(types)  # type: ignore[union-attr]


def lake_of(house: House, table: Table) -> Lake:
    lakes = Lakes.below(house.data)
    return lakes.staging if table.group == "staging" else lakes.published


def without_a_record(house: House) -> None:
    (house.data / "lake" / RECORD).unlink()


def recorded_as_older(house: House, *tables: Table) -> None:
    record = house.data / "lake" / RECORD
    text = record.read_text()
    for table in tables:
        text = text.replace(fingerprint(table), "0" * 16)
    record.write_text(text)


OLDER: Mapping[str, tuple[Table, ...]] = {
    "staged columns were fewer": (lacking(STAGED_SESSION, "evse_uid"), lacking(STAGED_LOCATION, "country")),
    "a fact's columns were fewer": (lacking(FACT_SESSION, "idle_seconds"),),
    "a fact lacked a column that allows no NULL": (lacking(FACT_ENERGY, "method"),),
    "a fact's column had another type": (
        with_columns(FACT_ENERGY, {**FACT_ENERGY.schema.columns(), "energy_kwh": dy.Float64(nullable=True)}),
    ),
    "a dimension's columns were fewer": (lacking(DIM_CHARGE_STATION, "location_id"),),
    "the audit lacked a column that allows no NULL": (lacking(LOAD_AUDIT, "rows_rejected"),),
    "the touched months were not numbered": (lacking(TOUCHED_MONTH, "number"),),
}


@pytest.mark.parametrize(
    ("older", "is_recorded"),
    [
        ("staged columns were fewer", False),
        *(
            pytest.param(older, True, marks=[] if older == "a fact's columns were fewer" else [pytest.mark.long])
            for older in OLDER
        ),
    ],
)
def test_a_lake_of_an_older_version_becomes_that_of_this_one(house: House, older: str, is_recorded: bool) -> None:
    for table in OLDER[older]:
        written_as(house, table)
    if is_recorded:
        recorded_as_older(house, *[table for table in TABLES if table.name in {each.name for each in OLDER[older]}])
    else:
        without_a_record(house)
    assert house.refresh(REFRESHES[1]) == command.DONE
    house.assert_equals_the_truth(REFRESHES[:2])
    assert outdated_tables(Lakes.below(house.data)) == []
    assert house.refresh(REFRESHES[2]) == command.DONE
    house.assert_equals_the_truth(REFRESHES)


def test_status_tells_of_a_lake_that_an_older_version_wrote(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    assert house.run("status") == command.DONE
    told = capfd.readouterr().out
    written_as(house, lacking(COVERAGE, "is_asked"))
    assert house.run("status") == command.DONE
    assert capfd.readouterr().out == told


def test_another_edition_of_the_transforms_builds_everything_anew(
    house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lakes = Lakes.below(house.data)
    months = lakes.staging.months(STAGED_SESSION)
    wrong = lakes.staging.scan(STAGED_SESSION, months).with_columns(pl.lit("wrong").alias("vendor_status")).collect()
    lakes.staging.replace_months(STAGED_SESSION, wrong, months)
    monkeypatch.setattr("pipelines.tables.upgrade.EDITION", EDITION + 1)
    assert house.refresh(REFRESHES[1]) == command.DONE
    assert "the lake was written by another version" in capfd.readouterr().err
    house.assert_equals_the_truth(REFRESHES[:2])
    assert house.refresh(REFRESHES[1]) == command.DONE
    assert "another version" not in capfd.readouterr().err


def test_a_lake_of_this_version_is_left_alone(house: House) -> None:
    lakes = Lakes.below(house.data)
    upgrade(lakes)
    news = lakes.staging.mark(STAGED_SESSION, NEWS)
    assert upgrade(lakes) == ()
    assert news is not None
    assert lakes.staging.mark(STAGED_SESSION, NEWS) == news


def test_an_empty_lake_is_of_this_version(new_house: House) -> None:
    lakes = Lakes.below(new_house.data)
    assert upgrade(lakes) == ()
    assert (new_house.data / "lake" / RECORD).exists()


def test_a_new_table_is_no_reason_to_build_the_others_anew(house: House) -> None:
    lakes = Lakes.below(house.data)
    record = house.data / "lake" / RECORD
    record.write_text(record.read_text().replace('"dim_user"', '"not_there"'))
    (house.data / "lake" / "dim_user").rename(house.data / "dim_user")
    assert upgrade(lakes) == ()


@pytest.mark.parametrize(
    "harm", ["{", *(pytest.param(harm, marks=pytest.mark.long) for harm in ("", "[]", '{"edition": "1"}'))]
)
def test_a_damaged_record_builds_everything_anew(house: House, harm: str) -> None:
    (house.data / "lake" / RECORD).write_text(harm)
    house.assert_converges(REFRESHES[:2])
    assert outdated_tables(Lakes.below(house.data)) == []


def test_an_upgrade_that_is_cut_off_is_made_good_by_the_next_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    written_as(house, lacking(FACT_ENERGY, "method"))
    without_a_record(house)
    for place in ("discard_staged", "_record"):
        with monkeypatch.context() as patched:
            patched.setattr(f"pipelines.tables.upgrade.{place}", _dies)
            with pytest.raises(KeyboardInterrupt):
                upgrade(Lakes.below(house.data))
    assert "fact_session" in upgrade(Lakes.below(house.data))
    house.assert_converges(REFRESHES[:2])


def _dies(*arguments: object) -> None:
    raise KeyboardInterrupt


def test_a_month_is_not_built_by_hand_from_an_older_lake(house: House) -> None:
    lakes = Lakes.below(house.data)
    refuse_outdated(lakes)
    without_a_record(house)
    with pytest.raises(LakeError, match="run `chargehouse refresh` or `chargehouse rebuild` first"):
        refuse_outdated(lakes)


CHANGES: Mapping[str, Callable[[dict[str, dy.Column]], Mapping[str, dy.Column]]] = {
    "another column": lambda columns: {**columns, "more": dy.String(nullable=True)},
    "a column less": lambda columns: dict(list(columns.items())[:-1]),
    "another type": lambda columns: {**columns, "method": dy.Int64(nullable=False)},
    "NULL allowed": lambda columns: {**columns, "method": dy.String(nullable=True)},
    "another key": lambda columns: {**columns, "method": dy.String(nullable=False, primary_key=True)},
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_fingerprint_tells_every_change_of_a_schema(change: str) -> None:
    columns = dict(FACT_ENERGY.schema.columns())
    assert fingerprint(with_columns(FACT_ENERGY, columns)) == fingerprint(FACT_ENERGY)
    assert fingerprint(with_columns(FACT_ENERGY, CHANGES[change](columns))) != fingerprint(FACT_ENERGY)
    assert fingerprint(replace(FACT_ENERGY, partitioned_by_month=False)) != fingerprint(FACT_ENERGY)


def test_rows_are_carried_over_where_the_new_columns_allow_it(house: House) -> None:
    lake = lake_of(house, FACT_ENERGY)
    columns = dict(FACT_ENERGY.schema.columns())
    assert can_carry_over(lake, FACT_ENERGY)
    assert can_carry_over(lake, with_columns(FACT_ENERGY, {**columns, "more": dy.String(nullable=True)}))
    assert not can_carry_over(lake, with_columns(FACT_ENERGY, {**columns, "more": dy.String(nullable=False)}))
    assert not can_carry_over(lake, with_columns(FACT_ENERGY, {**columns, "method": dy.Int64(nullable=True)}))
    assert not can_carry_over(lake, replace(FACT_ENERGY, partitioned_by_month=False))
    assert not can_carry_over(lake, replace(FACT_ENERGY, name="nothing_there"))
