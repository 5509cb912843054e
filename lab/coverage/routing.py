"""Routing protocols between the two ends of a link: told apart from data, which may not go in clear when they may.

BGP is TCP to or from port 179 (RFC 4271 8), BFD is UDP to port 3784 (RFC 5881 4). Only what goes from one end of the
link to the other counts: what is sent further, or by somebody else, is data like any other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netaddr import IPAddress

Pairs = frozenset[tuple[bytes, bytes]]

_BGP: Final = b"\x00\xb3"
_BFD: Final = b"\x0e\xc8"
_TAGS: Final = (b"\x81\x00", b"\x88\xa8")
_IPV4: Final = b"\x08\x00"
_ICMP, _TCP, _UDP = 1, 6, 17
_UNREACHABLE: Final = b"\x03"


def pairs(between: Iterable[tuple[IPAddress, IPAddress]]) -> Pairs:
    """The addresses of the two ends as they stand in packets, either way."""
    packed = [(bytes(a.packed), bytes(b.packed)) for a, b in between]
    return frozenset([*packed, *((b, a) for a, b in packed)])


def is_routing(frame: bytes | memoryview, between: Pairs) -> bool:
    """Whether an Ethernet frame is BGP or BFD between these."""
    octets = bytes(frame[:128])
    at = 12
    while octets[at : at + 2] in _TAGS:
        at += 4
    if octets[at : at + 2] != _IPV4:
        return False
    return _is_routing_packet(octets[at + 2 :], between)


def _is_routing_packet(packet: bytes, between: Pairs) -> bool:
    if len(packet) < 24 or packet[0] >> 4 != 4 or packet[6] & 0x3F or packet[7]:
        return False  # no IPv4, or a fragment, whose ports are not to be seen
    if (packet[12:16], packet[16:20]) not in between:
        return False
    payload = packet[(packet[0] & 15) * 4 :]
    if packet[9] == _TCP:
        return _BGP in (payload[:2], payload[2:4])
    if packet[9] == _ICMP:  # that nobody listens yet, with the packet that says so
        return payload[:1] == _UNREACHABLE and _is_routing_packet(payload[8:], between)
    return packet[9] == _UDP and payload[2:4] == _BFD
