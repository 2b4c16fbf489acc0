"""Writes are atomic: a table is seen before a write or after it, whatever happens in between."""

import json
import os
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path

import dataframely as dy
import polars as pl
import pytest
from deltalake import DeltaTable

from warehouse import columns, commits, data_files
from warehouse import lake as lake_module
from warehouse.column_types import polars_schema
from warehouse.errors import LakeError
from warehouse.lake import Lake
from warehouse.tables import FACT_SESSION, LOAD_AUDIT, REJECTED_SESSION, Table

MARCH = datetime(2025, 3, 10, 8, tzinfo=UTC)
APRIL = datetime(2025, 4, 10, 8, tzinfo=UTC)
MAY = datetime(2025, 5, 10, 8, tzinfo=UTC)
REPOSITORY = Path(__file__).resolve().parents[2]


def ids(lake, table=FACT_SESSION, months=None):
    return sorted(lake.scan(table, months).collect().get_column("session_id"))


class Event(dy.Schema):
    """One row per event of a run."""

    run_id = columns.text("Run.", nullable=False, primary_key=True)
    kind = columns.text("What happened.", nullable=False, primary_key=True)


EVENT = Table("event", Event, "operations")


def events(run_id, *kinds):
    return pl.DataFrame({"run_id": [run_id] * len(kinds), "kind": list(kinds)}, schema=polars_schema(EVENT))


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


