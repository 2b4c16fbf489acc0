"""Windows: together they are exactly the stretch, and each is as long as its rows allow."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipelines.vendors.contract import Window
from pipelines.vendors.window_sizes import WindowSizes

START = datetime(2024, 3, 1, tzinfo=UTC)
LENGTHS = st.timedeltas(timedelta(milliseconds=1), timedelta(days=3_000))


def cut(span: Window, rows: list[int], longest: timedelta | None = None) -> list[Window]:
    """The windows of a stretch: the first holds `rows[0]` rows and so on, and all later ones as many as the last."""
    sizes = WindowSizes(span, 5_000, longest, timedelta(days=31))
    windows: list[Window] = []
    while (window := sizes.next()) is not None:
        windows.append(window)
        sizes.had(rows[min(len(windows), len(rows)) - 1])
    return windows


@given(LENGTHS, st.lists(st.integers(0, 20_000), min_size=1), st.none() | st.just(timedelta(days=31)))
def test_windows_are_the_stretch_without_gap_or_overlap(
    length: timedelta, rows: list[int], longest: timedelta | None
) -> None:
    windows = cut(Window(START, START + length), rows, longest)
    assert windows[0].from_at == START
    assert windows[-1].to_at == START + length
    for one, next_one in pairwise(windows):
        assert next_one.from_at == one.to_at
    for window in windows:
        assert window.from_at is not None
        assert window.from_at < window.to_at
        assert longest is None or window.to_at - window.from_at <= longest


def test_what_is_left_of_a_stretch_is_read_along_where_it_is_short() -> None:
    assert len(cut(Window(START, START + timedelta(days=46)), [0])) == 1
    assert len(cut(Window(START, START + timedelta(days=47)), [0])) == 2
    # 31 days, twice as many, and 30 more that are not worth a request of their own.
    assert len(cut(Window(START, START + timedelta(days=31 + 62 + 30)), [2_500])) == 2
    assert len(cut(Window(START, START + timedelta(days=31 + 62 + 32)), [2_500])) == 3


def test_a_stretch_without_a_lower_bound_is_one_window() -> None:
    assert cut(Window(None, START), [1_000_000]) == [Window(None, START)]


def test_full_windows_make_the_next_ones_shorter_and_empty_ones_longer() -> None:
    two_years = Window(START, START + timedelta(days=730))
    full, empty = cut(two_years, [50_000]), cut(two_years, [0])
    assert full[0] == empty[0] == Window(START, START + timedelta(days=31))
    assert len(full) > 100
    assert full[-1].to_at - full[-2].to_at <= timedelta(days=1.5)
    assert len(empty) == 3


def test_a_window_after_an_empty_one_is_not_so_long_that_a_dense_history_would_fill_memory() -> None:
    empty, after = cut(Window(START, START + timedelta(days=730)), [0])[:2]
    assert after.to_at - after.from_at <= 4 * (empty.to_at - empty.from_at)


def test_a_stretch_to_the_end_of_time_is_cut_without_a_fault() -> None:
    assert cut(Window(START, datetime(9999, 12, 31, tzinfo=UTC)), [0])[-1].to_at.year == 9999


def test_a_first_window_that_was_cut_to_the_longest_counts_as_long_as_it_was() -> None:
    year = timedelta(days=366)
    sizes = WindowSizes(Window(START, START + 2 * year), 5_000, year, year)
    assert sizes.next() == Window(START, START + year)
    sizes.had(10_000)
    assert sizes.next() == Window(START + year, START + year + year / 2)


def halved(days: float, most: float) -> list[Window]:
    """The windows that are read from a server that refuses any longer than `most` days."""
    sizes = WindowSizes(Window(START, START + timedelta(days=days)), 5_000, None, timedelta(days=366))
    windows: list[Window] = []
    while (window := sizes.next()) is not None:
        if window.to_at - (window.from_at or START) > timedelta(days=most) and sizes.halve():
            continue
        windows.append(window)
        sizes.had(0)
    return windows


@given(st.floats(0.1, 1_000), st.floats(7, 100))
def test_windows_that_are_too_long_for_the_server_are_halved_and_stay_short(days: float, most: float) -> None:
    windows = halved(days, most)
    assert windows[0].from_at == START
    assert windows[-1].to_at == START + timedelta(days=days)
    for one, next_one in pairwise(windows):
        assert next_one.from_at == one.to_at
    assert max(window.to_at - (window.from_at or START) for window in windows) <= timedelta(days=max(most, 14))
    assert len(windows) <= 1 + 2 * days / min(most, 14), "no shorter than need be"


def test_a_window_is_halved_no_further_than_to_a_week() -> None:
    sizes = WindowSizes(Window(START, START + timedelta(days=366)), 5_000, None, timedelta(days=366))
    lengths = []
    while (window := sizes.next()) is not None:
        lengths.append((window.to_at - START) / timedelta(days=1))
        if not sizes.halve():
            break
    assert lengths == [366, 183, 91.5, 45.75, 22.875, 11.4375]


def test_a_window_without_a_lower_bound_is_not_halved() -> None:
    sizes = WindowSizes(Window(None, START), 5_000, None, timedelta(days=31))
    sizes.next()
    assert not sizes.halve()
    assert sizes.next() is None
