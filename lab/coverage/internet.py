"""Classification from the IP header up to what IPsec protects. A datagram whose pieces are apart is a FRAGMENT."""

from __future__ import annotations

from typing import Final

from lab.coverage.census import CLEARTEXT, ESP, IKE
from lab.coverage.sight import (
    CLEARTEXT_SEEN,
    CONTROL_SEEN,
    FRAGMENT,
    Fragment,
    Sight,
    malformed,
    too_short,
)

_IGMP: Final = 2
_TCP: Final = 6
_UDP: Final = 17
_ESP: Final = 50
_ICMPV6: Final = 58
_FRAGMENT_HEADER: Final = 44
_EXTENSIONS: Final = frozenset({0, 43, 60})  # hop-by-hop options, routing, destination options (RFC 8200 4)
_NEIGHBOUR_DISCOVERY: Final = frozenset(range(133, 138))  # RFC 4861 4
_LISTENER_DISCOVERY: Final = frozenset({130, 131, 132, 143})  # RFC 2710 3, RFC 3810 5
_ICMPV6_CONTROL: Final = _NEIGHBOUR_DISCOVERY | _LISTENER_DISCOVERY
_IKE_PORT: Final = b"\x01\xf4"
_NATT_PORT: Final = b"\x11\x94"


def ipv4(octets: bytes, start: int, length: int) -> Sight:
    """An IPv4 datagram (RFC 791 3.1); octets behind it are the link's padding."""
    if len(octets) < start + 20:
        return too_short(octets, length, "IPv4 header")
    first = octets[start]
    payload = start + (first & 15) * 4
    end = start + int.from_bytes(octets[start + 2 : start + 4], "big")
    if first >> 4 != 4 or not start + 20 <= payload <= end <= length:
        return malformed("IPv4 header whose version or lengths cannot be (RFC 791 3.1)")
    if len(octets) < payload:
        return too_short(octets, length, "IPv4 header")
    # One's complement arithmetic is arithmetic modulo 65535. A sum of 0 was left to the hardware to fill in.
    if int.from_bytes(octets[start:payload], "big") % 65535 and octets[start + 10 : start + 12] != b"\0\0":
        return malformed("IPv4 header with a wrong checksum (RFC 1122 3.2.1.2)")
    destination = octets[start + 16 : start + 20]
    placed = int.from_bytes(octets[start + 6 : start + 8], "big")
    if not placed & 0x3FFF:
        return transport(octets, octets[start + 9], payload, end, destination)
    identification = int.from_bytes(octets[start + 4 : start + 6], "big")
    key = (octets[start + 12 : start + 16], destination, identification, octets[start + 9])
    offset, more = (placed & 0x1FFF) * 8, bool(placed & 0x2000)
    return _fragment(Fragment(key, octets[start + 9], destination, offset, more), payload, end)


def ipv6(octets: bytes, start: int, length: int) -> Sight:
    """An IPv6 packet with its extension headers (RFC 8200 3, 4)."""
    if len(octets) < start + 40:
        return too_short(octets, length, "IPv6 header")
    end = start + 40 + int.from_bytes(octets[start + 4 : start + 6], "big")
    if octets[start] >> 4 != 6 or end > length:
        return malformed("IPv6 header whose version or length cannot be (RFC 8200 3)")
    destination = octets[start + 24 : start + 40]
    header, position = octets[start + 6], start + 40
    while header in _EXTENSIONS or header == _FRAGMENT_HEADER:
        if position + 8 > end:
            return malformed("IPv6 extension header beyond the packet's end (RFC 8200 4)")
        if position + 8 > len(octets):
            return too_short(octets, length, "IPv6 extension headers")
        following = octets[position]
        if header == _FRAGMENT_HEADER:
            placed = int.from_bytes(octets[position + 2 : position + 4], "big")
            if placed & 0xFFF9:
                identification = int.from_bytes(octets[position + 4 : position + 8], "big")
                key = (octets[start + 8 : start + 24], destination, identification, 0)  # RFC 8200 4.5
                piece = Fragment(key, following, destination, placed & 0xFFF8, bool(placed & 1))
                return _fragment(piece, position + 8, end)
            position += 8
        else:
            position += 8 * (octets[position + 1] + 1)
        header = following
    if position > end:
        return malformed("IPv6 extension header beyond the packet's end (RFC 8200 4)")
    return transport(octets, header, position, end, destination)


