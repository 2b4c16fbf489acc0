"""Writes are atomic: a table is seen before a write or after it, whatever happens in between."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from deltalake import DeltaTable

from tests.warehouse.lake_rows import APRIL, EVENT, MARCH, MAY, events, ids
from warehouse import columns
from warehouse import lake as lake_module
from warehouse.column_types import polars_schema
from warehouse.errors import LakeError
from warehouse.lake import Lake
from warehouse.tables import FACT_SESSION, LOAD_AUDIT, REJECTED_SESSION, Table

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_table_never_written_is_empty_and_typed(lake):
    assert not lake.exists(FACT_SESSION)
    assert lake.version(FACT_SESSION) is None
    assert lake.mark(FACT_SESSION, "load") is None
    assert lake.months(FACT_SESSION) == []
    assert lake.row_counts(FACT_SESSION) == {}
    assert lake.files(FACT_SESSION) == []
    assert lake.scan(FACT_SESSION).collect_schema() == polars_schema(FACT_SESSION)
    assert lake.tidy(FACT_SESSION) == []


def test_only_the_given_months_are_replaced_in_one_commit(lake, sessions):
    lake.replace_months(FACT_SESSION, sessions("old", MARCH, APRIL, MAY), ["2025-03", "2025-04", "2025-05"])
    assert lake.version(FACT_SESSION) == 1
    lake.replace_months(FACT_SESSION, sessions("new", MARCH, MARCH), ["2025-03", "2025-04"])
    assert lake.version(FACT_SESSION) == 2
    assert ids(lake) == ["new-0", "new-1", "old-2"]
    assert lake.row_counts(FACT_SESSION) == {"2025-03": 2, "2025-05": 1}


def test_an_empty_frame_empties_the_months(lake, sessions):
    lake.replace_months(FACT_SESSION, sessions("old", MARCH, APRIL), ["2025-03", "2025-04"])
    lake.replace_months(FACT_SESSION, sessions("none"), ["2025-03"])
    assert ids(lake) == ["old-1"]
    lake.replace_months(FACT_SESSION, sessions("none"), ["2025-04"])
    assert lake.months(FACT_SESSION) == []
    assert lake.scan(FACT_SESSION).collect().schema == polars_schema(FACT_SESSION)


def test_rows_without_a_month_are_a_partition(lake, rejected):
    lake.replace_months(REJECTED_SESSION, rejected("old", None, None, "2025-03"), [None, "2025-03"])
    assert lake.row_counts(REJECTED_SESSION) == {None: 2, "2025-03": 1}
    assert lake.months(REJECTED_SESSION) == ["2025-03"]
    assert lake.scan(REJECTED_SESSION).collect().get_column("month").null_count() == 2
    lake.replace_months(REJECTED_SESSION, rejected("new", None), [None])
    assert ids(lake, REJECTED_SESSION) == ["new-0", "old-2"]
    assert ids(lake, REJECTED_SESSION, [None]) == ["new-0"]
    lake.replace_months(REJECTED_SESSION, rejected("none"), [None])
    assert ids(lake, REJECTED_SESSION) == ["old-2"]


def test_rows_outside_the_months_are_refused(lake, sessions, rejected):
    lake.replace_months(FACT_SESSION, sessions("old", MARCH), ["2025-03"])
    with pytest.raises(LakeError, match="fact_session: the frame has rows outside the months to replace: 2025-05"):
        lake.replace_months(FACT_SESSION, sessions("new", MARCH, MAY), ["2025-03"])
    with pytest.raises(LakeError, match="rows outside the months to replace: None"):
        lake.replace_months(REJECTED_SESSION, rejected("new", None), ["2025-03"])
    with pytest.raises(LakeError, match="'2025-3' is not a month; write YYYY-MM"):
        lake.replace_months(FACT_SESSION, sessions("none"), ["2025-3"])
    assert ids(lake) == ["old-0"]


def test_only_a_table_stored_by_month_has_months(lake):
    with pytest.raises(LakeError, match="load_audit is not partitioned by month"):
        lake.replace_months(LOAD_AUDIT, pl.DataFrame(), ["2025-03"])
    with pytest.raises(LakeError, match="load_audit is not partitioned by month"):
        lake.scan(LOAD_AUDIT, ["2025-03"])


def test_replace_and_append(lake, sessions):
    lake.append(FACT_SESSION, sessions("first", MARCH))
    lake.append(FACT_SESSION, sessions("second", MARCH, APRIL))
    assert ids(lake) == ["first-0", "second-0", "second-1"]
    lake.replace(FACT_SESSION, sessions("all", MAY))
    assert ids(lake) == ["all-0"]
    lake.replace(FACT_SESSION, sessions("none"), marks={"load": 7})
    assert ids(lake) == []
    assert lake.version(FACT_SESSION) == 4
    assert lake.mark(FACT_SESSION, "load") == 7


def test_marks_are_set_in_the_commit_of_the_rows(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH), marks={"zaptec 'loads'": 7})
    lake.replace_months(FACT_SESSION, sessions("b", MARCH), ["2025-03"], marks={"zaptec 'loads'": 8, "other": 1})
    assert lake.version(FACT_SESSION) == 2
    assert (lake.mark(FACT_SESSION, "zaptec 'loads'"), lake.mark(FACT_SESSION, "other")) == (8, 1)
    at_first = DeltaTable(str(lake.folder(FACT_SESSION)), version=1)
    assert (at_first.transaction_version("zaptec 'loads'"), at_first.transaction_version("other")) == (7, None)


def test_a_table_can_be_marked_without_rows(lake, sessions):
    lake.append(FACT_SESSION, sessions("none"), marks={"load": 0})
    assert lake.exists(FACT_SESSION)
    assert lake.mark(FACT_SESSION, "load") == 0
    assert lake.marks(FACT_SESSION, ["load", "other"]) == {"load": 0}
    assert ids(lake) == []


def test_marks_outlive_checkpoints(lake, flushed):
    lake.append(EVENT, events("run", "new"), marks={"first": 1})
    for number in range(100):
        lake.append(EVENT, events("run"), marks={"last": number})
    log = lake.folder(EVENT) / "_delta_log"
    [checkpoint] = log.glob("*.checkpoint.parquet")
    assert {checkpoint.stat().st_ino, (log / "_last_checkpoint").stat().st_ino} <= set(flushed)
    assert (lake.mark(EVENT, "first"), lake.mark(EVENT, "last")) == (1, 99)
    assert lake.scan(EVENT).collect().height == 1


def test_rows_are_replaced_by_the_value_of_a_column(lake):
    lake.append(EVENT, events("run 'a'", "new", "corrected"))
    lake.append(EVENT, events("run b", "new"))
    [of_run_b] = [
        file for file in lake.files(EVENT) if "run b" in lake_module.scan_files(EVENT, [file]).collect()["run_id"]
    ]
    lake.replace_rows(EVENT, events("run 'a'", "station"), "run_id", ["run 'a'"], marks={"run": 1})
    assert of_run_b in lake.files(EVENT)
    rows = lake.scan(EVENT).select("run_id", "kind").sort("run_id").collect().rows()
    assert rows == [("run 'a'", "station"), ("run b", "new")]
    assert (lake.version(EVENT), lake.mark(EVENT, "run")) == (3, 1)


def test_replacing_by_a_column_keeps_rows_that_hold_null_there(lake, sessions):
    mixed = sessions("old", MARCH, MARCH, APRIL).with_columns(user_id=pl.Series([None, "u1", "u1"]))
    lake.append(FACT_SESSION, mixed)
    lake.replace_rows(FACT_SESSION, sessions("new", MAY), "user_id", ["u1"])
    assert ids(lake) == ["new-0", "old-0"]
    lake.replace_rows(FACT_SESSION, sessions("late", MAY), "user_id", ["nobody"])
    assert ids(lake) == ["late-0", "new-0", "old-0"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda frame: frame.drop("status"), "fact_session: the frame has no column status"),
        (lambda frame: frame.with_columns(energy_kwh=pl.lit(0.1234567)), "fact_session.energy_kwh: Float64 cannot be"),
        (lambda frame: frame.with_columns(energy_kwh=pl.lit(1e12)), "fact_session.energy_kwh: Float64 cannot be"),
        (lambda frame: frame.with_columns(pl.col("ended_at").dt.replace_time_zone(None)), "fact_session.ended_at"),
        (lambda frame: frame.with_columns(connected_seconds=pl.lit("an hour")), "fact_session.connected_seconds"),
        (lambda frame: frame.with_columns(session_id=pl.lit(None)), "fact_session.session_id: NULL in a column"),
        (lambda frame: frame.with_columns(month=pl.lit("2025-13")), "fact_session.month: '2025-13' is not a month"),
        (lambda frame: frame.with_columns(month=pl.lit("../2025-03")), "fact_session.month"),
    ],
)
def test_a_frame_that_does_not_fit_is_refused(lake, sessions, change, fault):
    with pytest.raises(LakeError, match=fault):
        lake.append(FACT_SESSION, change(sessions("a", MARCH)))
    assert not lake.exists(FACT_SESSION)


def test_a_frame_is_brought_into_the_schema_where_nothing_is_lost(lake, sessions):
    frame = sessions("a", MARCH).select(
        pl.lit("not stored").alias("extra"),
        *[pl.col(name) for name in reversed(FACT_SESSION.schema.column_names())],
    )
    as_read = frame.with_columns(
        pl.col("started_at").cast(pl.Datetime("ms", "UTC")),
        pl.col("ended_at").dt.convert_time_zone("Europe/Berlin"),
        pl.col("vendor").cast(pl.Categorical()),
        energy_kwh=pl.lit(12.345678),
        connected_seconds=pl.lit(3600),
        station_id=pl.lit(None),
    )
    lake.append(FACT_SESSION, as_read)
    assert lake.scan(FACT_SESSION).collect().equals(sessions("a", MARCH))


def test_a_disk_that_refuses_is_told(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    (lake.folder(FACT_SESSION) / "month=2025-04").touch()
    with pytest.raises(LakeError, match="fact_session: not written, the stored version is unchanged; run again"):
        lake.append(FACT_SESSION, sessions("new", APRIL))
    assert ids(lake) == ["old-0"]


def test_a_log_that_the_disk_does_not_give_away_is_told_in_one_plain_line(lake, sessions):
    lake.root.mkdir()
    lake.folder(FACT_SESSION).touch()
    for look in (lake.exists, lake.version, lake.scan, lambda table: lake.append(table, sessions("a", MARCH))):
        with pytest.raises(LakeError, match="fact_session cannot be read: fix the cause") as fault:
            look(FACT_SESSION)
        assert str(fault.value).isprintable()
    assert lake.is_damaged(FACT_SESSION)


def test_all_that_a_commit_needs_is_on_the_disk_the_rows_before_their_commit(lake, sessions, flushed):
    lake.append(FACT_SESSION, sessions("a", MARCH, APRIL))
    folder = lake.folder(FACT_SESSION)
    inodes = {path: path.stat().st_ino for path in (lake.root.parent, lake.root, folder, *folder.rglob("*"))}
    assert [path for path, inode in inodes.items() if inode not in flushed] == []
    committed = flushed.index(inodes[folder / "_delta_log" / f"{1:020d}.json"])
    assert all(flushed.index(inodes[path]) < committed for path in inodes if path.suffix == ".parquet")
    assert flushed[-1] == inodes[folder / "_delta_log"]
    lake.append(EVENT, events("run"), marks={"load": 1})
    assert lake.folder(EVENT).stat().st_ino in flushed, "which has a log and no rows"


def test_a_commit_says_of_the_file_that_it_takes_out_what_it_said_when_it_put_it_in(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    lake.replace_months(FACT_SESSION, sessions("new", MARCH), ["2025-03"])

    def actions(version, kind):
        entry = lake.folder(FACT_SESSION) / "_delta_log" / f"{version:020d}.json"
        return [action[kind] for action in map(json.loads, entry.read_text().splitlines()) if kind in action]

    [added], [removed] = actions(1, "add"), actions(2, "remove")
    said = ("path", "size", "partitionValues", "dataChange")
    assert [removed[name] for name in said] == [added[name] for name in said]
    assert removed["partitionValues"] == {"month": "2025-03"}
    assert removed["dataChange"] is True


def test_a_damaged_table_is_said_to_be_damaged(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH))
    (lake.folder(FACT_SESSION) / "_delta_log" / f"{1:020d}.json").write_text("{")
    with pytest.raises(LakeError, match="fact_session is damaged"):
        lake.scan(FACT_SESSION)
    assert lake.is_damaged(FACT_SESSION)


def test_whoever_reads_a_table_that_is_forgotten_reads_on(lake, sessions):
    lake.append(FACT_SESSION, sessions("a", MARCH))
    read = lake.scan(FACT_SESSION)
    lake.forget(FACT_SESSION)
    assert not lake.exists(FACT_SESSION)
    assert read.collect().height == 1


def test_a_table_is_forgotten_whole_though_the_process_dies_meanwhile(lake, sessions, monkeypatch):
    for number in range(3):
        lake.append(FACT_SESSION, sessions(f"old-{number}", MARCH))

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", dies)
        with pytest.raises(KeyboardInterrupt):
            lake.forget(FACT_SESSION)
    again = Lake(lake.root)
    assert not again.exists(FACT_SESSION)
    assert not again.is_damaged(FACT_SESSION)
    again.append(FACT_SESSION, sessions("new", MARCH))
    assert len(again.tidy(FACT_SESSION, retention_hours=0)) == 3
    assert again.scan(FACT_SESSION).collect()["session_id"].to_list() == ["new-0"]
    again.forget(FACT_SESSION)
    assert [path.name for path in again.folder(FACT_SESSION).iterdir()] == ["month=2025-03"]


def test_a_writer_killed_before_its_commit_leaves_the_old_version(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH), marks={"load": 1})
    script = """
