"""Every yardstick does the work that it is measured for: all sessions, all kWh, both facts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks import environments, programs
from benchmarks.served import Served

AS_OF = datetime(2026, 4, 15, tzinfo=UTC)
DAYS = 100
READ_FROM = AS_OF - timedelta(days=DAYS + 20)
ENERGY_FIELDS = {"zaptec_sessions": "energy", "jedlix_sessions": "energyCharged", "greenflux_cdrs": "total_energy"}
"""The field that holds a session's energy. Smappee is missing: its energy is in one field or in two."""
SESSION_TABLES = (*ENERGY_FIELDS, "smappee_sessions")
LEAST_ENERGY = Decimal("0.000001")


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served("generated", AS_OF, 400, days=DAYS) as server:
        yield server


@pytest.fixture(scope="module")
def published(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Chargehouse publishes from the same pages."""
    data = tmp_path_factory.mktemp("data")
    programs.refresh(served, data, AS_OF, f"{READ_FROM:%Y-%m}")
    return data / "warehouse.duckdb"


def skip_unless_made(name: str) -> None:
    if not environments.is_made(name):
        pytest.skip(f"the environment of {name} has not been made; `make bench` makes it")


def query(sql: str, *files: Path) -> list[tuple[Any, ...]]:
    """The answer with the first file attached as `published` and a second one as `yardstick`."""
    with duckdb.connect() as connection:
        for name, file in zip(("published", "yardstick"), files, strict=False):
            connection.execute(f"ATTACH '{file}' AS {name} (READ_ONLY)")
        return connection.execute(sql).fetchall()


def received(published: Path) -> dict[str, int]:
    """Sessions by vendor in the three tables, without Smappee's running ones, which no yardstick asks for."""
    return dict(
        query(
            "SELECT vendor, count(*) FROM (FROM published.fact_session SELECT vendor UNION ALL "
            "FROM published.rejected_session SELECT vendor UNION ALL "
            "FROM published.open_session SELECT vendor WHERE vendor <> 'smappee') GROUP BY ALL",
            published,
        )
    )


def rows(place: str, *files: Path) -> dict[str, int]:
    """Rows by vendor; `place` is a template of the SQL source of a table's rows."""
    return {
        table.partition("_")[0]: query(f"SELECT count(*) FROM {place.format(table)}", *files)[0][0]
        for table in SESSION_TABLES
    }


def assert_kwh_are_whole(place: str, *files: Path) -> None:
    """Assert that the energy pulled for the sessions that count equals the published energy."""
    for table, field in ENERGY_FIELDS.items():
        vendor = table.partition("_")[0]
        pulled, counted = query(
            f"SELECT sum(TRY_CAST(pulled.{field} AS DECIMAL(14, 6))), sum(fact.energy_kwh) "
            f"FROM {place.format(table)} AS pulled "
            f"JOIN published.fact_session AS fact ON fact.vendor = '{vendor}' AND fact.session_id = pulled.id",
            *files,
        )[0]
        assert pulled == counted > 0


def test_the_floor_holds_every_session_in_typed_columns(served: Served, published: Path, tmp_path: Path) -> None:
    skip_unless_made("floor")
    objects = int(programs.floor(served, tmp_path, READ_FROM).output)
    assert query(f"SELECT count(*) FROM read_parquet('{tmp_path}/*.parquet', union_by_name = true)") == [(objects,)]
    place = f"'{tmp_path}/{{}}.parquet'"
    assert rows(place) == received(published)
    assert_kwh_are_whole(place, published)
    types = {name: kind for name, kind, *_ in query(f"DESCRIBE FROM {place.format('zaptec_sessions')}")}
    assert types["voided"] == "BOOLEAN"
    assert types["energyDetails"] == 'STRUCT("timestamp" VARCHAR, energy DOUBLE)[]'


@pytest.mark.parametrize("loader", ["insert_values", "parquet"])
def test_dlt_has_the_same_facts(served: Served, published: Path, tmp_path: Path, loader: str) -> None:
    skip_unless_made("dlt_declarative")
    programs.dlt_declarative(served, tmp_path, READ_FROM, loader)
    built = tmp_path / "yardstick.duckdb"
    by_vendor = "SELECT vendor, count(*), sum(energy_kwh) FROM {}.fact_session GROUP BY ALL ORDER BY ALL"
    assert query(by_vendor.format("yardstick"), published, built) == query(by_vendor.format("published"), published)
    slots, unmatched, most_apart = query(
        "SELECT count(*), count(*) FILTER (ours.method IS NULL OR theirs.method IS NULL), "
        "max(abs(ours.energy_kwh - theirs.energy_kwh)) FROM published.fact_energy AS ours "
        "FULL JOIN yardstick.fact_energy AS theirs USING (vendor, session_id, slot_start_at)",
        published,
        built,
    )[0]
    assert slots > 0
    assert unmatched == 0
    # The yardstick rounds every slot by itself.
    assert most_apart <= LEAST_ENERGY


def test_singer_has_pulled_every_session(served: Served, published: Path, tmp_path: Path) -> None:
    skip_unless_made("singer")
    programs.singer(served, tmp_path, READ_FROM)
    pulled = tmp_path / "yardstick.duckdb"
    assert rows("yardstick.raw.{}", published, pulled) == received(published)
    assert_kwh_are_whole("yardstick.raw.{}", published, pulled)
