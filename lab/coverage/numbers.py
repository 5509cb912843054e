"""Full packet and sequence numbers from their low halves (802.1AE-2018 10.6.2, RFC 4303 Appendix A)."""

from __future__ import annotations

from typing import Final

_HALF: Final = 1 << 31
_WHOLE: Final = 1 << 32


def full_numbers(low: int, near: int) -> tuple[int, ...]:
    """The 64-bit numbers with these low 32 bits that lie around `near`, the nearest first.

    A receiver takes the first alone. A verdict may try the others: the ICV tells, and a capture may begin anywhere.
    """
    same = near & ~0xFFFFFFFF | low
    if same - near > _HALF:
        order = (same - _WHOLE, same, same + _WHOLE)
    elif near - same > _HALF:
        order = (same + _WHOLE, same, same - _WHOLE)
    else:
        order = (same, same + _WHOLE, same - _WHOLE)
    return tuple(number for number in order if 0 <= number < 1 << 64)