def test_what_others_make_of_an_opened_table_is_seen(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    assert ids(lake) == ["old-0"]
    other = Lake(lake.root)
    other.append(FACT_SESSION, sessions("more", MARCH))
    other.append(FACT_SESSION, sessions("still more", APRIL))
    assert sorted(ids(lake)) == ["more-0", "old-0", "still more-0"]
    other.forget(FACT_SESSION)
    assert not lake.exists(FACT_SESSION)
    assert ids(lake) == []
    # The same number of commits as before, but of a new table.
    for name in ("a", "b", "c"):
        other.append(FACT_SESSION, sessions(name, MARCH))
    assert sorted(ids(lake)) == ["a-0", "b-0", "c-0"]


def test_a_table_begun_anew_between_two_looks_is_not_taken_for_the_old_one(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    assert ids(lake) == ["old-0"]
    other = Lake(lake.root)
    other.forget(FACT_SESSION)
    other.append(FACT_SESSION, sessions("new", MARCH))
    assert ids(lake) == ["new-0"]


def test_a_table_begun_anew_after_its_last_commit_was_seen_is_not_taken_for_the_old_one(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    assert ids(lake) == ["old-0"]
    other = Lake(lake.root)
    other.append(FACT_SESSION, sessions("older", MARCH))
    assert ids(lake) == ["old-0", "older-0"]
    other.forget(FACT_SESSION)
    for name in ("a", "b"):
        other.append(FACT_SESSION, sessions(name, MARCH))
    assert ids(lake) == ["a-0", "b-0"]


class WriterBehind(Lake):
    """A lake in which others do something each time that this one has looked at the version of a table."""

    def __init__(self, root, meanwhile):
        super().__init__(root)
        self.meanwhile = meanwhile

    def _open(self, table):
        delta = super()._open(table)
        self.meanwhile()
        return delta


def test_of_two_writers_of_a_month_the_later_fails(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    behind = WriterBehind(lake.root, lambda: lake.replace_months(FACT_SESSION, sessions("new", MARCH), ["2025-03"]))
    with pytest.raises(LakeError, match="fact_session: not written, the stored version is unchanged; run again"):
        behind.replace_months(FACT_SESSION, sessions("late", MARCH), ["2025-03"], marks={"load": 1})
    assert ids(lake) == ["new-0"]
    assert lake.mark(FACT_SESSION, "load") is None


def test_writers_of_different_months_do_not_disturb_each_other(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH, APRIL), marks={"march": 1, "april": 1})
    april = sessions("april", APRIL)
    beside = WriterBehind(lake.root, lambda: lake.replace_months(FACT_SESSION, april, ["2025-04"], marks={"april": 2}))
    beside.replace_months(FACT_SESSION, sessions("march", MARCH), ["2025-03"], marks={"march": 2})
    assert ids(lake) == ["april-0", "march-0"]
    assert lake.marks(FACT_SESSION, ["march", "april"]) == {"march": 2, "april": 2}


def test_a_month_filled_meanwhile_is_not_filled_twice(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", APRIL))
    behind = WriterBehind(lake.root, lambda: lake.replace_months(FACT_SESSION, sessions("new", MARCH), ["2025-03"]))
    with pytest.raises(LakeError, match="another writer changed the same rows or marks"):
        behind.replace_months(FACT_SESSION, sessions("late", MARCH), ["2025-03"])
    assert ids(lake) == ["new-0", "old-0"]


def test_what_another_writer_has_marked_meanwhile_is_not_consumed_twice(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH), marks={"load": 1})
    behind = WriterBehind(lake.root, lambda: lake.append(FACT_SESSION, sessions("new", APRIL), marks={"load": 2}))
    with pytest.raises(LakeError, match="another writer changed the same rows or marks"):
        behind.append(FACT_SESSION, sessions("new", APRIL), marks={"load": 2})
    assert ids(lake) == ["new-0", "old-0"]


def test_a_whole_table_is_not_replaced_over_rows_that_it_has_not_seen(lake, sessions):
    lake.append(FACT_SESSION, sessions("old", MARCH))
    behind = WriterBehind(lake.root, lambda: lake.append(FACT_SESSION, sessions("new", APRIL)))
    with pytest.raises(LakeError, match="another writer"):
        behind.replace(FACT_SESSION, sessions("late", MAY))
    assert ids(lake) == ["new-0", "old-0"]


def test_rows_that_another_writer_adds_meanwhile_are_not_doubled(lake):
    lake.append(EVENT, events("run b", "new"))
    behind = WriterBehind(lake.root, lambda: lake.replace_rows(EVENT, events("run a", "new"), "run_id", ["run a"]))
    with pytest.raises(LakeError, match="another writer changed the same rows or marks"):
        behind.replace_rows(EVENT, events("run a", "new"), "run_id", ["run a"])
    beside = WriterBehind(lake.root, lambda: lake.append(EVENT, events("run c", "new")))
    beside.replace_rows(EVENT, events("run a", "late"), "run_id", ["run a"])
    rows = lake.scan(EVENT).collect().sort("run_id").rows()
    assert rows == [("run a", "late"), ("run b", "new"), ("run c", "new")]


def commit_behind(lake, others):
    """Commit an event, while one of the commits of `others` follows each look at the version that is to be followed."""

    def others_first(_):
        for number in islice(others, 1):
            lake.append(EVENT, events("run b"), marks={"others": number})
        return False

    delta = DeltaTable(str(lake.folder(EVENT)))
    commits.commit(EVENT, lake.folder(EVENT), delta, events("run c", "new"), others_first, {"mine": 1})


def test_a_commit_that_others_come_before_for_a_while_follows_theirs(lake):
    lake.append(EVENT, events("run a", "new"))
    commit_behind(lake, iter(range(5)))
    assert sorted(lake.scan(EVENT).collect().rows()) == [("run a", "new"), ("run c", "new")]
    assert lake.marks(EVENT, ["others", "mine"]) == {"others": 4, "mine": 1}


def test_a_commit_that_others_always_come_before_gives_up(lake):
    lake.append(EVENT, events("run a", "new"))
    others = count()
    with pytest.raises(LakeError, match="event: not written, the stored version is unchanged; run again") as fault:
        commit_behind(lake, others)
    assert str(fault.value).isprintable()
    # At each attempt, and between each two.
    assert next(others) == 2 * commits.MOST_ATTEMPTS - 1
    assert lake.scan(EVENT).collect().rows() == [("run a", "new")]
    assert lake.mark(EVENT, "mine") is None


def test_two_writers_may_create_a_table_at_once(lake, sessions):
    beside = WriterBehind(lake.root, lambda: lake.append(FACT_SESSION, sessions("april", APRIL)))
    beside.append(FACT_SESSION, sessions("march", MARCH))
    assert ids(lake) == ["april-0", "march-0"]


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


def test_tidy_removes_what_no_recent_version_and_no_publication_names(lake, sessions, monkeypatch):
    six_days_ago, eight_days_ago = (data_files.now_milliseconds() - days * 24 * 3600 * 1000 for days in (6, 8))
    with monkeypatch.context() as past:
        past.setattr("warehouse.snapshot.now_milliseconds", lambda: eight_days_ago)
        for name in ("gone", "published", "recent"):
            lake.replace_months(FACT_SESSION, sessions(name, MARCH), ["2025-03"])
            if name == "gone":
                (gone,) = lake.files(FACT_SESSION)
            elif name == "published":
                (published,) = lake.files(FACT_SESSION)
        (recent,) = lake.files(FACT_SESSION)
        past.setattr("warehouse.snapshot.now_milliseconds", lambda: six_days_ago)
        lake.replace_months(FACT_SESSION, sessions("current", MARCH), ["2025-03"])
    abandoned = Path(recent.path).with_name("abandoned.parquet")
    abandoned.touch()
    os.utime(abandoned, (eight_days_ago / 1000, eight_days_ago / 1000))
    unfinished = Path(recent.path).with_name("unfinished.parquet")
    unfinished.touch()

    assert sorted(lake.tidy(FACT_SESSION, keep={f"/mounted/elsewhere/{Path(published.path).name}"})) == sorted(
        [gone.path, str(abandoned)]
    )
    assert Path(published.path).exists()
    assert Path(recent.path).exists()
    assert unfinished.exists()
    assert ids(lake) == ["current-0"]
    assert lake.tidy(FACT_SESSION) == [published.path]
    assert sorted(lake.tidy(FACT_SESSION, retention_hours=0)) == sorted([recent.path, str(unfinished)])


def test_tidy_joins_many_small_files(lake):
    for number in range(lake_module.MOST_FILES_IN_A_PARTITION):
        lake.append(EVENT, events(f"run {number:02}", "new"), marks={"load": number})
    lake.tidy(EVENT)
    assert len(lake.files(EVENT)) == lake_module.MOST_FILES_IN_A_PARTITION
    lake.append(EVENT, events("run 32", "new"), marks={"load": 32})
    lake.tidy(EVENT)
    assert len(lake.files(EVENT)) == 1
    assert lake.scan(EVENT).collect().get_column("run_id").to_list() == [f"run {n:02}" for n in range(33)]
    assert lake.mark(EVENT, "load") == 32


def test_tidy_joins_the_files_of_no_other_month(lake, sessions, monkeypatch):
    monkeypatch.setattr(lake_module, "MOST_FILES_IN_A_PARTITION", 2)
    lake.append(FACT_SESSION, sessions("april", APRIL))
    [april] = lake.files(FACT_SESSION)
    for name in "abc":
        lake.append(FACT_SESSION, sessions(name, MARCH))
    lake.tidy(FACT_SESSION)
    assert [file.month for file in lake.files(FACT_SESSION)] == ["2025-03", "2025-04"]
    assert april in lake.files(FACT_SESSION)
    assert ids(lake) == ["a-0", "april-0", "b-0", "c-0"]


def test_tidy_joins_no_files_of_which_one_is_lost(lake, monkeypatch):
    monkeypatch.setattr(lake_module, "MOST_FILES_IN_A_PARTITION", 1)
    lake.append(EVENT, events("run a", "new"))
    lake.append(EVENT, events("run b", "new"))
    Path(lake.files(EVENT)[0].path).unlink()
    with pytest.raises(LakeError, match="is missing or truncated: run `chargehouse rebuild`"):
        lake.tidy(EVENT)


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
