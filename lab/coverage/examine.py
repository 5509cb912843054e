"""From captures and keys to the report: two passes where SAKs have to be learned, one where not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lab.capture.burst import Burst
from lab.capture.keys import Key
from lab.capture.source import Capture, open_capture
from lab.coverage.assemble import assemble
from lab.coverage.bulk import Bulk
from lab.coverage.crew import Chosen, go
from lab.coverage.document import Report
from lab.coverage.fast import Fast
from lab.coverage.filter import Filter
from lab.coverage.judge import watch
from lab.coverage.observe import Observer
from lab.coverage.opening import Learning, Openers
from lab.coverage.segment import Observed, Segment
from lab.coverage.show import show
from lab.coverage.tokens import Tokens
from lab.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How captures are read.

    `workers` look at frames side by side, which changes nothing of what is found. A `filter` leaves frames out. With
    `partial`, a capture that breaks off is judged by the frames before that, and never proven. `progress` is told again
    and again how many more octets of files were read; a file is read twice where there are CAKs.
    """

    workers: int = 1
    filter: str | None = None
    partial: bool = False
    progress: Callable[[int], None] = lambda octets: None


def examine(segments: Iterable[Segment], keys: Sequence[Key], manner: Manner | None = None) -> Report:
    """The report on all segments.

    Raises:
        InputError: a capture cannot be read, or breaks off.
        MachineError: the workers cannot be had.
    """
    manner = manner or Manner()
    return assemble([observe_segment(segment, keys, manner) for segment in segments])


def observe_segment(segment: Segment, keys: Sequence[Key], manner: Manner | None = None) -> Observed:
    """Read one segment's capture; raises as `examine` does."""
    manner = manner or Manner()
    learned = Learning(keys)
    if learned.is_needed:
        with open_capture(segment.capture, hashed=False) as capture:
            for burst in _Walk(capture, manner):
                learned.burst(burst)
    tokens = Tokens(segment.evidence.tokens)
    observer = Observer(Openers(keys, learned, reveal=bool(tokens)), tokens=tokens, watch=watch(segment.expect))
    fast = Fast(observer.openers, tokens)
    with open_capture(segment.capture) as capture:
        walk = _Walk(capture, manner)
        go(walk.chosen(), Bulk(observer, fast), fast, manner.workers)
        seen = observer.finish()
        if walk.broken:
            seen.notes.add("truncated", walk.broken, walk.frames + 1)
        seen.dropped = capture.dropped
        sha256 = capture.sha256()
    return Observed(
        segment=segment,
        seen=seen,
        sha256=sha256,
        specimens=show(seen.collected.specimens, keys, learned),
        filter=manner.filter,
        excluded=walk.frames - seen.frames,
    )


class _Walk:
    """A walk over a capture's bursts. `frames` counts what was walked over, `broken` says why it went no further."""

    def __init__(self, capture: Capture, manner: Manner) -> None:
        self._capture: Final = capture
        self._manner: Final = manner
        self.frames = 0
        self.broken = ""

    def __iter__(self) -> Iterator[Burst]:
        before = 0
        try:
            for burst in self._capture.bursts():
                self._manner.progress(self._capture.octets_read - before)
                before = self._capture.octets_read
                self.frames += len(burst)
                yield burst
        except InputError as error:
            if not self._manner.partial:
                raise
            self.broken = " ".join(problem.text for problem in error.problems)

    def chosen(self) -> Iterator[Chosen]:
        """The bursts, and the rows that pass the filter."""
        chosen = None if self._manner.filter is None else Filter(self._manner.filter)
        for burst in self:
            yield burst, None if chosen is None else chosen.rows(burst)
