"""How the octets of a class are spread: a hint for people, never an argument. Compressed octets look random, too.

A sample is enough, and it is the same one whoever reads which part of a capture: it depends on frame numbers alone.
"""

from __future__ import annotations

import math
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from lab.capture.burst import Column

_ALL_BELOW: Final = 512
_EVERY: Final = 1024
_LEAST_OCTETS: Final = 1280  # five for each of 256 values: below it, chi-square says nothing
_MOST_OF_A_FRAME: Final = 2048


def is_sampled(number: int) -> bool:
    """Whether the frame of this number is in the sample."""
    return number <= _ALL_BELOW or not number % _EVERY


def are_sampled(numbers: Column) -> NDArray[np.bool_]:
    """The same of many frames."""
    mask: NDArray[np.bool_] = (numbers <= _ALL_BELOW) | (numbers % _EVERY == 0)
    return mask


@final
class Randomness:
    """How often each octet value occurs, by class."""

    def __init__(self) -> None:
        self.counts: Final[dict[int, NDArray[np.int64]]] = {}

    def sample(self, kind: int, octets: bytes) -> None:
        """Take the octets of one frame that are protected, or would be."""
        counts = np.bincount(np.frombuffer(octets[:_MOST_OF_A_FRAME], np.uint8), minlength=256)
        if kind in self.counts:
            self.counts[kind] += counts
        else:
            self.counts[kind] = counts

    def merge(self, other: Randomness) -> None:
        """Add the sample of another part."""
        for kind, counts in other.counts.items():
            self.counts[kind] = self.counts[kind] + counts if kind in self.counts else counts

    def of(self, kind: int) -> tuple[int, float, float] | None:
        """Octets sampled, entropy in bits an octet, and chi-square for 255 degrees of freedom; None: too few."""
        counts = self.counts.get(kind)
        total = 0 if counts is None else int(counts.sum())
        if counts is None or total < _LEAST_OCTETS:
            return None
        shares = [count / total for count in counts.tolist() if count]
        entropy = -sum(share * math.log2(share) for share in shares)
        expected = total / 256
        chi_square = sum((count - expected) ** 2 for count in counts.tolist()) / expected
        return total, round(entropy, 4), round(chi_square, 1)
