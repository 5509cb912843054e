"""Full packet and sequence numbers from their low halves (802.1AE-2018 10.6.2, RFC 4303 Appendix A)."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.capture.burst import Column

Numbers: TypeAlias = NDArray[np.uint64]

_HALF: Final = 1 << 31
_WHOLE: Final = 1 << 32
_LAST: Final = (1 << 64) - _WHOLE  # from here on, no number with the next upper half is left


def nearest_number(low: int, near: int) -> int:
    """The 64-bit number with these low 32 bits that lies nearest to `near`: what a receiver takes it for."""
    same = near & ~0xFFFFFFFF | low
    if same - near > _HALF:
        return same - _WHOLE if same >= _WHOLE else same
    if near - same > _HALF:
        return same + _WHOLE if same < _LAST else same
    return same


def nearest_numbers(lows: Column, near: int) -> Numbers:
    """`nearest_number` of many."""
    upper, lower = near >> 32, near & 0xFFFFFFFF
    uppers = np.full(len(lows), upper, np.uint64)
    if upper:
        uppers -= (lows - lower > _HALF).astype(np.uint64)
    if upper < _WHOLE - 1:
        uppers += (lower - lows > _HALF).astype(np.uint64)
    return uppers << np.uint64(32) | lows.astype(np.uint64)


def full_numbers(low: int, near: int) -> tuple[int, ...]:
    """All that lie around `near`, the nearest first.

    A receiver takes the first alone. A verdict may try the others: the ICV tells, and a capture may begin anywhere.
    """
    nearest = nearest_number(low, near)
    others = (nearest + _WHOLE, nearest - _WHOLE)
    return (nearest, *(number for number in others if 0 <= number < _WHOLE * _WHOLE))
