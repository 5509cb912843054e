"""The Internet checksum (RFC 1071) and the pseudo-headers it is taken over."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address


def internet_checksum(*parts: bytes | bytearray | memoryview) -> int:
    """The 16-bit checksum over the parts as if they were one string; 0 over octets that carry their right checksum."""
    octets = b"".join(parts)
    # The ones' complement sum of 16-bit words is the big-endian number modulo 2^16 - 1 (RFC 1071 2).
    value = int.from_bytes(octets + b"\0" * (len(octets) % 2), "big")
    return 0xFFFF - (value % 0xFFFF or (0xFFFF if value else 0))


def pseudo_header(
    source: IPv4Address | IPv6Address, destination: IPv4Address | IPv6Address, protocol: int, length: int
) -> bytes:
    """What TCP, UDP and ICMPv6 add to their checksum (RFC 768, RFC 8200 8.1); `length` is the upper layer's."""
    if source.version == 4:
        return source.packed + destination.packed + bytes((0, protocol)) + length.to_bytes(2, "big")
    return source.packed + destination.packed + length.to_bytes(4, "big") + bytes((0, 0, 0, protocol))


def updated_checksum(checksum: int, old: int, new: int) -> int:
    """A checksum after one 16-bit word under it changed (RFC 1624 3)."""
    value = (0xFFFF - checksum) + (0xFFFF - old) + new
    value = (value & 0xFFFF) + (value >> 16)
    return 0xFFFF - ((value & 0xFFFF) + (value >> 16))
