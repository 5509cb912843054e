"""The coverage report as one HTML file: no script, no font, no picture from elsewhere; it can be filed as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lab.coverage.census import CLEAR, NAMES
from lab.coverage.document import Finding, Report, SegmentReport, Severity, Verdict
from lab.coverage.facts import CanaryPath, SpecimenReport, Stage, Status
from lab.coverage.findings import frame_ranges
from lab.report.as_json import iso
from lab.report.charts import HEIGHT, WIDTH, chart, spell_seconds
from lab.report.picture import BOX_WIDTH, anchor, draw, lane_tubes, spoken

_TEMPLATES: Final = Path(__file__).with_name("templates")
_CLEAR_NAMES: Final = frozenset(NAMES[kind] for kind in CLEAR)
_MOST_RUNS: Final = 12
_ROW: Final = 16

_VERDICTS: Final = {
    Verdict.PROVEN: "Proven",
    Verdict.VIOLATED: "Violated",
    Verdict.UNPROVEN: "Unproven",
}
_STATUSES: Final = {Status.MET: "met", Status.NOT_MET: "not met", Status.NOT_OBSERVED: "not observed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HexRow:
    """Sixteen octets of a stage: their place, each with the number of its layer, and the same as text."""

    at: int
    octets: tuple[tuple[str, int], ...]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The canaries of one kind from one node to another, and how many of them were seen where and how."""

    title: str
    sent: int
    arrived: int
    cells: tuple[tuple[str, ...], ...]


def as_html(report: Report) -> str:
    """The report as one HTML document."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(
        ranges=lambda frames: frame_ranges(frames, _MOST_RUNS),
        iso=iso,
        verdict=_VERDICTS.__getitem__,
        status=_STATUSES.__getitem__,
        grouped=lambda number: f"{number:,}".replace(",", "\u202f"),
        seconds=spell_seconds,
        percent=_percent,
        anchor=anchor,
        spoken=spoken,
        tubes=lane_tubes,
    )
    return environment.get_template("report.html.j2").render(**_context(report))


def _context(report: Report) -> dict[str, Any]:
    segments = report.segments
    return {
        "report": report,
        "title": _title(report),
        "css": (_TEMPLATES / "report.css").read_text(),
        "picture": draw(report),
        "box_width": BOX_WIDTH,
        "chart_size": (WIDTH, HEIGHT),
        "charts": {segment.segment: chart(segment.timeline) for segment in segments if segment.timeline is not None},
        "classes": tuple(name for name in NAMES if any(name in segment.census for segment in segments)),
        "clear_classes": _CLEAR_NAMES,
        "counts": {verdict: sum(segment.verdict is verdict for segment in segments) for verdict in Verdict},
        "frames": sum(segment.frames for segment in segments),
        "findings": _findings(segments),
        "by_code": _by_code,
        "flows": _flows(report),
        "rows": _hex_rows,
        "telling": _telling,
        "negotiations": _negotiations(segments),
    }


def _title(report: Report) -> str:
    if report.path is not None and report.path.name:
        return report.path.name
    names = [segment.segment for segment in report.segments]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _percent(part: float) -> str:
    """A share of one, with as many digits as it takes to see that it is not nothing."""
    if not part:
        return "0 %"
    return f"{part * 100:.2f} %" if part >= 0.0001 else "below 0.01 %"


def _findings(segments: Iterable[SegmentReport]) -> list[tuple[list[Finding], list[str]]]:
    """Findings of one code together, each with its segment's name, the critical ones first."""
    order = tuple(Severity)
    together: dict[tuple[int, bool, str], tuple[list[Finding], list[str]]] = {}
    for segment in segments:
        for finding in segment.findings:
            key = (order.index(finding.severity), not finding.bears, finding.code)
            alike, names = together.setdefault(key, ([], []))
            alike.append(finding)
            names.append(segment.segment)
    return [together[key] for key in sorted(together)]


def _by_code(findings: Iterable[Finding]) -> list[list[Finding]]:
    together: dict[tuple[str, bool, str], list[Finding]] = {}
    for finding in findings:
        together.setdefault((str(finding.severity), finding.bears, finding.code), []).append(finding)
    return list(together.values())


def _telling(specimens: Iterable[SpecimenReport]) -> list[SpecimenReport]:
    """The specimens that are worth a look: no control frames, those with several stages first."""
    shown = [each for each in specimens if each.what != "control"]
    return sorted(shown, key=lambda each: (-len(each.stages), each.frame))


def _hex_rows(stage: Stage) -> list[HexRow]:
    owners = [-1] * len(stage.octets)
    for number, layer in enumerate(stage.layers):
        for place in range(layer.start, min(layer.end, len(owners))):
            owners[place] = number
    rows = []
    for at in range(0, len(stage.octets), _ROW):
        octets = stage.octets[at : at + _ROW]
        rows.append(
            HexRow(
                at=at,
                octets=tuple((f"{octet:02x}", owners[at + place]) for place, octet in enumerate(octets)),
                text="".join(chr(octet) if 0x20 <= octet < 0x7F else "·" for octet in octets),
            )
        )
    return rows


def _flows(report: Report) -> list[Flow]:
    """The canaries that went end to end, by where they went and what carried them."""
    paths = () if report.canaries is None else report.canaries.paths
    kinds: dict[tuple[str, str, str], list[CanaryPath]] = {}
    for path in paths:
        kinds.setdefault((path.source, path.target, path.transport), []).append(path)
    return [
        Flow(
            title=f"{source} to {target}, {transport.upper()}",
            sent=len(alike),
            arrived=sum(path.arrived for path in alike),
            cells=tuple(_cell(alike, segment.segment) for segment in report.segments),
        )
        for (source, target, transport), alike in kinds.items()
    ]


def _cell(paths: Iterable[CanaryPath], segment: str) -> tuple[str, ...]:
    """How many of these canaries were seen on a segment, in each form."""
    seen: dict[str, set[int]] = {}
    for path in paths:
        for hop in path.hops:
            if hop.segment == segment:
                seen.setdefault(hop.form, set()).add(path.number)
    return tuple(f"{len(numbers)} {form}" for form, numbers in sorted(seen.items()))


def _negotiations(segments: Iterable[SegmentReport]) -> list[tuple[Any, list[str]]]:
    """Every IKE SA once, with the segments on which its messages were heard."""
    known: dict[tuple[str, str], tuple[Any, list[str]]] = {}
    for segment in segments:
        for sa in segment.negotiations:
            told, where = known.setdefault(sa.spis, (sa, []))
            where.append(segment.segment)
            if (sa.messages_deciphered, len(sa.children)) > (told.messages_deciphered, len(told.children)):
                known[sa.spis] = (sa, where)
    return list(known.values())
