"""The table as text: each part as soon as it is measured, and all targets once more at the end."""

from collections.abc import Iterable

from benchmarks.measured import Finding, Measured, Section

_PROGRAM_WIDTH, _FINDING_WIDTH = 56, 82
_HEAD = f"  {'':<{_PROGRAM_WIDTH}} {'seconds':>8} {'processor s':>12} {'peak MiB':>9} {'rows/s':>9} {'server busy':>12}"

NOTES = """
Medians of rounds in which the programs take turns. Each measurement is of a whole process, interpreter start included,
over loopback, and except in the row that says so, without the vendors' rate limits: with real vendors, these take far
longer than anything here. The server runs in a process of its own on the same machine and serves prepared pages.
"server busy" is its share of the time; a share near 100 % means that the server is what is measured. A GB is 10^9
bytes."""


def section_text(section: Section) -> str:
    """One part: what was measured, the remarks, and the findings on the targets."""
    title = f"{section.title} ({section.rows:,} rows)" if section.rows else section.title
    programs = [_HEAD, *(_program(each, section.rows) for each in section.programs)] if section.programs else []
    remarks = [f"    {remark}" for remark in section.remarks]
    return "\n".join(["", title, *programs, *remarks, *(f"  {_finding(each)}" for each in section.findings)])


def findings_text(findings: Iterable[Finding]) -> str:
    """All targets, one line each."""
    return "\n".join(["", "TARGETS", *(f"  {_finding(each)}" for each in findings)])


def _program(measured: Measured, rows: int) -> str:
    rate = f"{rows / measured.seconds:,.0f}" if rows else ""
    share = "" if measured.server_share is None else f"{measured.server_share:.0%}"
    return (
        f"  {measured.program:<{_PROGRAM_WIDTH}} {measured.seconds:>8.2f} {measured.processor_seconds:>12.2f} "
        f"{measured.peak_mebibytes:>9,.0f} {rate:>9} {share:>12}"
    )


def _finding(finding: Finding) -> str:
    verdict = "holds" if finding.holds else "DOES NOT HOLD"
    return f"{finding.what:<{_FINDING_WIDTH}} {finding.measured:>12}  {finding.target:<16} {verdict}"