import os, signal, sys
from warehouse import commits
from warehouse.lake import Lake
from warehouse.tables import FACT_SESSION
commits.DeltaTable.create_write_transaction = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
lake = Lake(sys.argv[1])
lake.replace_months(FACT_SESSION, lake.scan(FACT_SESSION).collect(), ["2025-03"], marks={"load": 2})
"""
    killed = subprocess.run(
        [sys.executable, "-c", script, str(lake.root)], env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert len(list(lake.folder(FACT_SESSION).rglob("*.parquet"))) == 2
    assert ids(lake) == ["old-0"]
    assert (lake.version(FACT_SESSION), lake.mark(FACT_SESSION, "load")) == (1, 1)


class OlderSession(dy.Schema):
    vendor = columns.vendor(primary_key=True)
    session_id = columns.session_id(primary_key=True)
    month = columns.month("started_at")
    dropped = columns.text("A column that is no longer declared.")


class SessionOfAnotherType(OlderSession):
    energy_kwh = columns.text("Energy as text.")


def older(schema):
    return Table(FACT_SESSION.name, schema, FACT_SESSION.group, partitioned_by_month=True)


def test_a_table_of_an_older_release_is_carried_over(lake, sessions):
    lake.append(older(OlderSession), sessions("old", MARCH, APRIL).with_columns(dropped=pl.lit("x")), marks={"load": 1})
    before = lake.scan(FACT_SESSION).collect()
    assert before.schema == polars_schema(FACT_SESSION)
    assert before.get_column("started_at").null_count() == 2
    lake.replace_months(FACT_SESSION, sessions("new", MARCH), ["2025-03"], marks={"other": 1})
    assert ids(lake) == ["new-0", "old-1"]
    assert (lake.mark(FACT_SESSION, "load"), lake.mark(FACT_SESSION, "other")) == (1, 1)
    assert lake.snapshot(FACT_SESSION).columns == set(FACT_SESSION.schema.column_names())


def test_a_lost_file_of_an_older_release_is_told_of(lake, sessions):
    lake.append(older(OlderSession), sessions("old", MARCH).with_columns(dropped=pl.lit("x")))
    [file] = lake.files(FACT_SESSION)
    Path(file.path).write_bytes(b"half")
    with pytest.raises(LakeError, match="is missing or truncated: run `chargehouse rebuild`"):
        lake.append(FACT_SESSION, sessions("new", APRIL))


def test_a_column_of_another_type_must_be_rebuilt(lake, sessions):
    changed = sessions("old", MARCH).with_columns(dropped=pl.lit("x"), energy_kwh=pl.lit("1"))
    lake.append(older(SessionOfAnotherType), changed)
    with pytest.raises(LakeError, match="fact_session: stored with another type than declared: energy_kwh; remove"):
        lake.append(FACT_SESSION, sessions("new", MARCH))


@pytest.mark.parametrize("root", ["s3://bucket/lake", "a*b", "a=b", "50%", "what?", "[a]"])
def test_a_root_that_engines_misread_is_refused(tmp_path, root):
    with pytest.raises(LakeError, match=r"choose a (local )?folder"):
        Lake(root if "://" in root else tmp_path / root)


def test_other_characters_in_the_root_are_data(tmp_path, sessions):
    lake = Lake(tmp_path / 'o\'Brien "& Söhne" #1')
    lake.replace_months(FACT_SESSION, sessions("a", MARCH), ["2025-03"])
    lake.replace_months(FACT_SESSION, sessions("b", MARCH, APRIL), ["2025-03", "2025-04"])
    assert ids(lake) == ["b-0", "b-1"]
    assert all(Path(file.path).exists() for file in lake.files(FACT_SESSION))


def test_a_root_that_leads_to_where_engines_misread_is_refused(tmp_path):
    (tmp_path / "a=b").mkdir()
    (tmp_path / "link").symlink_to("a=b")
    with pytest.raises(LakeError, match=r"choose a folder without ="):
        Lake(tmp_path / "link")


def test_a_lake_stays_where_it_was_opened_wherever_the_process_goes(tmp_path, sessions, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lake = Lake("lake")
    lake.append(FACT_SESSION, sessions("a", MARCH))
    monkeypatch.chdir("/")
    assert ids(lake) == ["a-0"]
    assert Path(lake.files(FACT_SESSION)[0].path).is_absolute()
