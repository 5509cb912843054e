"""The IPv6 header, and the way through its extension headers to what the packet carries."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final, Self

from dataplane.errors import LocalError, WireError
from dataplane.wire.fields import check_fields

HEADER_OCTETS: Final = 40
FRAGMENT_OCTETS: Final = 8

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENT: Final = 44
NO_NEXT_HEADER: Final = 59
DESTINATION_OPTIONS: Final = 60

_FIXED: Final = struct.Struct("!IHBB16s16s")
_FRAGMENT: Final = struct.Struct("!BBHI")


@dataclass(frozen=True, slots=True, kw_only=True)
class IPv6Header:
    """The fixed IPv6 header.

        0                   1                   2                   3
        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
       +-------+-----------+---+---------------------------------------+
       |   6   |   DSCP    |ECN|              flow label               |
       +-------+-----------+---+-------+---------------+---------------+
       |        payload length         |  next header  |   hop limit   |
       +-------------------------------+---------------+---------------+
       |                       source, 16 octets                       |
       +---------------------------------------------------------------+
       |                    destination, 16 octets                     |
       +---------------------------------------------------------------+
                                                             RFC 8200 3

    `payload_length` counts the octets after this header, extension headers among them.
    """

    source: IPv6Address
    destination: IPv6Address
    next_header: int
    payload_length: int
    hop_limit: int = 64
    dscp: int = 0
    ecn: int = 0
    flow_label: int = 0

    def __post_init__(self) -> None:
        check_fields(
            next_header=(self.next_header, 8),
            payload_length=(self.payload_length, 16),
            hop_limit=(self.hop_limit, 8),
            dscp=(self.dscp, 6),
            ecn=(self.ecn, 2),
            flow_label=(self.flow_label, 20),
        )

    @property
    def total_length(self) -> int:
        """The packet's length in octets."""
        return HEADER_OCTETS + self.payload_length

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview, *, cut: bool = False) -> Self:
        """Read the header at the start of a packet.

        With `cut`, the octets may end before the packet does, as by a snap length or in an ICMP error. Octets after
        the packet, as a link's padding, are ignored.

        Raises:
            WireError: not version 6, or shorter than it claims.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"an IPv6 header has 40 octets, here are {len(octets)}")
        first, payload_length, next_header, hop_limit, source, destination = _FIXED.unpack_from(octets)
        if first >> 28 != 6:
            raise WireError(f"IP version {first >> 28}, not 6")
        if HEADER_OCTETS + payload_length > len(octets) and not cut:
            raise WireError(
                f"payload length {payload_length} with {len(octets) - HEADER_OCTETS} octets after the header"
            )
        return cls(
            source=IPv6Address(source),
            destination=IPv6Address(destination),
            next_header=next_header,
            payload_length=payload_length,
            hop_limit=hop_limit,
            dscp=first >> 22 & 0x3F,
            ecn=first >> 20 & 3,
            flow_label=first & 0xFFFFF,
        )

    def emit(self) -> bytes:
        """The header's octets."""
        return _FIXED.pack(
            6 << 28 | self.dscp << 22 | self.ecn << 20 | self.flow_label,
            self.payload_length,
            self.next_header,
            self.hop_limit,
            self.source.packed,
            self.destination.packed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class IPv6Fragment:
    """The fragment header.

        0                   1                   2                   3
        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
       +---------------+---------------+-------------------------+---+-+
       |  next header  |   reserved    |     fragment offset     | 0 |M|
       +---------------+---------------+-------------------------+---+-+
       |                        identification                         |
       +---------------------------------------------------------------+
                                                           RFC 8200 4.5

    `fragment_offset` is in octets.
    """

    next_header: int
    fragment_offset: int
    more_fragments: bool
    identification: int

    def __post_init__(self) -> None:
        check_fields(
            next_header=(self.next_header, 8),
            fragment_offset=(self.fragment_offset, 16),
            identification=(self.identification, 32),
        )
        if self.fragment_offset % 8:
            raise LocalError(f"a fragment offset is a multiple of 8 octets, not {self.fragment_offset}")

    @property
    def is_atomic(self) -> bool:
        """Whether the one fragment is the whole datagram (RFC 6946)."""
        return self.fragment_offset == 0 and not self.more_fragments

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview) -> Self:
        """Read the header at the start of the octets.

        Raises:
            WireError: there are fewer than 8.
        """
        if len(octets) < FRAGMENT_OCTETS:
            raise WireError(f"an IPv6 fragment header has 8 octets, here are {len(octets)}")
        next_header, _reserved, fragment, identification = _FRAGMENT.unpack_from(octets)
        return cls(
            next_header=next_header,
            fragment_offset=fragment & 0xFFF8,
            more_fragments=bool(fragment & 1),
            identification=identification,
        )

    def emit(self) -> bytes:
        """The header's octets."""
        return _FRAGMENT.pack(self.next_header, 0, self.fragment_offset | self.more_fragments, self.identification)


@dataclass(frozen=True, slots=True, kw_only=True)
class UpperLayer:
    """What an IPv6 packet carries: `protocol` starts `offset` octets into the packet.

    In a fragment other than the first, `protocol` is what the fragment header names, which may be one more extension
    header of the datagram, and at `offset` are the fragment's octets.
    """

    protocol: int
    offset: int
    fragment: IPv6Fragment | None = None


def upper_layer(octets: bytes | bytearray | memoryview, header: IPv6Header) -> UpperLayer:
    """Walk the extension headers of the packet that starts with `header` (RFC 8200 4).

    Raises:
        WireError: an extension header ends after the packet, or hop-by-hop options stand elsewhere than first.
    """
    end = min(header.total_length, len(octets))
    protocol, offset, fragment = header.next_header, HEADER_OCTETS, None
    while protocol in (HOP_BY_HOP, ROUTING, DESTINATION_OPTIONS, FRAGMENT):
        if protocol == HOP_BY_HOP and offset != HEADER_OCTETS:  # RFC 8200 4.1
            raise WireError("hop-by-hop options stand right after the IPv6 header only")
        if offset + FRAGMENT_OCTETS > end:
            raise WireError(f"an extension header at {offset} in {end} octets")
        if protocol == FRAGMENT:
            fragment = IPv6Fragment.parse(octets[offset:])
            protocol, offset = fragment.next_header, offset + FRAGMENT_OCTETS
            if fragment.fragment_offset > 0:
                break
            continue
        protocol, offset = octets[offset], offset + 8 * (1 + octets[offset + 1])
        if offset > end:
            raise WireError(f"an extension header ends at {offset} in {end} octets")
    return UpperLayer(protocol=protocol, offset=offset, fragment=fragment)
