"""Queries read the published tables and nothing else, and write nothing."""

import shutil
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from warehouse.errors import QueryError
from warehouse.publication import publish
from warehouse.query import Answer, query, render
from warehouse.tables import FACT_SESSION

MARCH = datetime(2025, 3, 10, 8, tzinfo=UTC)


@pytest.fixture
def path(lake, sessions, tmp_path):
    lake.append(FACT_SESSION, sessions("a", MARCH, MARCH, MARCH))
    publish(lake, tmp_path / "warehouse.duckdb")
    return tmp_path / "warehouse.duckdb"


def test_an_answer_has_names_types_and_exact_values(path):
    answer = query(
        path, "SELECT count(*) AS sessions, sum(energy_kwh) AS kwh, min(started_at) AS first FROM fact_session"
    )
    assert answer.columns == ("sessions", "kwh", "first")
    assert answer.types == ("BIGINT", "DECIMAL(38,6)", "TIMESTAMP WITH TIME ZONE")
    assert [str(value) for value in answer.rows[0]] == ["3", "37.037034", "2025-03-10 08:00:00+00:00"]


@pytest.mark.parametrize(
    "sql",
    [
        "FROM warehouse.main.fact_session",
        "SELECT * FROM ops.coverage",
        "DESCRIBE fact_session",
        "SHOW TABLES",
        "SUMMARIZE fact_session",
        "PIVOT fact_session ON vendor IN ('zaptec') USING sum(energy_kwh) GROUP BY month",
        "WITH months AS (SELECT month FROM fact_session) SELECT * FROM months; -- and that is all",
        "SELECT 'it''s' AS text, 1 AS a, 2 AS a",
        "VALUES (1)",
    ],
)
def test_whatever_reads_is_answered(path, sql):
    assert query(path, sql).columns


def test_rows_can_be_limited(path):
    answer = query(path, "SELECT session_id FROM fact_session ORDER BY 1", most_rows=2)
    assert (answer.rows, answer.is_cut) == ([("a-0",), ("a-1",)], True)
    assert not query(path, "SELECT session_id FROM fact_session", most_rows=3).is_cut


def test_nothing_can_be_written(path, lake, tmp_path):
    (file,) = lake.files(FACT_SESSION)
    before = Path(file.path).read_bytes(), path.read_bytes(), sorted(tmp_path.rglob("*"))
    into = "TO '{}' (FORMAT parquet, USE_TMP_FILE false)"
    for statement in (
        f"COPY (SELECT 1) {into.format(file.path)}",
        f"COPY (PIVOT fact_session ON vendor) {into.format(file.path)}",
        f"WITH x AS (COPY (SELECT 1) {into.format(file.path)}) SELECT * FROM x",
        f"EXPLAIN ANALYZE COPY (SELECT 1) {into.format(file.path)}",
        f"SELECT 1; COPY (SELECT 1) {into.format(file.path)}",
        f"SELECT 1'); COPY (SELECT 1) {into.format(file.path)}; --",
        f"COPY (SELECT 1) TO '{tmp_path / 'new.csv'}'",
        f"ATTACH '{tmp_path / 'new.duckdb'}'",
        f"EXPORT DATABASE '{tmp_path / 'export'}'",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW fact_session",
        "INSERT INTO ops.published_file SELECT 1",
        "DELETE FROM ops.published_file",
        "SET lock_configuration = false",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "PRAGMA enable_profiling",
        "",
    ):
        with pytest.raises(QueryError):
            query(path, statement)
    assert (Path(file.path).read_bytes(), path.read_bytes(), sorted(tmp_path.rglob("*"))) == before


