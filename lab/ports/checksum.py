"""The Internet checksum (RFC 1071), of octets and of the same columns of many rows at once.

A sum is that of big-endian 16-bit words, folded into 16 bits or not yet. Rows are summed in the machine's own byte
order, where numpy is fast: such a sum, folded, has its octets in the machine's order too (RFC 1071 2(B)), so what is
computed with it and written back as native words is right on the wire.
"""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch

TCP: Final = 6
UDP: Final = 17

# Below this many octets one big division is cheaper than numpy's fixed cost.
_BY_DIVISION: Final = 600


def ones_complement_sum(octets: bytes | bytearray | memoryview) -> int:
    """The folded sum of the 16-bit words of `octets`; an odd last octet counts as the upper half of a word."""
    length = len(octets)
    if length < _BY_DIVISION:
        # 2^16 = 1 modulo 65535, so the words' sum is the whole number's remainder; only all zeros sum up to 0.
        total = int.from_bytes(octets, "big") << (8 * (length & 1))
        return (total - 1) % 65535 + 1 if total else 0
    words = np.frombuffer(octets, np.uint16, length // 2)
    total = int(np.add.reduce(words, dtype=np.uint32))
    if length & 1:
        total += octets[length - 1] << (8 if sys.byteorder == "big" else 0)
    return swap(fold(total))


def fold(total: int) -> int:
    """Bring a sum into 16 bits; only 0 gives 0."""
    return (total - 1) % 65535 + 1 if total else 0


def swap(total: int) -> int:
    """A folded sum between big-endian and native order."""
    return total if sys.byteorder == "big" else (total >> 8) | (total & 0xFF) << 8


def finish(total: int) -> int:
    """The checksum field that makes a sum complete: the complement of the folded sum."""
    return fold(total) ^ 0xFFFF


def pseudo_header_sum(addresses: bytes | bytearray | memoryview, protocol: int, length: int) -> int:
    """The sum, not folded, of a pseudo-header (RFC 9293 3.1, RFC 8200 8.1): both addresses, protocol, upper length."""
    return ones_complement_sum(addresses) + protocol + (length >> 16) + (length & 0xFFFF)


def complete(frame: memoryview, length: int, start: int, offset: int) -> bool:
    """Finish a checksum that the kernel left to the device: over all octets from `start`, into the field at `offset`.

    The field holds the pseudo-header's sum. False when the field would not lie in the frame.
    """
    field = start + offset
    if field + 2 > length:
        return False
    # All ones is as good as 0 to TCP, and to UDP the only right one of the two (RFC 768).
    frame[field : field + 2] = (finish(ones_complement_sum(frame[start:length])) or 0xFFFF).to_bytes(2, "big")
    return True


def native_words(batch: Batch) -> NDArray[np.uint16]:
    """The octets of a batch as a (slots, size / 2) array of native words. The batch's slots are of an even size."""
    return batch.rows.view(np.uint16)


def row_sums(words: NDArray[np.uint16], start: int, end: int) -> NDArray[np.uint32]:
    """For each row the native sum of the words in the octets from `start` up to `end`, both even, below 64 KiB."""
    total: NDArray[np.uint32] = np.add.reduce(words[:, start >> 1 : end >> 1], axis=1, dtype=np.uint32)
    return total


def in_network_order(totals: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Native sums as sums of big-endian words, not folded: 256 times a word, modulo 65535, is the word swapped."""
    wide = totals.astype(np.int64)
    if sys.byteorder == "little":
        wide *= 256
    return wide
