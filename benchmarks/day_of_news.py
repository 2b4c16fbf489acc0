"""One day of news on a short and on a long history: its cost should depend on the news, not on the history."""

from collections.abc import Iterator

from benchmarks import programs
from benchmarks.histories import AS_OF, DAY, Histories, History
from benchmarks.measured import Finding, Measured, Section, at_most, ratio
from benchmarks.months import blank_all_but, month_files, months_of

TIMES_THE_SHORT_HISTORY = 1.3

PARTS = {"the facts": "lake", "the staged sessions": "staging"}
"""What is kept by month, and in which folder."""


def day_of_news(histories: Histories, rounds: int) -> Iterator[Section]:
    """The usual history only."""
    yield _section("One day of news", [histories.usual], rounds)


def day_of_news_on_large(histories: Histories, rounds: int) -> Iterator[Section]:
    """The usual history next to ten times as many sessions: first in as many days, then in ten times as many."""
    yield _section("One day of news, ten times as many sessions a day", [histories.usual, histories.dense], rounds)
    histories.close(histories.dense)
    yield _section("One day of news, ten times as many days", [histories.usual, histories.long], rounds)
    histories.close(histories.long)


def _section(title: str, compared: list[History], rounds: int) -> Section:
    news = [_News(history) for history in compared]
    for _ in range(rounds):
        for each in news:
            each.measure()
    findings = [
        at_most(
            f"day of news: time on {each.history.name}, relative to the usual",
            ratio(each.measured, news[0].measured),
            TIMES_THE_SHORT_HISTORY,
        )
        for each in news[1:]
    ]
    for each in news:
        findings += [each.finding_about_months(part, folder) for part, folder in PARTS.items()]
        each.put_back()
    remarks = tuple(remark for each in news for remark in each.remarks)
    return Section(title, [each.measured for each in news], findings, remarks=remarks)


class _News:
    """Refreshes of one history a day later, each starting from the same state."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.measured = Measured(f"{programs.REFRESH}, {history.name}")
        history.served.set_clock(AS_OF + DAY)
        # The first refresh makes the server prepare its pages, and shows which months it writes.
        history.restore()
        before = month_files(history.data)
        history.refresh(AS_OF + DAY)
        self._all = months_of(before)
        self._written = months_of(month_files(history.data) - before)
        written = ", ".join(sorted(self._written)) or "no month"
        self.remarks = [f"{history.name}: writes {written} of {len(self._all)} months"]

    def measure(self) -> None:
        self.history.restore()
        self.measured.measure(lambda: self.history.refresh(AS_OF + DAY), self.history.served)

    def finding_about_months(self, part: str, folder: str) -> Finding:
        """Refreshes once more, with that part's rows unreadable in all months except those written."""
        self.history.restore()
        blank_all_but(self.history.data / folder, self._written)
        complaint = ""
        try:
            self.history.refresh(AS_OF + DAY)
        except RuntimeError as error:
            # From the output of a failed run, the line that says why.
            complaint = next((line for line in str(error).splitlines() if line.startswith("chargehouse:")), str(error))
            self.remarks.append(f"{self.history.name}, with the other months of {part} blanked: {complaint}")
        return Finding(
            f"day of news on {self.history.name}: months of {part}",
            "others read" if complaint else f"{len(self._written)} of {len(self._all)}",
            "only touched",
            not complaint and self._written < self._all,
        )

    def put_back(self) -> None:
        """Restores the history to its original state."""
        self.history.served.set_clock(AS_OF)
        self.history.restore()
