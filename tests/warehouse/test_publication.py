"""The publication is a complete, consistent state that readers keep, whatever happens beside it."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dataframely as dy
import duckdb
import polars as pl
import pytest

from warehouse import columns
from warehouse.column_types import described, duckdb_type, polars_schema
from warehouse.errors import PublicationError
from warehouse.lake import Lake
from warehouse.publication import publish, published_files
from warehouse.tables import FACT_SESSION, PUBLISHED_TABLES, REJECTED_SESSION, STAGED_SESSION, Table

MARCH = datetime(2025, 3, 10, 8, tzinfo=UTC)
APRIL = datetime(2025, 4, 10, 8, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parents[2]
LONG_TYPES = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "warehouse.duckdb"


def select(path, sql):
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


def run(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("has_rows", [False, True], ids=["empty", "with rows"])
def test_every_published_table_has_its_columns_and_types(lake, path, has_rows):
    if has_rows:
        for table in PUBLISHED_TABLES:
            rows = table.schema.sample(3)
            if table.partitioned_by_month:
                rows = rows.with_columns(month=pl.lit("2025-03"))
            lake.replace(table, rows)
    publish(lake, path)
    for table in PUBLISHED_TABLES:
        name = f"{table.database_schema}.{table.name}"
        shown = [(column, kind) for column, kind, *_ in select(path, f"DESCRIBE {name}")]
        declared = [(column, duckdb_type(dtype)) for column, dtype in polars_schema(table).items()]
        assert shown == [(column, LONG_TYPES.get(kind, kind)) for column, kind in declared]
        assert select(path, f"SELECT count(*) FROM {name}") == [(3 if has_rows else 0,)]


def test_every_view_and_column_is_commented_with_its_unit(lake, path):
    publish(lake, path)
    views = select(path, "SELECT schema_name, view_name, comment FROM duckdb_views() WHERE NOT internal")
    assert set(views) == {(table.database_schema, table.name, table.description) for table in PUBLISHED_TABLES}
    shown = select(path, "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal")
    assert all(comment for _, _, comment in shown)
    declared = {
        (table.name, name, described(column))
        for table in PUBLISHED_TABLES
        for name, column in table.schema.columns().items()
    }
    assert declared <= set(shown)
    assert (
        "fact_energy",
        "energy_kwh",
        "Energy delivered in the slot. NULL if that of the session is NULL. [kWh]",
    ) in shown


def test_the_views_show_the_rows_as_they_are(lake, path, sessions, rejected):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    lake.append(REJECTED_SESSION, rejected("b", None, "2025-03", None))
    publication = publish(lake, path)
    assert (publication.rows["fact_session"], publication.rows["rejected_session"], publication.files) == (2, 3, 4)
    assert (publication.versions["fact_session"], publication.versions["fact_energy"]) == (1, None)
    columns = "month, started_at::VARCHAR, energy_kwh::VARCHAR, station_id"
    assert select(path, f"SELECT {columns} FROM fact_session ORDER BY month") == [
        ("2025-03", "2025-03-10 08:00:00+00", "12.345678", None),
        ("2025-04", "2025-04-10 08:00:00+00", "12.345678", None),
    ]
    assert select(path, "SELECT month FROM rejected_session ORDER BY month") == [
        ("2025-03",),
        (None,),
        (None,),
    ]


def test_a_month_is_read_from_its_own_files_alone(lake, path, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    publish(lake, path)
    for file in lake.files(FACT_SESSION):
        if file.month == "2025-04":
            Path(file.path).write_bytes(b"not parquet")
    assert select(path, "SELECT count(energy_kwh) FROM fact_session WHERE month = '2025-03'") == [(1,)]


class OlderSession(dy.Schema):
    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    month = columns.month("started_at")


def test_a_table_of_an_older_release_shows_null_in_its_new_columns(lake, path, sessions):
    older = Table(FACT_SESSION.name, OlderSession, FACT_SESSION.group, partitioned_by_month=True)
    lake.append(older, sessions("a", MARCH))
    publish(lake, path)
    assert select(path, "SELECT session_id, month, currency, energy_kwh FROM fact_session") == [
        ("a-0", "2025-03", None, None)
    ]


def test_published_files_are_those_of_the_published_version(lake, path, sessions):
    assert published_files(path) == set()
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    publish(lake, path)
    named = {file.path for file in lake.files(FACT_SESSION)}
    lake.replace(FACT_SESSION, sessions("b", MARCH))
    assert published_files(path) == named
    assert select(path, "SELECT DISTINCT table_name, table_version FROM ops.published_file") == [("fact_session", 1)]


def test_a_file_that_is_no_publication_is_said_to_be_none(path):
    path.write_text("something else")
    with pytest.raises(PublicationError, match="is not a published warehouse"):
        published_files(path)


def test_paths_are_data(tmp_path, sessions):
    folder = tmp_path / 'o\'Brien "& Söhne" #1; DROP'
    lake = Lake(folder / "lake")
    lake.append(FACT_SESSION, sessions("a", MARCH))
    publish(lake, folder / "new" / "ware'house.duckdb")
    assert select(folder / "new" / "ware'house.duckdb", "SELECT session_id FROM fact_session") == [("a-0",)]


def test_a_reader_in_another_process_keeps_the_publication_that_it_opened(lake, path, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    publish(lake, path)
    reader = run(
        """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=True)
