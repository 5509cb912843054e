"""ICMP and ICMPv6: the header, and the two errors that tell a sender that its packets are too big."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Self

from dataplane.errors import WireError
from dataplane.wire.checksum import internet_checksum, pseudo_header
from dataplane.wire.fields import check_fields
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Header

HEADER_OCTETS: Final = 8
ICMP_PROTOCOL: Final = 1
ICMPV6_PROTOCOL: Final = 58

DESTINATION_UNREACHABLE: Final = 3
FRAGMENTATION_NEEDED: Final = 4
PACKET_TOO_BIG: Final = 2

# The queries and answers of ICMP; all other types are errors (RFC 1122 3.2.2). In ICMPv6 errors are below 128.
_QUERIES: Final = frozenset((0, 8, 9, 10, 13, 14, 15, 16, 17, 18))
_ICMPV6_QUERIES_FROM: Final = 128

# How long an error may be, IP header and all: RFC 1812 4.3.2.3, RFC 4443 2.4 (c).
_GREATEST_ERROR: Final = 576
_GREATEST_ERROR_V6: Final = 1280

_FIXED: Final = struct.Struct("!BBHI")


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpHeader:
    """The first 8 octets of an ICMP or ICMPv6 message.

        0                   1                   2                   3
        0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
       +---------------+---------------+-------------------------------+
       |     type      |     code      |           checksum            |
       +---------------+---------------+-------------------------------+
       |            what the type makes of it (an MTU, ...)            |
       +---------------------------------------------------------------+
                                                      RFC 792, RFC 4443

    `checksum` is carried as it is: ICMPv6 needs the addresses to judge it.
    """

    type: int
    code: int
    checksum: int = 0
    rest: int = 0

    def __post_init__(self) -> None:
        check_fields(type=(self.type, 8), code=(self.code, 8), checksum=(self.checksum, 16), rest=(self.rest, 32))

    @classmethod
    def parse(cls, octets: bytes | bytearray | memoryview) -> Self:
        """Read the header at the start of a message.

        Raises:
            WireError: fewer than 8 octets.
        """
        if len(octets) < HEADER_OCTETS:
            raise WireError(f"an ICMP header has 8 octets, here are {len(octets)}")
        kind, code, checksum, rest = _FIXED.unpack_from(octets)
        return cls(type=kind, code=code, checksum=checksum, rest=rest)

    def emit(self) -> bytes:
        """The header's octets."""
        return _FIXED.pack(self.type, self.code, self.checksum, self.rest)


def is_icmp_error(kind: int) -> bool:
    """Whether an ICMP message of this type is an error, to which no error may answer."""
    return kind not in _QUERIES


def is_icmpv6_error(kind: int) -> bool:
    """Whether an ICMPv6 message of this type is an error, to which no error may answer."""
    return kind < _ICMPV6_QUERIES_FROM


def fragmentation_needed(
    packet: bytes | bytearray | memoryview, *, to: IPv4Address, source: IPv4Address, mtu: int
) -> bytes:
    """The whole IPv4 packet that tells `to`, the sender of `packet`, the greatest length in octets (RFC 1191 4)."""
    quoted = bytes(packet[: _GREATEST_ERROR - 28])
    header = IcmpHeader(type=DESTINATION_UNREACHABLE, code=FRAGMENTATION_NEEDED, rest=mtu & 0xFFFF)
    checksum = internet_checksum(header.emit(), quoted)
    message = IcmpHeader(type=header.type, code=header.code, checksum=checksum, rest=header.rest).emit() + quoted
    outer = IPv4Header(source=source, destination=to, protocol=ICMP_PROTOCOL, total_length=20 + len(message))
    return outer.emit() + message


def packet_too_big(packet: bytes | bytearray | memoryview, *, to: IPv6Address, source: IPv6Address, mtu: int) -> bytes:
    """The whole IPv6 packet that tells `to`, the sender of `packet`, the greatest length in octets (RFC 4443 3.2)."""
    quoted = bytes(packet[: _GREATEST_ERROR_V6 - 48])
    header = IcmpHeader(type=PACKET_TOO_BIG, code=0, rest=mtu)
    length = HEADER_OCTETS + len(quoted)
    checksum = internet_checksum(pseudo_header(source, to, ICMPV6_PROTOCOL, length), header.emit(), quoted)
    message = IcmpHeader(type=header.type, code=header.code, checksum=checksum, rest=header.rest).emit() + quoted
    outer = IPv6Header(source=source, destination=to, next_header=ICMPV6_PROTOCOL, payload_length=len(message))
    return outer.emit() + message
