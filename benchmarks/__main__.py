"""Runs the chosen benchmarks and prints the measurements as a table, with every target and whether it holds.

The first run creates the environments of the yardsticks below `.venv-benchmarks`; pip installs their packages from the
index that it is configured for.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

from benchmarks.day_of_news import day_of_news, day_of_news_on_large
from benchmarks.first_refresh import first_refresh, large_first_refresh, real_input
from benchmarks.histories import Histories
from benchmarks.measured import Finding, Section
from benchmarks.nothing_new import nothing_new
from benchmarks.rate_limit import rate_limit
from benchmarks.report import NOTES, findings_text, section_text
from benchmarks.transform_alone import transform_alone
from benchmarks.usual_questions import usual_questions, usual_questions_on_large

Part = Callable[[Histories, int], Iterator[Section]]

USUAL: dict[str, Part] = {
    "first": first_refresh,
    "nothing": nothing_new,
    "news": day_of_news,
    "limit": rate_limit,
    "transform": transform_alone,
    "questions": usual_questions,
}
LARGE: dict[str, Part] = {
    "first-large": large_first_refresh,
    "questions-large": usual_questions_on_large,
    # Last: it releases the large histories.
    "news-large": day_of_news_on_large,
}
ASKED_FOR: dict[str, Part] = {"real": real_input}
"""Run only by name: the real data is not in the repository, but beside it."""


def main() -> int:
    """Run what was asked for; 0 if all of it ran, whether or not the targets hold."""
    parts = {**USUAL, **LARGE, **ASKED_FOR}
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--sessions", type=int, default=100_000, metavar="N", help="sessions in the usual world (default: 100,000)"
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="how many times to measure (default: 3)")
    parser.add_argument(
        "--large", action="store_true", help="also measure ten times the size: takes half an hour and 12 GB of memory"
    )
    parser.add_argument("--only", nargs="+", choices=parts, metavar="NAME", help=f"run only these: {', '.join(parts)}")
    options = parser.parse_args()
    if options.rounds < 1 or options.sessions < 4_000:
        parser.error(
            "--rounds must be at least 1, and --sessions at least 4,000, so that each vendor has news every day"
        )
    chosen = options.only or (*USUAL, *(LARGE if options.large else ()))
    findings: list[Finding] = []
    with Histories(options.sessions) as histories:
        for name in chosen:
            for section in parts[name](histories, options.rounds):
                print(section_text(section), flush=True)
                findings += section.findings
    print(findings_text(findings))
    print(NOTES)
    return 0


if __name__ == "__main__":
    sys.exit(main())
