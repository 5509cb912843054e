"""The coverage report as JSON. Others rely on it: fields may be added, and none ever changes its meaning."""

from __future__ import annotations

from lab.coverage.document import SCHEMA, DirectionReport, Finding, Report, SegmentReport, Units

Json = dict[str, object]


def as_json(report: Report) -> Json:
    """The report as an object for `json.dumps`."""
    document: Json = {
        "schema": SCHEMA,
        "verdict": str(report.verdict),
        "segments": [_segment(segment) for segment in report.segments],
    }
    if report.canaries is not None:
        document["canaries"] = {"sent": report.canaries.sent, "lost": list(report.canaries.lost)}
    return document


def _segment(segment: SegmentReport) -> Json:
    filtered = {} if segment.filter is None else {"filter": segment.filter, "excluded": segment.excluded}
    return {
        "segment": segment.segment,
        "capture": segment.capture,
        "sha256": segment.sha256,
        "expect": segment.expect,
        "verdict": str(segment.verdict),
        "reasons": list(segment.reasons),
        "frames": segment.frames,
        "octets": segment.octets,
        "census": {name: {"frames": each.frames, "octets": each.octets} for name, each in segment.census.items()},
        **{name: _units(units) for name, units in segment.units.items()},
        "cut": segment.cut,
        "dropped": segment.dropped,
        **filtered,
        "directions": [_direction(direction) for direction in segment.directions],
        "findings": [_finding(finding) for finding in segment.findings],
    }


def _units(units: Units) -> Json:
    counts: Json = {"authenticated": units.authenticated, "failed": units.failed, "no_key": units.no_key}
    if units.incomplete:
        counts["incomplete"] = units.incomplete
    return counts


def _direction(direction: DirectionReport) -> Json:
    return {
        "label": direction.label,
        "frames": direction.frames,
        "data": direction.data,
        "authenticated": direction.authenticated,
        "token_frames": direction.token_frames,
    }


def _finding(finding: Finding) -> Json:
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "text": finding.text,
        "frames": list(finding.frames),
        "count": finding.count,
    }
