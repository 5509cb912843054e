"""From captures and keys to the report: two passes where SAKs have to be learned, one where not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lab.capture.keys import Key
from lab.capture.source import open_capture
from lab.coverage.assemble import assemble
from lab.coverage.bulk import Bulk
from lab.coverage.document import Report
from lab.coverage.judge import watch
from lab.coverage.observe import Observer
from lab.coverage.opening import Learning, Openers
from lab.coverage.segment import Observed, Segment
from lab.coverage.show import show
from lab.coverage.tokens import Tokens


def examine(segments: Iterable[Segment], keys: Sequence[Key]) -> Report:
    """The report on all segments.

    Raises:
        InputError: a capture cannot be read, or breaks off.
    """
    return assemble([observe_segment(segment, keys) for segment in segments])


def observe_segment(segment: Segment, keys: Sequence[Key]) -> Observed:
    """Read one segment's capture; raises as `examine` does."""
    learned = Learning(keys)
    if learned.is_needed:
        with open_capture(segment.capture) as capture:
            for frame in capture:
                learned.frame(frame)
    tokens = Tokens(segment.evidence.tokens)
    observer = Observer(Openers(keys, learned, reveal=bool(tokens)), tokens=tokens, watch=watch(segment.expect))
    bulk = Bulk(observer)
    with open_capture(segment.capture) as capture:
        for burst in capture.bursts():
            bulk.burst(burst)
        seen = observer.finish()
        seen.dropped = capture.dropped
        sha256 = capture.sha256()
    specimens = show(seen.collected.specimens, keys, learned)
    return Observed(segment=segment, seen=seen, sha256=sha256, specimens=specimens)
