"""Anti-replay: which numbers are still acceptable, and the full number behind a low half. Nothing else.

A window is asked (`check`) before an ICV is verified and told (`commit`) only after, so that no forged frame can move
it. Two rules stand behind the same verbs: MACsec's lowest acceptable PN, under which a number inside the window may
come again, and the bitmap of IPsec, under which each number is accepted once.
"""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dataplane.errors import LocalError

_LOW_MASK: Final = (1 << 32) - 1
_FULL_MASK: Final = (1 << 64) - 1
_LOW_TOP_BIT: Final = 1 << 31

GREATEST_BITMAP: Final = 65536


def extend_pn(low: int, lowest: int) -> int:
    """The 64-bit PN whose low half was received, by the lowest acceptable PN (802.1AE-2018 10.6.2).

    The upper half is that of `lowest`, plus one when the low half has come past 2^32 since. At the very end of the
    number space the result wraps to a small number, which no window accepts.
    """
    upper = lowest >> 32
    if lowest & _LOW_TOP_BIT and not low & _LOW_TOP_BIT:
        upper += 1
    return (upper << 32 | low) & _FULL_MASK


def extend_esn(low: int, lowest: int) -> int:
    """The 64-bit sequence number whose low half was received, by the window's lower edge (RFC 4303 A2.1).

    It is the one number with this low half among the 2^32 from `lowest` on. At the very end of the number space the
    result wraps to a small number, which no window accepts.
    """
    number = lowest & ~_LOW_MASK | low
    if number < lowest:
        number += 1 << 32
    return number & _FULL_MASK


class LowestAcceptable:
    """MACsec's rule: a number is acceptable unless it is below `lowest` (802.1AE-2018 10.6.2, 10.6.4, 10.6.5).

    `next` is one more than the greatest number committed, `size` the replay window: `lowest` follows `next` at that
    distance and never goes back. Size 0 is strict ordering.
    """

    __slots__ = ("lowest", "next", "size")

    def __init__(self, size: int, *, next_number: int = 1, lowest: int = 1) -> None:
        """Start with nothing received.

        Raises:
            LocalError: a negative size, or a first number below 1.
        """
        if size < 0 or next_number < 1 or lowest < 1:
            raise LocalError(f"a window has a size of at least 0 and begins at 1: {size}, {next_number}, {lowest}")
        self.size: Final = size
        self.next = next_number
        self.lowest = max(lowest, next_number - size)

    def check(self, number: int) -> bool:
        """Whether a frame with this number may be processed."""
        return number >= self.lowest

    def commit(self, number: int) -> None:
        """Take note of an acceptable number whose ICV was verified."""
        if number >= self.next:
            self.next = number + 1
            if number + 1 - self.size > self.lowest:
                self.lowest = number + 1 - self.size

    def raise_to(self, *, next_number: int, lowest: int) -> None:
        """Move forward by what a key agreement has told; never back (802.1AE-2018 10.7.15)."""
        self.next = max(self.next, next_number, lowest)
        self.lowest = max(self.lowest, lowest, self.next - self.size)

    def check_rising(self, first: int) -> bool:
        """Whether all numbers of a strictly rising run that begins with `first` are acceptable one after the other.

        False only says that they have to be checked one by one.
        """
        return first >= self.lowest

    def commit_rising(self, numbers: NDArray[np.uint64]) -> None:
        """Commit the numbers, strictly rising and at least one, of a run that `check_rising` accepted."""
        self.commit(int(numbers[-1]))


class Bitmap(LowestAcceptable):
    """IPsec's rule: within the window each number is accepted once (RFC 4303 3.4.3; RFC 6479's ring in its stead).

    Slot `number mod ring size` of a ring holds the number that was there last. Other numbers that share the slot are a
    whole ring apart, so the ring never has to be cleared, and moving the window costs nothing.
    """

    __slots__ = ("_mask", "_ring", "_ring_rows")

    def __init__(self, size: int, *, next_number: int = 1, lowest: int = 1) -> None:
        """Start with nothing received.

        Raises:
            LocalError: the size is not 1 to 65536 (RFC 4303 3.4.3 asks of an ESP receiver for at least 32).
        """
        if not 1 <= size <= GREATEST_BITMAP:
            raise LocalError(f"a bitmap window has 1 to {GREATEST_BITMAP} numbers, not {size}")
        super().__init__(size, next_number=next_number, lowest=lowest)
        slots = 1 << (size - 1).bit_length()
        self._mask: Final = slots - 1
        self._ring: Final = array("Q", bytes(8 * slots))
        self._ring_rows: Final[NDArray[np.uint64]] = np.frombuffer(self._ring, np.uint64)

    def check(self, number: int) -> bool:
        """Whether a packet with this number may be processed: not below the window, and not seen."""
        return number >= self.next or (number >= self.lowest and self._ring[number & self._mask] != number)

    def commit(self, number: int) -> None:
        """Take note of an acceptable number whose ICV was verified."""
        self._ring[number & self._mask] = number
        if number >= self.next:
            self.next = number + 1
            if number + 1 - self.size > self.lowest:
                self.lowest = number + 1 - self.size

    def check_rising(self, first: int) -> bool:
        """As for the other rule; here only a run ahead of all that was received is accepted as a whole."""
        return first >= self.next

    def commit_rising(self, numbers: NDArray[np.uint64]) -> None:
        """As for the other rule."""
        # Of numbers that share a slot the last is kept, and it is the greatest.
        self._ring_rows[(numbers & np.uint64(self._mask)).astype(np.intp)] = numbers
        last = int(numbers[-1])
        self.next = last + 1
        self.lowest = max(self.lowest, self.next - self.size)
