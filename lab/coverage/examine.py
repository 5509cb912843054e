"""From captures and keys to the report: two passes where SAKs have to be learned, one where not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.capture.burst import Burst
from lab.capture.keys import Key
from lab.capture.source import Capture, open_capture
from lab.coverage import census
from lab.coverage.bulk import Bulk
from lab.coverage.crew import go
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How captures are read, none of which changes what is found.

    `workers` look at frames side by side. `progress` is told again and again how many more octets of files were read;
    a file is read twice where there are CAKs.
    """

    workers: int = 1
    progress: Callable[[int], None] = lambda octets: None


def examine(segments: Iterable[Segment], keys: Sequence[Key], manner: Manner | None = None) -> Report:
    """The report on all segments.

    Raises:
        InputError: a capture cannot be read, or breaks off.
        MachineError: the workers cannot be had.
    """
    manner = manner or Manner()
    return Report(segments=tuple(examine_segment(segment, keys, manner) for segment in segments))


def examine_segment(segment: Segment, keys: Sequence[Key], manner: Manner) -> SegmentReport:
    """The report on one segment; raises as `examine` does."""
    learned = Learning(keys)
    if learned.is_needed:
        with open_capture(segment.capture, hashed=False) as capture:
            for burst in _told(capture, manner):
                learned.burst(burst)
    tokens = Tokens(segment.evidence.tokens)
    observer = Observer(Openers(keys, learned, reveal=bool(tokens)), tokens=tokens, watch=watch(segment.expect))
    fast = Fast(observer.openers, tokens)
    with open_capture(segment.capture) as capture:
        go(((burst, None) for burst in _told(capture, manner)), Bulk(observer, fast), fast, manner.workers)
        seen = observer.finish()
        seen.dropped = capture.dropped
        sha256 = capture.sha256()
    return report_on(segment, seen, sha256)


def _told(capture: Capture, manner: Manner) -> Iterator[Burst]:
    """The bursts of a capture; progress is told of."""
    before = 0
    for burst in capture.bursts():
        manner.progress(capture.octets_read - before)
        before = capture.octets_read
        yield burst


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
