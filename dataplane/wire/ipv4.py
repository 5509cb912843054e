"""The IPv4 header. Octet rules only; what a packet may do is the engines' business."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, Self

from dataplane.errors import LocalError, WireError
from dataplane.wire.checksum import internet_checksum
from dataplane.wire.fields import check_fields

HEADER_OCTETS: Final = 20

_FIXED: Final = struct.Struct("!BBHHHBBH4s4s")
_DF: Final = 0x4000
_MF: Final = 0x2000


@dataclass(frozen=True, slots=True, kw_only=True)
class IPv4Header:
    """An IPv4 header with its options.

        0                   1                   2                   3
        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
       +-------+-------+-----------+---+-------------------------------+
       |   4   |  IHL  |   DSCP    |ECN|         total length          |
       +-------+-------+-----------+---+-+-+-+-------------------------+
       |        identification         |0|D|M|     fragment offset     |
       +---------------+---------------+-+-+-+-------------------------+
       |      TTL      |   protocol    |        header checksum        |
       +---------------+---------------+-------------------------------+
       |                            source                             |
       +---------------------------------------------------------------+
       |                          destination                          |
       +---------------------------------------------------------------+
       |                        options, padded                        |
                                            RFC 791 3.1, RFC 2474, RFC 3168

    `total_length` and `fragment_offset` are in octets. The checksum is checked on the way in and made on the way out.
    """

    source: IPv4Address
    destination: IPv4Address
    protocol: int
    total_length: int
    ttl: int = 64
    dscp: int = 0
    ecn: int = 0
    identification: int = 0
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    options: bytes = b""

    def __post_init__(self) -> None:
        check_fields(
            protocol=(self.protocol, 8),
            total_length=(self.total_length, 16),
            ttl=(self.ttl, 8),
            dscp=(self.dscp, 6),
            ecn=(self.ecn, 2),
            identification=(self.identification, 16),
            fragment_offset=(self.fragment_offset, 16),
        )
        if self.fragment_offset % 8:
            raise LocalError(f"a fragment offset is a multiple of 8 octets, not {self.fragment_offset}")
        if len(self.options) > 40 or len(self.options) % 4:
            raise LocalError(f"options fill up to ten words of 4 octets, not {len(self.options)} octets")

    @property
    def header_octets(self) -> int:
        """The header's own length."""
        return HEADER_OCTETS + len(self.options)

    @property
    def is_fragment(self) -> bool:
        """Whether this is a part of a datagram only."""
        return self.more_fragments or self.fragment_offset > 0

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview, *, cut: bool = False) -> Self:
        """Read the header at the start of a packet.

        With `cut`, the octets may end before the packet does, as by a snap length or in an ICMP error. Octets after
        the packet, as a link's padding, are ignored.

        Raises:
            WireError: not version 4, shorter than it claims, lengths that contradict each other, or a bad checksum.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"an IPv4 header has 20 octets or more, here are {len(octets)}")
        (version_ihl, tos, total_length, identification, fragment, ttl, protocol, _checksum, source, destination) = (
            _FIXED.unpack_from(octets)
        )
        header_octets = (version_ihl & 0xF) * 4
        if version_ihl >> 4 != 4:
            raise WireError(f"IP version {version_ihl >> 4}, not 4")
        if header_octets < HEADER_OCTETS or header_octets > len(octets):
            raise WireError(f"an IPv4 header of {header_octets} octets in {len(octets)}")
        if total_length < header_octets or (total_length > len(octets) and not cut):
            raise WireError(f"total length {total_length} with a header of {header_octets} in {len(octets)} octets")
        if internet_checksum(octets[:header_octets]):  # RFC 1122 3.2.1.2
            raise WireError("bad IPv4 header checksum")
        return cls(
            source=IPv4Address(source),
            destination=IPv4Address(destination),
            protocol=protocol,
            total_length=total_length,
            ttl=ttl,
            dscp=tos >> 2,
            ecn=tos & 3,
            identification=identification,
            dont_fragment=bool(fragment & _DF),
            more_fragments=bool(fragment & _MF),
            fragment_offset=(fragment & 0x1FFF) * 8,
            options=bytes(octets[HEADER_OCTETS:header_octets]),
        )

    def emit(self) -> bytes:
        """The header's octets, with its checksum."""
        header = bytearray(
            _FIXED.pack(
                0x40 | self.header_octets // 4,
                self.dscp << 2 | self.ecn,
                self.total_length,
                self.identification,
                self.dont_fragment * _DF | self.more_fragments * _MF | self.fragment_offset // 8,
                self.ttl,
                self.protocol,
                0,
                self.source.packed,
                self.destination.packed,
            )
        )
        header += self.options
        header[10:12] = internet_checksum(header).to_bytes(2, "big")
        return bytes(header)
