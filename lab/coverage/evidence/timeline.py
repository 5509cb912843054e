"""When frames of each class were seen: counts in equal spans of time, never many of them, whatever a capture spans."""

from __future__ import annotations

from typing import Final, final

import numpy as np

from lab.capture.burst import Column
from lab.coverage.columns import Octets

MOST_BINS: Final = 128
_FINEST: Final = 20  # spans are 2^n nanoseconds; 2^20 is about a millisecond


@final
class Timeline:
    """Frames by class and span. A span starts at a multiple of its length after 1970, so that parts can be merged."""

    __slots__ = ("_high", "_low", "bins", "shift")

    def __init__(self) -> None:
        self.shift = _FINEST
        self.bins: dict[tuple[int, int], int] = {}
        self._low = self._high = 0  # the times of the first and last frame; 0: none has one

    @property
    def first_time(self) -> int:
        """When the first frame was seen, in nanoseconds since 1970; 0 where no frame has a time."""
        return self._low

    @property
    def last_time(self) -> int:
        """When the last frame was seen."""
        return self._high

    def frame(self, kind: int, time_ns: int) -> None:
        """Count one frame. A time of 0 is none."""
        if not time_ns:
            return
        if not self._low <= time_ns <= self._high:
            self._reach(time_ns, time_ns)
        key = (kind, time_ns >> self.shift)
        self.bins[key] = self.bins.get(key, 0) + 1

    def run(self, kinds: Octets, times: Column) -> None:
        """Count many frames."""
        known = times > 0
        if not known.all():
            kinds, times = kinds[known], times[known]
        if not len(times):
            return
        self._reach(int(times.min()), int(times.max()))
        first = self._low >> self.shift
        counts = np.bincount((times >> self.shift) - first << 8 | kinds)
        for place in np.flatnonzero(counts).tolist():
            key = (place & 0xFF, first + (place >> 8))
            self.bins[key] = self.bins.get(key, 0) + int(counts[place])

    def merge(self, other: Timeline) -> None:
        """Add the timeline of another part."""
        if not other.last_time:
            return
        self._reach(other.first_time, other.last_time)
        while self.shift < other.shift:
            self._coarsen()
        for (kind, span), count in other.bins.items():
            key = (kind, span >> self.shift - other.shift)
            self.bins[key] = self.bins.get(key, 0) + count

    def counts(self) -> tuple[int, dict[int, list[int]]]:
        """The first span, and for each class the frames in it and in those after it."""
        if not self._high:
            return 0, {}
        first, last = self._low >> self.shift, self._high >> self.shift
        classes: dict[int, list[int]] = {}
        for kind, span in sorted(self.bins):
            row = classes.setdefault(kind, [0] * (last - first + 1))
            row[span - first] = self.bins[kind, span]
        return first, classes

    def _reach(self, low: int, high: int) -> None:
        """Stretch to a span of time, with longer bins where there would be too many."""
        self._low = min(self._low, low) if self._low else low
        self._high = max(self._high, high)
        while (self._high >> self.shift) - (self._low >> self.shift) >= MOST_BINS:
            self._coarsen()

    def _coarsen(self) -> None:
        self.shift += 1
        bins: dict[tuple[int, int], int] = {}
        for (kind, span), count in self.bins.items():
            key = (kind, span >> 1)
            bins[key] = bins.get(key, 0) + count
        self.bins = bins
