"""The coverage report as JUnit XML: one case a segment and direction, so that a pipeline shows which one broke.

A direction that is violated is a failure; one that is unproven is an error: nothing was shown, in either sense.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from lab.coverage.document import Report, SegmentReport, Verdict

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def as_junit(report: Report) -> str:
    """The report as one XML document."""
    suites = ET.Element("testsuites", name="wireproof")
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for segment in report.segments:
        suite = ET.SubElement(suites, "testsuite", name=_text(segment.segment))
        counts = {"tests": 0, "failures": 0, "errors": 0}
        properties = ET.SubElement(suite, "properties")
        for name, value in _properties(segment):
            ET.SubElement(properties, "property", name=name, value=_text(value))
        for title, verdict, reasons in _cases(segment):
            counts["tests"] += 1
            case = ET.SubElement(suite, "testcase", classname=_text(segment.segment), name=_text(title), time="0")
            _outcome(case, counts, verdict, reasons)
        if segment.findings:
            ET.SubElement(suite, "system-out").text = _text("\n".join(_lines(segment)))
        for name, count in counts.items():
            suite.set(name, str(count))
            totals[name] += count
    for name, count in totals.items():
        suites.set(name, str(count))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _cases(segment: SegmentReport) -> Iterator[tuple[str, Verdict, tuple[str, ...]]]:
    """The directions; both of those that are known to be there, also where one of them carried nothing."""
    yield from ((direction.title, direction.verdict, direction.reasons) for direction in segment.directions)
    if segment.ends is not None:
        there = {direction.title for direction in segment.directions}
        near, far = segment.ends
        for title in (f"{near} to {far}", f"{far} to {near}"):
            if title not in there:
                yield title, Verdict.UNPROVEN, ("no frame in this direction carries data",)
    elif not segment.directions:
        yield "no direction", segment.verdict, segment.reasons
    elif segment.verdict is not Verdict.PROVEN and all(each.verdict is Verdict.PROVEN for each in segment.directions):
        yield "both directions", segment.verdict, segment.reasons  # as where there is one alone


def _outcome(case: ET.Element, counts: dict[str, int], verdict: Verdict, reasons: tuple[str, ...]) -> None:
    if verdict is Verdict.PROVEN:
        ET.SubElement(case, "system-out").text = _text("; ".join(reasons))
        return
    violated = verdict is Verdict.VIOLATED
    counts["failures" if violated else "errors"] += 1
    told = ET.SubElement(case, "failure" if violated else "error", type=str(verdict), message=_text("; ".join(reasons)))
    told.text = _text("\n".join(reasons))


def _properties(segment: SegmentReport) -> Iterator[tuple[str, str]]:
    yield "verdict", str(segment.verdict)
    yield "expected", segment.expect or "nothing"
    yield "capture", segment.capture
    yield "sha256", segment.sha256
    yield "frames", str(segment.frames)


def _lines(segment: SegmentReport) -> Iterator[str]:
    for finding in segment.findings:
        frames = ", ".join(map(str, finding.frames[:20])) + (", ..." if finding.count > 20 else "")
        yield f"{finding.severity} {finding.code}: {finding.count} frames {finding.text} ({frames})"


def _text(value: str) -> str:
    """What XML can hold of a text: no control characters."""
    return _NOT_XML.sub("?", value)
