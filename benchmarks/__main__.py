"""`python -m benchmarks`: runs the comparisons and prints them as a table."""

import argparse
import sys
from collections.abc import Iterator
from itertools import chain

from benchmarks.comparisons import Comparison, Measured, generated, real_input
from tests.real_input import sources

_HEAD = f"{'':<36} {'seconds':>8} {'ratio':>7} {'processor s':>12} {'peak MiB':>9} {'rows/s':>9} {'server busy':>12}"

_NOTES = """
Medians. Whole processes, interpreter start included, over loopback and without the vendors' rate limits: from real
vendors those limits take far longer than anything here. The server runs in a process of its own on the same machine;
"server busy" is its share of the time, and what is near 100 % measures the server."""


def main() -> int:
    """Run what was asked for; 0 when all of it was."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--sessions", type=int, default=25_000, metavar="N", help="size of the generated world")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--only", choices=("real", "generated"), help="only these comparisons")
    options = parser.parse_args()
    comparisons: list[Iterator[Comparison]] = []
    if options.only != "generated":
        if sources.are_there():
            comparisons.append(real_input(options.rounds))
        else:
            print("real input: left out, the real data do not lie beside this repository")
    if options.only != "real":
        comparisons.append(generated(options.sessions, options.rounds))
    print(_HEAD, flush=True)
    for comparison in chain.from_iterable(comparisons):
        print(_table(comparison), flush=True)
    print(_NOTES)
    return 0


def _table(comparison: Comparison) -> str:
    title = f"{comparison.name}, {comparison.rows:,} rows" if comparison.rows else comparison.name
    programs = (comparison.peer, comparison.chargehouse)
    return "\n".join([title, *(_line(each, comparison) for each in programs)])


def _line(measured: Measured, comparison: Comparison) -> str:
    ratio = measured.seconds / comparison.peer.seconds
    rows_per_second = f"{comparison.rows / measured.seconds:,.0f}" if comparison.rows else ""
    return (
        f"  {measured.program:<34} {measured.seconds:>8.2f} {ratio:>6.1f}x {measured.processor_seconds:>12.2f} "
        f"{measured.peak_megabytes:>9,.0f} {rows_per_second:>9} {measured.server_share:>12.0%}"
    )


if __name__ == "__main__":
    sys.exit(main())
