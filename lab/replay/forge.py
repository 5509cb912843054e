"""Frames as an adversary makes them who has no key: out of nothing, or out of frames that pass."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, Self, final

from dataplane.errors import WireError
from dataplane.wire import ipv4, ipv6, udp
from dataplane.wire.checksum import internet_checksum, pseudo_header
from dataplane.wire.ethernet import EthernetHeader, EtherType, VlanTag
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.sectag import ICV_OCTETS
from lab.model.impairment import WireDirection
from lab.model.link import Interface, Link
from lab.replay.look import UDP_PROTOCOL, Kind, Look

MARK: Final = b"forged by wireproof's man in the middle "
"""Begins the payload of every clear frame that is forged, so that it can be found wherever it gets to."""

_DISCARD_PORT: Final = 9
_NOBODY: Final = (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2"))  # RFC 5737 3: of documentation
_IP_IN_IP: Final = {4: 4, 6: 41}
_COUNTER: Final = slice(4, 8)  # the PN in a SecTAG (802.1AE-2018 9.3), the sequence number of ESP (RFC 4303 2)
_WORD: Final = 1 << 32


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Both ends of a wire, as seen by who sends: what a forged frame has to bear to be taken for one of theirs."""

    source: bytes
    destination: bytes
    source_address: IPv4Address | IPv6Address
    destination_address: IPv4Address | IPv6Address
    vids: tuple[int, ...]

    @classmethod
    def of(cls, link: Link, direction: WireDirection) -> Self:
        """The ends of a link, in that direction."""
        near, far = link.ends if direction is WireDirection.A_TO_B else link.ends[::-1]
        near_address, far_address = _addresses(near, far)
        return cls(
            source=bytes(near.mac.packed),
            destination=bytes(far.mac.packed),
            source_address=near_address,
            destination_address=far_address,
            vids=link.tag.vids,
        )


def _addresses(near: Interface, far: Interface) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    """Addresses of the same version, if both have one."""
    for version in (4, 6):
        found = [[address for address in end.addresses if address.version == version] for end in (near, far)]
        if all(found):
            first, second = (ip_address(str(addresses[0].ip)) for addresses in found)
            return first, second
    return _NOBODY


def clear(target: Target, chance: random.Random) -> bytes:
    """A UDP packet in clear, from one end to the other, tagged as theirs are."""
    payload = MARK + chance.randbytes(16).hex().encode()
    source, destination = target.source_address, target.destination_address
    datagram = _udp(source, destination, chance.randrange(1024, 65536), _DISCARD_PORT, payload)
    packet: bytes
    if isinstance(source, IPv4Address) and isinstance(destination, IPv4Address):
        header = ipv4.IPv4Header(
            source=source,
            destination=destination,
            protocol=UDP_PROTOCOL,
            total_length=ipv4.HEADER_OCTETS + len(datagram),
        )
        packet, ether_type = header.emit() + datagram, EtherType.IPV4
    else:
        assert isinstance(source, IPv6Address)
        assert isinstance(destination, IPv6Address)
        packet = (
            ipv6.IPv6Header(
                source=source, destination=destination, next_header=UDP_PROTOCOL, payload_length=len(datagram)
            ).emit()
            + datagram
        )
        ether_type = EtherType.IPV6
    tags = tuple(VlanTag(vlan=vid) for vid in target.vids)
    ethernet = EthernetHeader(
        destination=target.destination, source=target.source, tags=tags, ether_type=ether_type
    )  # fmt: skip
    return ethernet.emit() + packet


def protected(frame: bytes, seen: Look, *, ahead: int, chance: random.Random) -> bytes:
    """A frame like one that was seen, its number `ahead` of that one's, with random octets for data and ICV."""
    forged = bytearray(frame[: seen.end])
    number = slice(seen.header + _COUNTER.start, seen.header + _COUNTER.stop)
    forged[number] = ((int.from_bytes(forged[number], "big") + ahead) % _WORD).to_bytes(4, "big")
    forged[seen.data : seen.end] = chance.randbytes(seen.end - seen.data)
    return mend_checksums(bytes(forged), seen)


def stripped(frame: bytes, seen: Look) -> bytes:
    """What is left of a protected frame without header and ICV. What was encrypted stays so, and shows as nonsense."""
    if seen.kind is Kind.MACSEC:
        # Secure Data begins with the EtherType that stood there before (802.1AE-2018 8.3).
        return frame[: seen.header] + frame[seen.data : seen.end - ICV_OCTETS]
    assert seen.network is not None
    inner = _readable_inside(frame[seen.data : seen.end])
    if inner is not None:
        ether_type = EtherType.IPV4 if inner[0] >> 4 == 4 else EtherType.IPV6
        return frame[: seen.network - 2] + ether_type.to_bytes(2, "big") + inner
    return frame[: seen.network] + _as_plain_tunnel(frame, seen.network, frame[seen.data : seen.end])


def _readable_inside(octets: bytes) -> bytes | None:
    """The inner packet of an ESP packet that is not encrypted: at once, or after GMAC's IV (RFC 4543 3)."""
    for start in (0, 8):
        packet = octets[start:]
        try:
            if packet[:1] and packet[0] >> 4 == 4:
                return packet[: ipv4.IPv4Header.parse(packet).total_length]
            if packet[:1] and packet[0] >> 4 == 6:
                return packet[: ipv6.IPv6Header.parse(packet).total_length]
        except WireError:
            continue
    return None


