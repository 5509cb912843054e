"""The coverage report as JSON. Others rely on it: fields may be added, and none ever changes its meaning."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from lab.coverage.document import SCHEMA, DirectionReport, Finding, Report, SegmentReport, Units
from lab.coverage.facts import Layer, ResidueReport

Json = dict[str, object]

SCHEMA_FILE: Final = Path(__file__).with_name("coverage-1.schema.json")
"""The published JSON Schema of this document."""

_TIMES: Final = frozenset({"first_time", "last_time", "start", "time"})


def as_json(report: Report) -> Json:
    """The report as an object for `json.dumps`."""
    document: Json = {
        "schema": SCHEMA,
        "verdict": str(report.verdict),
        "segments": [_segment(segment) for segment in report.segments],
    }
    if report.canaries is not None:
        document["canaries"] = {
            "sent": report.canaries.sent,
            "lost": list(report.canaries.lost),
            "paths": [_plain(path) for path in report.canaries.paths],
        }
    if report.path is not None:
        document["path"] = _plain(report.path)
    document["keys"] = [_plain(key) for key in report.keys]
    document["evidence"] = [_plain(each) for each in report.evidence]
    if report.rules:
        document["rules"] = [_plain(pack) for pack in report.rules]
    if report.provenance is not None:
        document["provenance"] = _plain(report.provenance)
    return document


def iso(time_ns: int) -> str:
    """Nanoseconds since 1970 as an instant in UTC, with all nine digits."""
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    instant = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{fraction:09d}Z"


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
        "ends": None if segment.ends is None else list(segment.ends),
        "first_time": None if segment.first_time is None else iso(segment.first_time),
        "last_time": None if segment.last_time is None else iso(segment.last_time),
        "sas": [_plain(sa) for sa in segment.sas],
        "negotiations": [_plain(sa) for sa in segment.negotiations],
        "downgrades": [_plain(check) for check in segment.downgrades],
        "residue": None if segment.residue is None else _residue(segment.residue),
        "timeline": None if segment.timeline is None else _plain(segment.timeline),
        "randomness": [_plain(each) for each in segment.randomness],
        "specimens": [_plain(each) for each in segment.specimens],
        "evidence": [_plain(each) for each in segment.evidence],
    }


def _units(units: Units) -> Json:
    counts: Json = {"authenticated": units.authenticated, "failed": units.failed, "no_key": units.no_key}
    if units.incomplete:
        counts["incomplete"] = units.incomplete
    return counts


def _direction(direction: DirectionReport) -> Json:
    return {
        "label": direction.label,
        "from": direction.source,
        "to": direction.target,
        "verdict": str(direction.verdict),
        "reasons": list(direction.reasons),
        "frames": direction.frames,
        "data": direction.data,
        "authenticated": direction.authenticated,
        "token_frames": direction.token_frames,
        "census": dict(direction.census),
        "coverage": dict(direction.coverage),
    }


def _finding(finding: Finding) -> Json:
    return {
        "code": finding.code,
        "severity": str(finding.severity),
        "text": finding.text,
        "frames": list(finding.frames),
        "count": finding.count,
        "bears_on_verdict": finding.bears,
        "why": finding.why,
        "change": finding.change,
    }


def _residue(residue: ResidueReport) -> Json:
    return {
        "by_design": list(residue.by_design),
        "fields": {name: list(values) for name, values in residue.fields.items()},
        "overflowing": list(residue.overflowing),
        "lengths": {
            "least": residue.least_length,
            "most": residue.most_length,
            "distinct": residue.distinct_lengths,
            "commonest": [{"octets": octets, "frames": frames} for octets, frames in residue.common_lengths],
        },
    }


def _plain(value: Any) -> Any:
    """A record of the document as JSON has it: its fields by their names, octets in hex, times as instants."""
    if isinstance(value, Layer):
        fields = [{"name": name, "value": told} for name, told in value.fields]
        return {"name": value.name, "start": value.start, "end": value.end, "fields": fields}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: iso(held) if each.name in _TIMES and isinstance(held, int) else _plain(held)
            for each in dataclasses.fields(value)
            for held in (getattr(value, each.name),)
        }
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(name): _plain(held) for name, held in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(held) for held in value]
    return value
