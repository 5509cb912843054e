"""The ESP header: what is readable of an ESP packet without its keys."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

from dataplane.errors import WireError
from dataplane.wire.fields import check_fields

HEADER_OCTETS: Final = 8
PROTOCOL: Final = 50

_FIXED: Final = struct.Struct("!II")


@dataclass(frozen=True, slots=True, kw_only=True)
class EspHeader:
    """The start of an ESP packet. All that follows depends on the SA's transforms.

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +---------------------------------------------------------------+ ----
    |              security parameters index (SPI)                  |  ^
    +---------------------------------------------------------------+  |
    |            sequence number (its low 32 bits)                  | integrity
    +---------------------------------------------------------------+  |  --
    |                 initialization vector (if any)                |  |   ^
    +---------------------------------------------------------------+  |   |
    |                         payload data                          |  |   | encryption
    +               +-----------------------------------------------+  |   |
    |               |               padding (0-255)                 |  |   |
    +---------------+---------------+---------------+---------------+  |   |
    |                               |  pad length   |  next header  |  v   v
    +-------------------------------+---------------+---------------+ ----
    |            integrity check value (ICV), if any                |
    +---------------------------------------------------------------+
                                                          RFC 4303 2
    """

    spi: int
    sequence: int

    def __post_init__(self) -> None:
        check_fields(spi=(self.spi, 32), sequence=(self.sequence, 32))

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview) -> Self:
        """Read the header at the start of an ESP packet.

        Raises:
            WireError: fewer than 8 octets, or an SPI of 0, which never is on a wire (RFC 4303 2.1).
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"an ESP header has 8 octets, here are {len(octets)}")
        spi, sequence = _FIXED.unpack_from(octets)
        if spi == 0:
            raise WireError("an SPI of 0 is never on a wire")
        return cls(spi=spi, sequence=sequence)

    def emit(self) -> bytes:
        """The header's octets."""
        return _FIXED.pack(self.spi, self.sequence)
