"""A first refresh, everything included, next to the floor and to the usual tools."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import environments, programs
from benchmarks.cost import Cost
from benchmarks.histories import Histories, History
from benchmarks.measured import Measured, Section, at_least, at_most, ratio
from benchmarks.served import Served
from tests.real_input import sources

# A week after the end of the real data, and its first month.
REAL_AS_OF, REAL_READ_FROM = datetime(2026, 6, 15, 6, tzinfo=UTC), datetime(2014, 11, 1, tzinfo=UTC)

TIMES_THE_FLOOR = 3.0
TIMES_FASTER_THAN_DLT = 5.0
GIGABYTES, GIGABYTES_LARGE = 1.5, 3.0


def first_refresh(histories: Histories, rounds: int) -> Iterator[Section]:
    """The usual size, against the floor, dlt's declarative source and a Singer tap."""
    for name in ("floor", "dlt_declarative", "singer"):
        environments.make(name)
    bench = _Bench(histories, histories.usual)
    chargehouse, floor = Measured(programs.REFRESH), Measured(programs.FLOOR)
    dlt, dlt_parquet = Measured(programs.DLT), Measured(programs.DLT_PARQUET)
    singer = Measured(programs.SINGER)
    bench.prepare_pages()
    for number in range(rounds):
        bench.refresh(chargehouse)
        bench.floor(floor)
        bench.dlt(dlt_parquet, "parquet")
        bench.singer(singer)
        if number == 0:
            # Only one round: it takes longer than all others together.
            bench.dlt(dlt, "insert_values")
    versus_dlt = [
        at_least(f"first refresh: times faster than {each.program}", ratio(each, chargehouse), TIMES_FASTER_THAN_DLT)
        for each in (dlt, dlt_parquet)
    ]
    yield Section(
        f"First refresh of {bench.history.name}",
        [chargehouse, floor, dlt, dlt_parquet, singer],
        [
            at_most("first refresh: times the floor", ratio(chargehouse, floor), TIMES_THE_FLOOR),
            *versus_dlt,
            at_least("first refresh: times faster than Singer's pull alone", ratio(singer, chargehouse), 1.0),
            at_most("first refresh: peak memory", chargehouse.peak_gigabytes, GIGABYTES, " GB"),
        ],
        bench.history.served.objects,
        (
            f"The floor counts {floor.output.strip()} objects: it leaves out Smappee's running sessions.",
            f"Sessions and kWh of dlt's facts: {dlt_parquet.output.strip()}",
        ),
    )


def large_first_refresh(histories: Histories, _rounds: int) -> Iterator[Section]:
    """Ten times the size: as many rows a second. One round, because it takes minutes."""
    usual, large = _Bench(histories, histories.usual), _Bench(histories, histories.dense)
    small_refresh, large_refresh = (Measured(f"{programs.REFRESH}, {each.history.name}") for each in (usual, large))
    usual.refresh(small_refresh)
    large.refresh(large_refresh)
    small_rate = usual.history.served.objects / small_refresh.seconds
    large_rate = large.history.served.objects / large_refresh.seconds
    yield Section(
        f"First refresh of {large.history.name}",
        [small_refresh, large_refresh],
        [
            at_least(
                f"ten times the sessions: rows a second ({large_rate:,.0f}), relative to the usual size",
                large_rate / small_rate,
                1.0,
            ),
            at_most("ten times the sessions: peak memory", large_refresh.peak_gigabytes, GIGABYTES_LARGE, " GB"),
        ],
        remarks=(f"{small_rate:,.0f} rows a second at the usual size, {large_rate:,.0f} at ten times the size.",),
    )


def real_input(histories: Histories, rounds: int) -> Iterator[Section]:
    """The real data: 37,680 sessions and 69,211 locations. If it is missing, only a message."""
    if not sources.are_there():
        print("The real data is not beside this repository.")
        return
    environments.make("floor")
    with Served("real", REAL_AS_OF) as served, histories.folder() as folder:
        history = History("the real data", served, folder / "data", REAL_READ_FROM)
        history.refresh(served.as_of)
        bench = _Bench(histories, history)
        bench.prepare_pages()
        chargehouse, floor = Measured(programs.REFRESH), Measured(programs.FLOOR)
        for _ in range(rounds):
            bench.refresh(chargehouse)
            bench.floor(floor)
        yield Section(
            "First refresh of the real data",
            [chargehouse, floor],
            [at_most("real data: times the floor", ratio(chargehouse, floor), TIMES_THE_FLOOR)],
            served.objects,
        )


class _Bench:
    """Runs the programs on one served world, each into an empty folder."""

    def __init__(self, histories: Histories, history: History) -> None:
        self._histories = histories
        self.history = history

    def prepare_pages(self) -> None:
        """Makes the server prepare the pages that the yardsticks request."""
        self.floor(Measured("not counted"))

    def refresh(self, measured: Measured) -> None:
        self._run(measured, lambda folder: self.history.refresh(self.history.served.as_of, folder / "data"))

    def floor(self, measured: Measured) -> None:
        self._run(measured, lambda folder: programs.floor(self.history.served, folder, self.history.read_from))

    def dlt(self, measured: Measured, loader: str) -> None:
        history = self.history
        self._run(measured, lambda folder: programs.dlt_declarative(history.served, folder, history.read_from, loader))

    def singer(self, measured: Measured) -> None:
        self._run(measured, lambda folder: programs.singer(self.history.served, folder, self.history.read_from))

    def _run(self, measured: Measured, run: Callable[[Path], Cost]) -> None:
        with self._histories.folder() as folder:
            measured.measure(lambda: run(folder), self.history.served)
