"""What a policy looks at in an IP packet: its ends, protocol and ports (RFC 4301 4.4.1.1), and a few header bits."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final, TypeAlias, final

from dataplane.errors import WireError
from dataplane.ipsec.selectors import ICMP, ICMPV6, Address, TrafficSelector
from dataplane.wire.ipv6 import HEADER_OCTETS as IPV6_OCTETS
from dataplane.wire.ipv6 import IPv6Header, upper_layer

Octets: TypeAlias = bytes | bytearray | memoryview

TCP: Final = 6
UDP: Final = 17
_WITH_PORTS: Final = frozenset((TCP, UDP, 33, 132, 136))  # TCP, UDP, DCCP, SCTP, UDP-Lite

DONT_FRAGMENT: Final = 0x4000
_PART_OF_DATAGRAM: Final = 0x3FFF  # more fragments, fragment offset

# Version and IHL, TOS, total length, flags and offset, protocol, then both addresses and ports.
_IPV4: Final = struct.Struct("!BBHxxHxBxx12s")
_IPV4_HEADER: Final = struct.Struct("!BBHxxHxBxx4s4s")
# Version, traffic class and flow label, payload length, next header, then both addresses and ports.
_IPV6: Final = struct.Struct("!IHBx36s")

PLAIN_TRANSPORT: Final = {4: 20, 6: 40}
"""Where the upper layer's header starts in a plain packet (see `glance`), by IP version."""

Key: TypeAlias = tuple[int, bytes]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One packet's selectors. A port is None where there is none, or where it cannot be seen (a later fragment).

    Under ICMP both ports are type * 256 + code. `total_length` is the packet's own in octets; `tos` is the octet of
    DSCP and ECN; `transport` is where the upper layer's header starts, None if it is not in this packet.
    """

    source: Address
    destination: Address
    protocol: int
    source_port: int | None
    destination_port: int | None
    total_length: int
    tos: int
    dont_fragment: bool
    transport: int | None

    def __str__(self) -> str:
        ports = "" if self.source_port is None else f" {self.source_port}->{self.destination_port}"
        return f"{self.source} -> {self.destination} protocol {self.protocol}{ports}"


def flow_of(packet: Octets) -> Flow:
    """The selectors of the IP packet at the start of the octets.

    Checksums are not looked at: whoever takes the packet next does.

    Raises:
        WireError: neither IPv4 nor IPv6, or shorter than it claims.
    """
    version = packet[0] >> 4 if len(packet) else None
    if version == 4:
        return _flow_of_ipv4(packet)
    if version == 6:
        return _flow_of_ipv6(packet)
    raise WireError("neither IPv4 nor IPv6")


def flow_or_none(packet: Octets) -> Flow | None:
    """The selectors of the IP packet at the start of the octets, None when it is malformed."""
    try:
        return flow_of(packet)
    except WireError:
        return None


def _flow_of_ipv4(packet: Octets) -> Flow:
    if len(packet) < _IPV4_HEADER.size:
        raise WireError(f"an IPv4 header has 20 octets or more, here are {len(packet)}")
    first, tos, total_length, fragment, protocol, source, destination = _IPV4_HEADER.unpack_from(packet)
    header = (first & 0xF) * 4
    if not 20 <= header <= total_length <= len(packet):
        raise WireError(f"total length {total_length} with a header of {header} in {len(packet)} octets")
    transport = None if fragment & 0x1FFF else header
    ports = _ports(packet[:total_length], protocol, transport)
    return Flow(
        source=IPv4Address(source),
        destination=IPv4Address(destination),
        protocol=protocol,
        source_port=ports[0],
        destination_port=ports[1],
        total_length=total_length,
        tos=tos,
        dont_fragment=bool(fragment & DONT_FRAGMENT),
        transport=transport,
    )


def _flow_of_ipv6(packet: Octets) -> Flow:
    header = IPv6Header.parse(packet)
    upper = upper_layer(packet, header)
    later = upper.fragment is not None and upper.fragment.fragment_offset > 0
    transport = None if later else upper.offset
    ports = _ports(packet[: header.total_length], upper.protocol, transport)
    return Flow(
        source=header.source,
        destination=header.destination,
        protocol=upper.protocol,
        source_port=ports[0],
        destination_port=ports[1],
        total_length=header.total_length,
        tos=header.dscp << 2 | header.ecn,
        dont_fragment=True,
        transport=transport,
    )


def _ports(packet: Octets, protocol: int, transport: int | None) -> tuple[int | None, int | None]:
    if transport is None:
        return None, None
    seen = packet[transport : transport + 4]
    if protocol in (ICMP, ICMPV6) and len(seen) >= 2:
        return seen[0] << 8 | seen[1], seen[0] << 8 | seen[1]
    if protocol in _WITH_PORTS and len(seen) == 4:
        return seen[0] << 8 | seen[1], seen[2] << 8 | seen[3]
    return None, None


def glance(packet: Octets) -> tuple[Key, int, int, bool] | None:
    """What a plain packet is, quickly: a key that stands for its selectors, its total length, TOS and don't-fragment.

    Plain are TCP, UDP and ICMP without IPv4 options, fragmentation or extension headers, and long enough to have ports.
    None for all others, and for whatever is malformed: `flow_of` then tells.
    """
    octets = len(packet)
    if octets < _IPV4.size:
        return None
    first, tos, total_length, fragment, protocol, ends = _IPV4.unpack_from(packet)
    if first == 0x45:
        if fragment & _PART_OF_DATAGRAM or not _IPV4.size <= total_length <= octets:
            return None
        if protocol in (TCP, UDP):
            return (protocol, ends), total_length, tos, bool(fragment & DONT_FRAGMENT)
        if protocol == ICMP:
            return (protocol, ends[:10]), total_length, tos, bool(fragment & DONT_FRAGMENT)
        return None
    if first >> 4 == 6 and octets >= _IPV6.size:
        word, payload_length, protocol, ends = _IPV6.unpack_from(packet)
        if 4 <= payload_length <= octets - IPV6_OCTETS and protocol in (TCP, UDP):
            return (protocol, ends), IPV6_OCTETS + payload_length, word >> 20 & 0xFF, True
    return None


def matches(flow: Flow, sources: tuple[TrafficSelector, ...], destinations: tuple[TrafficSelector, ...]) -> bool:
    """Whether a packet goes from one of `sources` to one of `destinations`."""
    return any(each.holds(flow.source, flow.protocol, flow.source_port) for each in sources) and any(
        each.holds(flow.destination, flow.protocol, flow.destination_port) for each in destinations
    )
