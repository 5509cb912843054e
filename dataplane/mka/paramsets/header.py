"""What all parameter sets share: their types, and the header before each body."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple, Self

from dataplane.errors import LocalError, WireError

HEADER_OCTETS: Final = 4
SCI_OCTETS: Final = 8
MI_OCTETS: Final = 12

_BODY_LIMIT: Final = 1 << 12


class SetType(enum.IntEnum):
    """802.1X-2020 Table 11-7."""

    LIVE_PEER_LIST = 1
    POTENTIAL_PEER_LIST = 2
    SAK_USE = 3
    DISTRIBUTED_SAK = 4
    DISTRIBUTED_CAK = 5
    KMD = 6
    ANNOUNCEMENT = 7
    XPN = 8
    ICV_INDICATOR = 255


def padded(length: int) -> int:
    """Octets that a body of `length` takes with its padding; the length field counts none of it (802.1X-2020 11.11)."""
    return (length + 3) & ~3


class SetHeader(NamedTuple):
    """The header of a parameter set: its type, the 8 and 4 bits that belong to the type, the body's length.

    ```
     0                   1                   2                   3
    +---------------+---------------+-------+-----------------------+
    |     Type      |   by type     |by type|  Body Length          |
    +---------------+---------------+-------+-----------------------+
    ```

    802.1X-2020 Figure 11-7. In the basic set the first octet is the MKA version.
    """

    kind: int
    second: int = 0
    nibble: int = 0
    body_octets: int = 0

    @property
    def total_octets(self) -> int:
        """Octets of the whole set: header, body, padding."""
        return HEADER_OCTETS + padded(self.body_octets)

    @classmethod
    def parse(cls, octets: bytes) -> Self:
        """The header at the start of `octets`, which hold at least the body that it announces.

        Raises:
            WireError: they do not.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError("a parameter set's header is cut")
        body_octets = (octets[2] & 0x0F) << 8 | octets[3]
        if len(octets) < HEADER_OCTETS + padded(body_octets):
            raise WireError(f"parameter set {octets[0]}: a body of {body_octets} octets is cut")
        return cls(octets[0], octets[1], octets[2] >> 4, body_octets)

    def around(self, body: bytes) -> bytes:
        """The whole set: this header with the body's length, the body, zeros up to the next 4 octets."""
        if len(body) >= _BODY_LIMIT:
            raise LocalError(f"a parameter set's body has less than {_BODY_LIMIT} octets, not {len(body)}")
        length = len(body)
        head = bytes((self.kind, self.second, self.nibble << 4 | length >> 8, length & 0xFF))
        return head + body + bytes(padded(length) - length)
