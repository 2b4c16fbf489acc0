"""What is measured, and the targets it is compared with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.cost import Cost
from benchmarks.served import Served


@dataclass
class Measured:
    """One program: its cost in each round, and the processor seconds that the server used meanwhile."""

    program: str
    costs: list[Cost] = field(default_factory=list)
    server_seconds: list[float] = field(default_factory=list)

    def measure(self, run: Callable[[], Cost], served: Served | None = None) -> Cost:
        """Runs the program once more."""
        before = served.busy_seconds() if served else 0.0
        cost = run()
        self.costs.append(cost)
        if served:
            self.server_seconds.append(served.busy_seconds() - before)
        return cost

    @property
    def output(self) -> str:
        """What the last round printed."""
        return self.costs[-1].output

    @property
    def seconds(self) -> float:
        return median(cost.seconds for cost in self.costs)

    @property
    def processor_seconds(self) -> float:
        return median(cost.processor_seconds for cost in self.costs)

    @property
    def peak_mebibytes(self) -> float:
        return median(cost.peak_mebibytes for cost in self.costs)

    @property
    def peak_gigabytes(self) -> float:
        """The maximum over all rounds, in units of 10^9 bytes."""
        return max(cost.peak_mebibytes for cost in self.costs) * 1024 * 1024 / 1e9

    @property
    def server_share(self) -> float | None:
        """The share of the time in which the server was busy: near 1, the server is what is measured."""
        if not self.server_seconds:
            return None
        return median(busy / cost.seconds for busy, cost in zip(self.server_seconds, self.costs, strict=True))


def ratio(one: Measured, other: Measured) -> float:
    """How many times as long `one` takes as `other`: the median over the rounds that both ran."""
    return median(mine.seconds / theirs.seconds for mine, theirs in zip(one.costs, other.costs, strict=False))


@dataclass(frozen=True)
class Finding:
    """One target: what was measured against it, and whether it holds."""

    what: str
    measured: str
    target: str
    holds: bool


@dataclass(frozen=True)
class Section:
    """A part of the table: programs that do the same work on `rows` API objects, and the findings on its targets."""

    title: str
    programs: list[Measured]
    findings: list[Finding]
    rows: int = 0
    remarks: tuple[str, ...] = ()


def at_most(what: str, value: float, bound: float, unit: str = "") -> Finding:
    """A finding whose target is that `value` is at most `bound`."""
    return Finding(what, f"{value:,.2f}{unit}", f"at most {bound:,g}{unit}", value <= bound)


def at_least(what: str, value: float, bound: float) -> Finding:
    """A finding whose target is that `value` is at least `bound`."""
    return Finding(what, f"{value:,.2f}", f"at least {bound:,g}", value >= bound)
