"""The coverage report as a table for people: a row a segment, then what was found. At home in 100 columns and pipes."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.coverage.census import CLEAR, NAMES
from lab.coverage.document import CanaryReport, Finding, Report, SegmentReport, Severity, Verdict
from lab.coverage.facts import PackResult, Status
from lab.coverage.findings import frame_ranges
from lab.report.ways import Way, telling, ways

PIPE_WIDTH = 100
_IN_CLEAR = "in clear"
_LEAST_TABLE = 72  # columns; in less, the table has no room for what stands in it
_MOST_FINDINGS = 8
_MOST_REASONS = 4
_MOST_RUNS = 8

_VERDICT_STYLES = {Verdict.PROVEN: "bold green", Verdict.VIOLATED: "bold red", Verdict.UNPROVEN: "bold yellow"}
_SEVERITY_STYLES = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.INFO: "dim"}
_STATUS_STYLES = {Status.MET: "green", Status.NOT_MET: "bold red", Status.NOT_OBSERVED: "dim"}
_SHORT = {"macsec-encrypted": "macsec", "macsec-integrity-only": "macsec-integ"}
_CLEAR_NAMES = frozenset(NAMES[kind] for kind in CLEAR)


def print_report(report: Report, file: TextIO | None = None) -> None:
    """Print the report: in colour on a terminal and as wide as that is, else plain, at most PIPE_WIDTH columns wide."""
    file = file or sys.stdout
    if file.isatty():
        console = Console(file=file, highlight=False)
        console.print(render(report, narrow=console.width < _LEAST_TABLE))
        return
    lines = io.StringIO()
    Console(file=lines, width=PIPE_WIDTH, highlight=False, color_system=None).print(render(report))
    encoding = file.encoding or "utf-8"
    for line in lines.getvalue().replace("─", "-" if not encoding.lower().startswith("utf") else "─").splitlines():
        file.write(line.rstrip().encode(encoding, "replace").decode(encoding) + "\n")


def render(report: Report, *, narrow: bool = False) -> RenderableType:
    """The report for a rich console; for a `narrow` one, lines instead of the table, which would lose columns."""
    parts: list[RenderableType] = [_lines(report) if narrow else _table(report)]
    shared = _shared(report)
    parts += [Padding(lines, (0, 1, 1, 1)) for segment in report.segments if (lines := _findings(segment, shared))]
    parts += [Padding(_everywhere(finding, places), (0, 1, 1, 1)) for finding, places in shared.values()]
    if report.canaries is not None and report.canaries.lost:
        parts.append(Padding(_lost(report.canaries), (0, 1, 1, 1)))
    if report.canaries is not None:
        parts += [Padding(_way(way, report), (0, 1, 1, 1)) for way in telling(ways(report.canaries.paths))]
    parts += [Padding(_pack(pack), (0, 1, 1, 1)) for pack in report.rules]
    parts.append(Padding(_last_line(report), (0, 1)))
    return Group(*parts)


def _table(report: Report) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    longest = max((len(segment.segment) for segment in report.segments), default=0)
    table.add_column("segment", overflow="fold", min_width=min(longest, 24), max_width=24)
    table.add_column("verdict", no_wrap=True)
    table.add_column("outermost", no_wrap=True)
    table.add_column("authentic", justify="right", no_wrap=True)
    table.add_column("clear", justify="right", no_wrap=True)
    table.add_column("control", justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for segment in report.segments:
        name = Text(segment.segment)
        if segment.expect is not None:
            name.append(f"\n  expected {segment.expect}", style="dim")
        table.add_row(
            name,
            Text(segment.verdict.upper(), style=_VERDICT_STYLES[segment.verdict]),
            Text("\n".join(_outermost(segment)) or "-"),
            Text("\n".join(_authentic(segment)) or "0"),
            Text(str(_frames(segment, *sorted(_CLEAR_NAMES)))),
            Text(str(_frames(segment, "control"))),
            Text("\n".join(_reasons(segment))),
        )
    return table


def _lines(report: Report) -> Padding:
    """What the table says, below each other."""
    text = Text()
    for segment in report.segments:
        text.append(f"{segment.segment} ")
        text.append(segment.verdict.upper(), style=_VERDICT_STYLES[segment.verdict])
        clear, control = _frames(segment, *sorted(_CLEAR_NAMES)), _frames(segment, "control")
        said = [
            *([f"expected {segment.expect}"] if segment.expect is not None else []),
            f"outermost {', '.join(_outermost(segment)) or '-'}",
            f"authentic {', '.join(_authentic(segment)) or '0'}; clear {clear}; control {control}",
            *_reasons(segment),
        ]
        text.append("".join(f"\n  {line}" for line in said) + "\n")
    return Padding(text, (1, 1, 0, 1))


def _reasons(segment: SegmentReport) -> list[str]:
    more = len(segment.reasons) - _MOST_REASONS
    directions = sorted(segment.directions, key=lambda way: way.label != "out")  # from the segment's first end first
    differ = len({way.verdict for way in directions}) > 1
    apart = [f"{way.title}: {str(way.verdict).upper()}" for way in directions if differ]
    return [*apart, *segment.reasons[:_MOST_REASONS], *([f"and {more} more"] if more > 0 else [])]


def _outermost(segment: SegmentReport) -> list[str]:
    """The classes on the wire other than control, the commonest first."""
    seen = [(count.frames, name) for name, count in segment.census.items() if name != "control"]
    return [_SHORT.get(name, name) for _, name in sorted(seen, key=lambda each: -each[0])]


def _authentic(segment: SegmentReport) -> list[str]:
    """Units authenticated of those that were there, a line for each protocol that was there."""
    return [
        f"{units.authenticated}{'' if units.authenticated == units.checked else f'/{units.checked}'} {name}"
        for name, units in segment.units.items()
        if units.checked
    ]


def _frames(segment: SegmentReport, *names: str) -> int:
    return sum(segment.census[name].frames for name in names if name in segment.census)


Shared = dict[tuple[str, str], tuple[Finding, list[tuple[str, Finding]]]]
"""What several segments have beside the verdict, by code and text; each with where it is."""


def _shared(report: Report) -> Shared:
    found: Shared = {}
    for segment in report.segments:
        for finding in segment.findings:
            if not finding.bears:
                found.setdefault((finding.code, finding.text), (finding, []))[1].append((segment.segment, finding))
    return {key: (finding, places) for key, (finding, places) in found.items() if len(places) > 1}


def _everywhere(finding: Finding, places: list[tuple[str, Finding]]) -> Text:
    """One and the same thing on several segments, said once: the same packets mostly, seen on their way."""
    text = Text(str(finding.severity), style=_SEVERITY_STYLES[finding.severity])
    text.append(f" {finding.code} (beside the verdict): frames {finding.text}: ", style="default")
    said = (
        segment + (f" ({frame_ranges(each.frames, _MOST_RUNS)})" if each.frames else "") for segment, each in places
    )
    text.append(", ".join(said), style="default")
    return text


def _findings(segment: SegmentReport, shared: Shared) -> Text:
    """Up to _MOST_FINDINGS findings of a segment that it does not share, each on a line of its own."""
    text = Text()
    own = [each for each in segment.findings if each.bears or (each.code, each.text) not in shared]
    for finding in own[:_MOST_FINDINGS]:
        text.append("\n" if text else "")
        text.append(f"{segment.segment}: ")
        text.append(str(finding.severity), style=_SEVERITY_STYLES[finding.severity])
        beside = "" if finding.bears else " (beside the verdict)"
        text.append(f" {finding.code}{beside}: {''.join(_finding(finding))}")
    if len(own) > _MOST_FINDINGS:
        text.append(f"\n{segment.segment}: and {len(own) - _MOST_FINDINGS} more findings, see --json")
    return text


def _finding(finding: Finding) -> Iterator[str]:
    yield f"{finding.count} frame{'' if finding.count == 1 else 's'} {finding.text}"
    if finding.frames:
        yield f" ({frame_ranges(finding.frames, _MOST_RUNS)})"


def _pack(pack: PackResult) -> Group:
    """What the frames say of each of a pack's rules."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("clause", overflow="fold", max_width=22)
    table.add_column("rule", overflow="fold", ratio=1)
    table.add_column("frames say", no_wrap=True)
    table.add_column("what it rests on", overflow="fold", ratio=1)
    for rule in pack.results:
        said = Text(str(rule.status).replace("-", " "), style=_STATUS_STYLES[rule.status])
        table.add_row(Text(rule.clause), Text(rule.title), said, Text(rule.text))
    return Group(Text(f"{pack.title} ({pack.name})", style="bold"), table)


