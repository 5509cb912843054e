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
_TCP, _UDP = 6, 17


def pairs(between: Iterable[tuple[IPAddress, IPAddress]]) -> Pairs:
    """The addresses of the two ends as they stand in packets, either way."""
    packed = [(bytes(a.packed), bytes(b.packed)) for a, b in between]
    return frozenset([*packed, *((b, a) for a, b in packed)])


def is_routing(frame: bytes | memoryview, between: Pairs) -> bool:
    """Whether an Ethernet frame is BGP or BFD between these."""
    octets = bytes(frame[:80])
    at = 12
    while octets[at : at + 2] in _TAGS:
        at += 4
    if octets[at : at + 2] != _IPV4:
        return False
    header = octets[at + 2 :]
    if len(header) < 24 or header[0] >> 4 != 4 or header[6] & 0x3F or header[7]:
        return False  # no IPv4, or a fragment, whose ports are not to be seen
    if (header[12:16], header[16:20]) not in between:
        return False
    ports = header[(header[0] & 15) * 4 :][:4]
    if header[9] == _TCP:
        return _BGP in (ports[:2], ports[2:])
    return header[9] == _UDP and ports[2:] == _BFD
