"""From captures and keys to the report: two passes where SAKs have to be learned, one where not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.capture.keys import Key
from lab.capture.source import open_capture
from lab.coverage import census
from lab.coverage.bulk import Bulk
from lab.coverage.document import Count, Report, SegmentReport, Units
from lab.coverage.fast import Fast
from lab.coverage.judge import Evidence, judge, watch
from lab.coverage.observe import Observation, Observer
from lab.coverage.opening import Learning, Openers
from lab.coverage.tokens import Tokens
from lab.model.expectation import Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One segment to examine: its capture, and what is known of it."""

    name: str
    capture: Path
    expect: Expectation | None = None
    evidence: Evidence = field(default_factory=Evidence)


def examine(segments: Iterable[Segment], keys: Sequence[Key]) -> Report:
    """The report on all segments.

    Raises:
        InputError: a capture cannot be read, or breaks off.
    """
    return Report(segments=tuple(examine_segment(segment, keys) for segment in segments))


def examine_segment(segment: Segment, keys: Sequence[Key]) -> SegmentReport:
    """The report on one segment; raises as `examine` does."""
    learned = Learning(keys)
    if learned.is_needed:
        with open_capture(segment.capture) as capture:
            for frame in capture:
                learned.frame(frame)
    tokens = Tokens(segment.evidence.tokens)
    observer = Observer(Openers(keys, learned, reveal=bool(tokens)), tokens=tokens, watch=watch(segment.expect))
    bulk = Bulk(observer, Fast(observer.openers, tokens))
    with open_capture(segment.capture) as capture:
        for burst in capture.bursts():
            bulk.burst(burst)
        seen = observer.finish()
        seen.dropped = capture.dropped
        sha256 = capture.sha256()
    return report_on(segment, seen, sha256)


def report_on(segment: Segment, seen: Observation, sha256: str) -> SegmentReport:
    """Judge what was observed and put it all into the document."""
    judgement = judge(seen, segment.expect, segment.evidence)
    return SegmentReport(
        segment=segment.name,
        capture=segment.capture.name,
        sha256=sha256,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        expect=None if segment.expect is None else str(segment.expect),
        frames=seen.frames,
        octets=seen.octets,
        census={
            name: Count(frames=frames, octets=octets)
            for name, frames, octets in zip(census.NAMES, seen.class_frames, seen.class_octets, strict=True)
            if frames
        },
        units={name: _units(name, seen) for name in census.PROTOCOLS},
        directions=judgement.directions,
        cut=seen.cut,
        dropped=max(seen.dropped, segment.evidence.dropped),
        findings=judgement.findings,
    )


def _units(protocol: str, seen: Observation) -> Units:
    authenticated, failed, no_key = seen.units[protocol]
    incomplete = {"esp": seen.esp_incomplete, "ike": seen.ike_incomplete}.get(protocol, 0)
    return Units(authenticated=authenticated, failed=failed, no_key=no_key, incomplete=incomplete)
