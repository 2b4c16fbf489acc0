"""Several writers of one table: nothing is written over what a writer has not seen, and nothing twice."""

from itertools import count, islice

import pytest
from deltalake import DeltaTable

from tests.warehouse.lake_rows import APRIL, EVENT, MARCH, MAY, events, ids
from warehouse import commits
from warehouse.errors import LakeError
from warehouse.lake import Lake
from warehouse.tables import FACT_SESSION


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