def _way(way: Way, report: Report) -> Text:
    """Which segments canaries crossed on their way, and in what; with a number where not all of them did."""
    protected = {segment.segment for segment in report.segments if segment.expect not in (None, "clear")}
    text = Text(f"way of canaries from {way.source} to {way.target}: ")
    for place, stretch in enumerate(way.stretches):
        text.append(", " if place else "").append(f"{stretch.segment} ")
        for number, (form, canaries) in enumerate(stretch.forms):
            wrong = form == _IN_CLEAR and stretch.segment in protected
            share = "" if canaries == way.canaries else f" ({canaries} of {way.canaries})"
            text.append(" and " if number else "").append(f"{form}{share}", style="red" if wrong else "")
    return text


def _lost(canaries: CanaryReport) -> Text:
    lines = list(canaries.lost[:_MOST_FINDINGS])
    if len(canaries.lost) > _MOST_FINDINGS:
        lines.append(f"and {len(canaries.lost) - _MOST_FINDINGS} more")
    return Text("\n".join(f"canary lost: {line}" for line in lines), style="yellow")


def _last_line(report: Report) -> Text:
    frames = sum(segment.frames for segment in report.segments)
    segments = len(report.segments)
    text = Text(str(report.verdict).upper(), style=_VERDICT_STYLES[report.verdict])
    line = f": {segments} segment{'' if segments == 1 else 's'}, {frames} frame{'' if frames == 1 else 's'}"
    if report.canaries is not None:
        line += f", {report.canaries.sent - len(report.canaries.lost)} of {report.canaries.sent} canaries arrived"
    return text.append(line, style="not bold default")