for _ in sys.stdin:
    print(connection.execute("SELECT session_id FROM fact_session").fetchall(), flush=True)
""",
        path,
    )

    def asks():
        reader.stdin.write("\n")
        reader.stdin.flush()
        return reader.stdout.readline().strip()

    assert asks() == "[('old-0',)]"
    # This process reads it too: an open writer here would not allow that, and the reader would not allow a writer.
    assert len(published_files(path)) == 1
    lake.replace(FACT_SESSION, sessions("new", MARCH))
    publish(lake, path)
    lake.tidy(FACT_SESSION, keep=published_files(path))
    assert asks() == "[('old-0',)]"
    assert select(path, "SELECT session_id FROM fact_session") == [("new-0",)]
    reader.communicate()
    assert reader.returncode == 0


def test_a_killed_build_leaves_the_old_publication(lake, path, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    publish(lake, path)
    lake.replace(FACT_SESSION, sessions("new", MARCH))
    killed = run(
        """
import os, signal, sys
from warehouse import publication
from warehouse.lake import Lake
publication.flush = lambda path: os.kill(os.getpid(), signal.SIGKILL)
publication.publish(Lake(sys.argv[1]), sys.argv[2])
""",
        lake.root,
        path,
    )
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert select(path, "SELECT session_id FROM fact_session") == [("old-0",)]
    assert len(list(path.parent.glob("*.building*"))) == 1

    alive = path.with_name(f"{path.name}.{os.getppid()}-0.building")
    others = [path.with_name(f"{path.name}.notes.building"), path.with_name("999999999-0.building")]
    for kept in (alive, *others):
        kept.touch()
    # In a container, a process may have the same pid as the one before it.
    for ending in ("building", "building.wal"):
        path.with_name(f"{path.name}.{os.getpid()}-0.{ending}").touch()
    publish(lake, path)
    assert select(path, "SELECT session_id FROM fact_session") == [("new-0",)]
    assert set(path.parent.glob("*.building*")) == {alive, *others}


def test_a_build_that_fails_leaves_the_old_publication_and_nothing_beside_it(lake, path, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    publish(lake, path)
    before = path.read_bytes()
    file = Path(lake.files(FACT_SESSION)[0].path)
    file.write_bytes(b"x" * file.stat().st_size)
    with pytest.raises(PublicationError, match="could not be published; fix the cause and run again") as fault:
        publish(lake, path)
    assert "\n" not in str(fault.value)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.building*"))


def test_a_place_that_cannot_be_taken_is_told_and_nothing_is_left_beside_it(lake, path):
    path.mkdir()
    with pytest.raises(PublicationError, match="could not be published; fix the cause and run again"):
        publish(lake, path)
    assert list(path.parent.iterdir()) == [path]


def test_a_publication_is_on_the_disk_before_and_after_it_takes_its_place(lake, path, flushed, monkeypatch):
    monkeypatch.chdir(path.parent)
    assert publish(lake, path.name).path == path
    assert flushed == [path.stat().st_ino, path.parent.stat().st_ino]


@pytest.mark.parametrize("month", ["2025-03", "2025-04"])
def test_a_file_that_is_cut_short_is_not_published(lake, path, sessions, month):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    [file] = [Path(file.path) for file in lake.files(FACT_SESSION) if file.month == month]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(PublicationError, match="is missing or truncated: run `chargehouse rebuild`"):
        publish(lake, path)
    assert not path.exists()


def test_a_publication_can_be_opened_by_older_releases_of_duckdb(lake, path):
    publish(lake, path)
    [(stored,)] = select(
        path, "SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'warehouse'"
    )
    assert stored.startswith("v1.0.0")


def test_staged_tables_cannot_be_published(lake, path):
    with pytest.raises(TypeError, match="cannot be published"):
        publish(lake, path, [STAGED_SESSION])
    assert not path.exists()
