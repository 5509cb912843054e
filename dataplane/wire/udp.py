"""The UDP header, and what the octets on port 4500 are."""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final, Self

from dataplane.errors import WireError
from dataplane.wire.fields import check_fields

HEADER_OCTETS: Final = 8

IKE_PORT: Final = 500
NATT_PORT: Final = 4500
NON_ESP_MARKER: Final = bytes(4)
KEEPALIVE: Final = b"\xff"

_FIXED: Final = struct.Struct("!HHHH")


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpHeader:
    """A UDP header.

        0                   1                   2                   3
        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
       +-------------------------------+-------------------------------+
       |          source port          |       destination port        |
       +-------------------------------+-------------------------------+
       |            length             |           checksum            |
       +-------------------------------+-------------------------------+
                                                                RFC 768

    `length` counts header and payload in octets. `checksum` is carried as it is: it needs the addresses to be judged.
    """

    source_port: int
    destination_port: int
    length: int
    checksum: int = 0

    def __post_init__(self) -> None:
        check_fields(
            source_port=(self.source_port, 16),
            destination_port=(self.destination_port, 16),
            length=(self.length, 16),
            checksum=(self.checksum, 16),
        )

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview, *, cut: bool = False) -> Self:
        """Read the header at the start of a datagram; with `cut`, the octets may end before the datagram does.

        Raises:
            WireError: fewer octets than a header or, unless cut, than the length it states.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"a UDP header has 8 octets, here are {len(octets)}")
        source_port, destination_port, length, checksum = _FIXED.unpack_from(octets)
        if length < HEADER_OCTETS or (length > len(octets) and not cut):
            raise WireError(f"UDP length {length} in {len(octets)} octets")
        return cls(source_port=source_port, destination_port=destination_port, length=length, checksum=checksum)

    def emit(self) -> bytes:
        """The header's octets."""
        return _FIXED.pack(self.source_port, self.destination_port, self.length, self.checksum)


class NattKind(enum.Enum):
    """What a UDP payload on port 4500 is."""

    KEEPALIVE = "keepalive"
    IKE = "ike"
    ESP = "esp"


def natt_kind(payload: bytes | bytearray | memoryview) -> NattKind:
    """Tell a keepalive, an IKE message behind its marker of four zeros, and an ESP packet apart (RFC 3948 2.1 to 2.3).

    Raises:
        WireError: none of them: too short for a marker or an SPI.
    """
    if len(payload) == 1 and payload[0] == KEEPALIVE[0]:
        return NattKind.KEEPALIVE
    if len(payload) < len(NON_ESP_MARKER):
        raise WireError(f"{len(payload)} octets on port {NATT_PORT} are neither marker nor SPI")
    return NattKind.IKE if bytes(payload[:4]) == NON_ESP_MARKER else NattKind.ESP
