"""The heads of a burst's frames as a matrix, one row a frame, and the questions that the fast way asks of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lab.capture.burst import Burst, Column
from lab.capture.frame import ETHERNET

Mask: TypeAlias = NDArray[np.bool_]
Octets: TypeAlias = NDArray[np.uint8]

HEAD_OCTETS: Final = 48
INSIDE_OCTETS: Final = 30  # EtherType, IPv4 header, UDP header
_NATT_PORT: Final = 4500
_IPSEC_PORTS: Final = np.array([500, _NATT_PORT])


@final
class Heads:
    """The first HEAD_OCTETS of those frames of a burst that are whole, Ethernet and at least that long.

    `rows` tells which of the burst's rows they are, `lengths` how long the frames; `matrix` has their octets.
    """

    __slots__ = ("lengths", "matrix", "rows")

    def __init__(self, burst: Burst) -> None:
        ethernet = np.array([origin[0] == ETHERNET for origin in burst.origins], np.bool_)
        whole = burst.ends - burst.starts == burst.lengths
        self.rows: Final[Column] = np.flatnonzero(ethernet[burst.origin] & whole & (burst.lengths >= HEAD_OCTETS))
        self.lengths: Final[Column] = burst.lengths[self.rows]
        octets = np.frombuffer(burst.data, np.uint8)
        self.matrix: Final[Octets] = octets[burst.starts[self.rows][:, None] + np.arange(HEAD_OCTETS)]

    def word(self, at: int) -> Column:
        """The two octets from `at` on, as a number, of every frame."""
        return self.matrix[:, at].astype(np.int64) << 8 | self.matrix[:, at + 1]

    def macsec(self) -> Mask:
        """MACsec frames, encrypted, with an explicit SCI, ES or neither, whose lengths agree (802.1AE-2018 9.12)."""
        tci, short = self.matrix[:, 14] & 0xFC, self.matrix[:, 15].astype(np.int64)
        data = np.where(tci == 0x2C, 28, 20)
        lengths = np.where(short == 0, self.lengths >= data + 64, (short < 48) & (self.lengths == data + short + 16))
        known = (tci == 0x2C) | (tci == 0x0C) | (tci == 0x4C)
        pn = self.word(16) | self.word(18)  # 0 may be malformed, and is for the plain way to judge
        mask: Mask = (self.word(12) == 0x88E5) & known & (pn != 0) & lengths
        return mask

    def ipv4(self) -> Mask:
        """IPv4 datagrams in one piece, without options, with a good checksum, that fit their frames (RFC 791 3.1)."""
        total = self.word(16)
        checksum = sum((self.word(at) for at in range(16, 34, 2)), start=self.word(14))
        mask: Mask = (
            (self.word(12) == 0x0800)
            & (self.matrix[:, 14] == 0x45)
            & (self.word(20) & 0x3FFF == 0)
            & (total >= 20)
            & (total + 14 <= self.lengths)
            & (checksum % 65535 == 0)
        )
        return mask

    def esp(self, ipv4: Mask) -> Mask:
        """ESP packets right behind the IPv4 header, that can be such (RFC 4303 2)."""
        spi = self.word(34) | self.word(36)
        mask: Mask = ipv4 & (self.matrix[:, 23] == 50) & (spi != 0) & (self.word(16) >= 20 + 12)
        return mask

    def esp_in_udp(self, ipv4: Mask) -> Mask:
        """ESP packets on UDP port 4500, that can be such; neither IKE nor keepalives (RFC 3948 2)."""
        spi = self.word(42) | self.word(44)
        ports = (self.word(34) == _NATT_PORT) | (self.word(36) == _NATT_PORT)
        stated = self.word(38)
        lengths = (stated >= 8 + 12) & (stated + 20 <= self.word(16))
        mask: Mask = ipv4 & (self.matrix[:, 23] == 17) & ports & (spi != 0) & lengths
        return mask


def groups(keys: Octets) -> Iterator[Column]:
    """The rows of a matrix that are alike: for each kind, one column of row numbers in ascending order."""
    if not len(keys):
        return
    padded = np.zeros((len(keys), -(-keys.shape[1] // 8) * 8), np.uint8)
    padded[:, : keys.shape[1]] = keys
    words = padded.view(np.uint64)
    order = np.lexsort(words.T)
    ordered = words[order]
    edges = np.flatnonzero(np.any(ordered[1:] != ordered[:-1], axis=1)) + 1
    yield from np.split(order, edges)


def plain_inside(opened: list[bytes]) -> Mask:
    """Which of the user data (EtherType and on) are whole IPv4 datagrams of TCP, ICMP or plain UDP: just cleartext."""
    lengths = np.fromiter(map(len, opened), np.int64, len(opened))
    # What is too short for the question has no such datagram; the padding makes it none.
    heads = b"".join([octets[:INSIDE_OCTETS].ljust(INSIDE_OCTETS, b"\0") for octets in opened])
    matrix = np.frombuffer(heads, np.uint8).reshape(len(opened), INSIDE_OCTETS)
    words = matrix.view(">u2").astype(np.int64)
    total, protocol = words[:, 2], matrix[:, 11]
    udp = protocol == 17
    special = np.isin(words[:, 11:13], _IPSEC_PORTS).any(axis=1)
    plain_udp = udp & ~special & (words[:, 13] >= 8) & (words[:, 13] + 20 <= total)
    mask: Mask = (
        (words[:, 0] == 0x0800)
        & (matrix[:, 2] == 0x45)
        & (words[:, 4] & 0x3FFF == 0)
        & (total >= 20)
        & (total + 2 <= lengths)
        & (words[:, 1:11].sum(axis=1) % 65535 == 0)
        & ((protocol == 6) | (protocol == 1) | plain_udp)
    )
    return mask
