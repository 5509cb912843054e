"""The IKE header: the part of every IKE message that is in the clear."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

from dataplane.errors import LocalError, WireError
from dataplane.wire.fields import check_fields

HEADER_OCTETS: Final = 28
NO_SPI: Final = bytes(8)

_FIXED: Final = struct.Struct("!8s8sBBBBII")
_INITIATOR: Final = 0x08
_VERSION: Final = 0x10
_RESPONSE: Final = 0x20


@dataclass(frozen=True, slots=True, kw_only=True)
class IkeHeader:
    """An IKE header.

        0                   1                   2                   3
        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
       +---------------------------------------------------------------+
       |                 IKE SA initiator's SPI, 8 octets              |
       +---------------------------------------------------------------+
       |                 IKE SA responder's SPI, 8 octets              |
       +---------------+-------+-------+---------------+---------------+
       | next payload  | major | minor | exchange type | x x R V I x x x
       +---------------+-------+-------+---------------+---------------+
       |                          message ID                           |
       +---------------------------------------------------------------+
       |                       length, in octets                       |
       +---------------------------------------------------------------+
                                                           RFC 7296 3.1

    `is_initiator` says that the sender is the IKE SA's original initiator; `higher_version` is the V flag. `length`
    counts the whole message. Versions and exchange types are not judged here.
    """

    spi_i: bytes
    spi_r: bytes
    next_payload: int
    exchange_type: int
    message_id: int
    length: int
    is_initiator: bool
    is_response: bool
    major_version: int = 2
    minor_version: int = 0
    higher_version: bool = False

    def __post_init__(self) -> None:
        check_fields(
            next_payload=(self.next_payload, 8),
            exchange_type=(self.exchange_type, 8),
            message_id=(self.message_id, 32),
            length=(self.length, 32),
            major_version=(self.major_version, 4),
            minor_version=(self.minor_version, 4),
        )
        if len(self.spi_i) != 8 or len(self.spi_r) != 8:
            raise LocalError(f"an IKE SPI has 8 octets, not {len(self.spi_i)} and {len(self.spi_r)}")

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview, *, cut: bool = False) -> Self:
        """Read the header at the start of a message (after the marker, on port 4500).

        With `cut`, the octets may end before the message does.

        Raises:
            WireError: fewer octets than the header or, unless cut, than the length it states; an initiator's SPI of 0.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"an IKE header has 28 octets, here are {len(octets)}")
        spi_i, spi_r, next_payload, version, exchange_type, flags, message_id, length = _FIXED.unpack_from(octets)
        if length < HEADER_OCTETS or (length > len(octets) and not cut):
            raise WireError(f"IKE length {length} in {len(octets)} octets")
        if spi_i == NO_SPI:  # RFC 7296 3.1
            raise WireError("the initiator's SPI is 0")
        return cls(
            spi_i=spi_i,
            spi_r=spi_r,
            next_payload=next_payload,
            exchange_type=exchange_type,
            message_id=message_id,
            length=length,
            is_initiator=bool(flags & _INITIATOR),
            is_response=bool(flags & _RESPONSE),
            major_version=version >> 4,
            minor_version=version & 0xF,
            higher_version=bool(flags & _VERSION),
        )

    def emit(self) -> bytes:
        """The header's octets; reserved flags are sent as zero."""
        return _FIXED.pack(
            self.spi_i,
            self.spi_r,
            self.next_payload,
            self.major_version << 4 | self.minor_version,
            self.exchange_type,
            self.is_initiator * _INITIATOR | self.higher_version * _VERSION | self.is_response * _RESPONSE,
            self.message_id,
            self.length,
        )