@pytest.mark.parametrize(
    "sql", ["FROM read_text('{}')", "FROM read_csv('{}')", "FROM '{}'", "FROM glob('{}')", "FROM read_blob('{}')"]
)
def test_other_files_cannot_be_read(path, tmp_path, sql):
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError):
        query(path, sql.format(secret))


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("SELEC 1", 'Parser Error: syntax error at or near "SELEC"'),
        ("SELECT nothing FROM fact_session", "nothing"),
        ("FROM fact_sesion", "fact_session"),
        ("DROP VIEW fact_session", "only a single read-only statement"),
        ("SELECT 1; SELECT 2", "only a single read-only statement"),
        ("SELECT ?", "parameters"),
        ("SELECT 'x'::INTEGER", "Could not convert"),
    ],
)
def test_a_fault_is_one_line(path, sql, fault):
    with pytest.raises(QueryError, match=fault) as raised:
        query(path, sql)
    assert "\n" not in str(raised.value)


def test_what_is_missing_is_said(path, lake, tmp_path):
    with pytest.raises(QueryError, match="run `chargehouse refresh` first"):
        query(tmp_path / "none.duckdb", "SELECT 1")
    (tmp_path / "text.duckdb").write_text("something else")
    with pytest.raises(QueryError, match="is not a published warehouse"):
        query(tmp_path / "text.duckdb", "SELECT 1")
    Path(lake.files(FACT_SESSION)[0].path).unlink()
    with pytest.raises(QueryError, match="run `chargehouse rebuild`"):
        query(path, "FROM fact_session")


def test_a_moved_or_copied_publication_is_not_read(path, tmp_path):
    for place, put in (("copied", shutil.copy), ("moved", shutil.move)):
        (tmp_path / place).mkdir()
        put(path, tmp_path / place / path.name)
        with pytest.raises(
            QueryError, match=r"was moved or copied and still reads .*lake.*: run `chargehouse refresh`"
        ):
            query(tmp_path / place / path.name, "FROM fact_session")


def test_a_publication_is_read_by_way_of_a_link(path, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "folder").symlink_to(tmp_path)
    (tmp_path / "links" / "file").symlink_to(path)
    for link in (tmp_path / "links" / "folder" / path.name, tmp_path / "links" / "file"):
        assert query(link, "SELECT count(*) FROM fact_session").rows == [(3,)]


def test_a_new_publication_is_seen_at_once_and_queries_run_side_by_side(path, lake, sessions):
    answers = []

    def ask():
        answers.append(query(path, "SELECT count(*) FROM fact_session, range(200000)").rows)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    lake.replace(FACT_SESSION, sessions("b", MARCH))
    publish(lake, path)
    assert query(path, "SELECT count(*) FROM fact_session").rows == [(1,)]
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer in ([(3 * 200_000,)], [(1 * 200_000,)]) for answer in answers), "of one state or the other"


def test_an_answer_is_shown_as_a_plain_table(path):
    answer = query(
        path,
        "SELECT vendor, energy_kwh AS kwh, started_at, currency, true AS yes, 'a\n\x1b[31mb' AS text, 5 AS n "
        "FROM fact_session LIMIT 1",
    )
    assert render(answer).splitlines() == [
        "vendor        kwh  started_at            currency  yes   text          n",
        "------  ---------  --------------------  --------  ----  ------------  -",
        "zaptec  12.345678  2025-03-10 08:00:00Z  NULL      true  a\\n\\x1b[31mb  5",
        "(1 row)",
    ]


def test_no_rows_and_more_rows_are_said():
    assert render(Answer(("n",), ("BIGINT",), [], False)) == "n\n-\n(0 rows)"
    assert render(Answer(("n",), ("BIGINT",), [(1,), (20,)], True)).endswith(" 1\n20\n(first 2 rows; there are more)")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("0.0::DECIMAL(14, 6) * 0.25", "0.00000000"),
        ("0.00000025", "0.00000025"),
        ("timestamp '2026-01-01' - timestamp '2026-01-01 00:10'", "-00:10:00"),
        ("timestamp '2026-01-03 01:00:00.5' - timestamp '2026-01-01'", "2 days 01:00:00.500000"),
        ("interval '1 day'", "1 day 00:00:00"),
    ],
)
def test_a_small_decimal_and_a_duration_are_written_out(path: Path, expression: str, text: str) -> None:
    assert render(query(path, f"SELECT {expression} AS value")).splitlines()[2].strip() == text