def transport(octets: bytes, protocol: int, start: int, end: int, destination: bytes) -> Sight:
    """What a whole datagram carries between `start` and `end`."""
    if protocol == _ESP:
        return _esp(octets, start, end, destination)
    if protocol == _UDP:
        return _udp(octets, start, end, destination)
    if protocol == _TCP:
        return Sight(CLEARTEXT, start, end, destination)
    if protocol == _IGMP:
        return CONTROL_SEEN
    if protocol == _ICMPV6 and len(destination) == 16 and start < min(end, len(octets)):
        return CONTROL_SEEN if octets[start] in _ICMPV6_CONTROL else CLEARTEXT_SEEN
    return CLEARTEXT_SEEN


def guess(octets: bytes, fragment: Fragment) -> Sight:
    """The class of a datagram of which only the first payload octets, or none, were seen."""
    if fragment.protocol == _ESP:
        return Sight(ESP, 0, len(octets), fragment.destination)
    if fragment.protocol == _UDP and len(octets) >= 12:
        ports = (octets[0:2], octets[2:4])
        if _IKE_PORT in ports or (_NATT_PORT in ports and octets[8:12] == bytes(4)):
            return Sight(IKE)
        if _NATT_PORT in ports:
            return Sight(ESP, 8, len(octets), fragment.destination)
    return CLEARTEXT_SEEN


def _fragment(piece: Fragment, start: int, end: int) -> Sight:
    if start == end or (piece.more and (end - start) % 8):
        return malformed("IP fragment that is empty, or not in units of 8 octets (RFC 791 3.2, RFC 8200 4.5)")
    if piece.offset + end - start > 65535:
        return malformed("IP fragment beyond the longest datagram (RFC 791 3.2, RFC 8200 4.5)")
    return Sight(FRAGMENT, start, end, fragment=piece)


def _udp(octets: bytes, start: int, end: int, destination: bytes) -> Sight:
    if start + 8 > end:
        return malformed("too short for its UDP header")
    if start + 8 > len(octets):
        return too_short(octets, end, "UDP header")
    stated = int.from_bytes(octets[start + 4 : start + 6], "big")
    if not 8 <= stated <= end - start:
        return malformed("UDP length that cannot be (RFC 768)")
    end = start + stated
    ports = (octets[start : start + 2], octets[start + 2 : start + 4])
    if _NATT_PORT in ports:
        start += 8
        if octets[start:end] == b"\xff":  # RFC 3948 2.3
            return CONTROL_SEEN
        if start == len(octets) < end:
            return too_short(octets, end, "UDP payload")
        if octets[start : start + 4] == bytes(4):  # RFC 3948 2.2
            return _ike(octets, start + 4, end)
        return _esp(octets, start, end, destination)
    return _ike(octets, start + 8, end) if _IKE_PORT in ports else CLEARTEXT_SEEN


def _esp(octets: bytes, start: int, end: int, destination: bytes) -> Sight:
    # SPI, sequence number, and at the least one word with pad length and next header (RFC 4303 2).
    if end - start < 12:
        return malformed("too short for an ESP packet (RFC 4303 2)")
    if octets[start : start + 4] == bytes(4):
        return malformed("ESP packet with SPI 0 (RFC 4303 2.1)")
    return Sight(ESP, start, end, destination)


def _ike(octets: bytes, start: int, end: int) -> Sight:
    if end - start < 28:
        return malformed("too short for an IKE header (RFC 7296 3.1)")
    if len(octets) < end:
        return Sight(IKE, start, end)
    if int.from_bytes(octets[start + 24 : start + 28], "big") != end - start:
        return malformed("IKE length other than its datagram's (RFC 7296 3.1)")
    if octets[start + 17] >> 4 not in (1, 2) or octets[start : start + 8] == bytes(8):
        return malformed("IKE header of an unknown version, or without an initiator's SPI (RFC 7296 3.1)")
    return Sight(IKE, start, end)