def _as_plain_tunnel(frame: bytes, network: int, payload: bytes) -> bytes:
    """The outer packet, as if its payload were IP in IP without protection."""
    if frame[network] >> 4 == 4:
        header = ipv4.IPv4Header.parse(frame[network:], cut=True)
        total = header.header_octets + len(payload)
        return replace(header, protocol=_IP_IN_IP[4], total_length=total).emit() + payload
    header6 = ipv6.IPv6Header.parse(frame[network:], cut=True)
    return replace(header6, next_header=_IP_IN_IP[6], payload_length=len(payload)).emit() + payload


def weakened(frame: bytes, seen: Look) -> bytes:
    """A message that asks for less protection than it did; as it was, where it says nothing of it in clear."""
    octets = bytearray(frame)
    if seen.kind is Kind.MKA:
        # 802.1X-2020 Figure 11-8: MACsec not desired, no MACsec capability; the key server's bit stays.
        octets[seen.header + 2] &= 0x8F
    else:
        for at, value in _weak_proposals(frame, seen):
            octets[at : at + 2] = value.to_bytes(2, "big")
    return mend_checksums(bytes(octets), seen) if octets != frame else frame


_IKE_SA_INIT: Final = 34
_SA_PAYLOAD: Final = 33
_KEY_LENGTH: Final = 0x800E
# RFC 7296 3.3.2: for each type of transform the weakest that was common: HMAC_SHA1, HMAC_SHA1_96, 1024-bit MODP.
_WEAK_TRANSFORMS: Final = {2: 2, 3: 2, 4: 2}
_WEAK_KEY_BITS: Final = 128


def _weak_proposals(frame: bytes, seen: Look) -> Iterator[tuple[int, int]]:
    """Which two octets of an IKE_SA_INIT message become what (RFC 7296 3.3). What is malformed is left alone."""
    try:
        header = IkeHeader.parse(frame[seen.header : seen.end])
    except WireError:
        return
    if header.exchange_type != _IKE_SA_INIT:
        return
    for kind, body, end in _payloads(frame, seen.data, seen.end, header.next_payload):
        if kind == _SA_PAYLOAD:
            for proposal, proposal_end in _substructures(frame, body, end):
                spi_octets = frame[proposal + 6]
                for transform, transform_end in _substructures(frame, proposal + 8 + spi_octets, proposal_end):
                    yield from _weak_transform(frame, transform, transform_end)


def _payloads(frame: bytes, at: int, end: int, kind: int) -> Iterator[tuple[int, int, int]]:
    """Type, body's begin and end of each payload (RFC 7296 3.2)."""
    while kind and at + 4 <= end:
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if length < 4 or at + length > end:
            return
        yield kind, at + 4, at + length
        kind, at = frame[at], at + length


def _substructures(frame: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each proposal, or each transform (RFC 7296 3.3.1, 3.3.2)."""
    while at + 8 <= end:
        (length,) = struct.unpack_from(">H", frame, at + 2)
        if length < 8 or at + length > end:
            return
        yield at, at + length
        at += length


def _weak_transform(frame: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    weak = _WEAK_TRANSFORMS.get(frame[at + 4])
    if weak is not None:
        yield at + 6, weak
    if end >= at + 12 and struct.unpack_from(">H", frame, at + 8)[0] == _KEY_LENGTH:
        yield at + 10, _WEAK_KEY_BITS


def mend_checksums(frame: bytes, seen: Look) -> bytes:
    """The frame with a UDP checksum that fits, where there is one: else nobody would look further."""
    if seen.transport is None or seen.network is None:
        return frame
    source_port, destination_port, length, checksum = struct.unpack_from(">HHHH", frame, seen.transport)
    if not checksum:  # RFC 3948 2.1: none is computed for ESP in UDP over IPv4
        return frame
    header: ipv4.IPv4Header | ipv6.IPv6Header
    if frame[seen.network] >> 4 == 4:
        header = ipv4.IPv4Header.parse(frame[seen.network :])
    else:
        header = ipv6.IPv6Header.parse(frame[seen.network :])
    payload = frame[seen.transport + udp.HEADER_OCTETS : seen.transport + length]
    datagram = _udp(header.source, header.destination, source_port, destination_port, payload)
    return frame[: seen.transport] + datagram + frame[seen.transport + length :]


def _udp(
    source: IPv4Address | IPv6Address,
    destination: IPv4Address | IPv6Address,
    source_port: int,
    destination_port: int,
    payload: bytes,
) -> bytes:
    length = udp.HEADER_OCTETS + len(payload)
    ports = {"source_port": source_port, "destination_port": destination_port, "length": length}
    bare = udp.UdpHeader(**ports).emit() + payload
    # All ones stands for a sum of zero (RFC 768).
    checksum = internet_checksum(pseudo_header(source, destination, UDP_PROTOCOL, length), bare) or 0xFFFF
    return udp.UdpHeader(**ports, checksum=checksum).emit() + payload
