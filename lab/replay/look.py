"""What a man in the middle, who has no keys, sees of a frame: who protects it, and where that begins and ends.

A new protocol is a kind, and a reader that knows its frames.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, final

from dataplane.errors import WireError
from dataplane.wire import esp, ipv4, ipv6, udp
from dataplane.wire.eapol import HEADER_OCTETS as EAPOL_OCTETS
from dataplane.wire.eapol import EapolHeader, EapolType
from dataplane.wire.ethernet import EthernetHeader, EtherType
from dataplane.wire.ike_header import HEADER_OCTETS as IKE_OCTETS
from dataplane.wire.sectag import ICV_OCTETS, SecTag

ESP_PROTOCOL: Final = 50
UDP_PROTOCOL: Final = 17


@final
class Kind(enum.StrEnum):
    """What a frame is to an adversary."""

    MACSEC = "macsec"
    ESP = "esp"
    MKA = "mka"
    IKE = "ike"
    CLEAR = "clear"


PROTECTED: Final = frozenset({Kind.MACSEC, Kind.ESP})
NEGOTIATION: Final = frozenset({Kind.MKA, Kind.IKE})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen, as indexes into the frame.

    `header` is where the SecTAG, ESP header, MKPDU or IKE message begins, `data` where what follows that header does,
    `end` where its ICV or message ends; in a fragment that has no header any more, the first two are the same.
    `network` is where IP begins, `transport` where UDP does, if they do.
    """

    kind: Kind
    header: int = 0
    data: int = 0
    end: int = 0
    network: int | None = None
    transport: int | None = None


def look(frame: bytes) -> Look:
    """Look at a frame; what cannot be parsed is clear."""
    try:
        ethernet = EthernetHeader.parse(frame)
        reader = _READERS.get(ethernet.ether_type)
        return Look(kind=Kind.CLEAR) if reader is None else reader(frame, ethernet.length)
    except WireError:
        return Look(kind=Kind.CLEAR)


def destination(frame: bytes) -> IPv4Address | IPv6Address | None:
    """For whom the IP packet in a frame is, if there is one without protection around it."""
    at = look(frame).network
    if at is None:
        return None
    return IPv4Address(frame[at + 16 : at + 20]) if frame[at] >> 4 == 4 else IPv6Address(frame[at + 24 : at + 40])


def _macsec(frame: bytes, after_type: int) -> Look:
    at = after_type - 2
    tag = SecTag.parse(frame[at:])
    data = at + tag.length
    octets = tag.secure_data_octets(len(frame) - data, padding_allowed=True)
    return Look(kind=Kind.MACSEC, header=at, data=data, end=data + octets + ICV_OCTETS)


def _eapol(frame: bytes, at: int) -> Look:
    header = EapolHeader.parse(frame[at:])
    if header.packet_type != EapolType.MKA:
        return Look(kind=Kind.CLEAR)
    body = at + EAPOL_OCTETS
    return Look(kind=Kind.MKA, header=body, data=body, end=body + header.body_octets)


def _ipv4(frame: bytes, at: int) -> Look:
    header = ipv4.IPv4Header.parse(frame[at:])
    start, end = at + header.header_octets, at + header.total_length
    if header.fragment_offset:
        # Where the header is, is in the first fragment; all that is here is behind it.
        is_esp = header.protocol == ESP_PROTOCOL
        return Look(kind=Kind.ESP if is_esp else Kind.CLEAR, header=start, data=start, end=end, network=at)
    return _upper(frame[:end], at, start, header.protocol)


def _ipv6(frame: bytes, at: int) -> Look:
    header = ipv6.IPv6Header.parse(frame[at:])
    start = at + ipv6.HEADER_OCTETS
    return _upper(frame[: start + header.payload_length], at, start, header.next_header)


def _upper(packet: bytes, network: int, at: int, protocol: int) -> Look:
    """What follows an IP header; `packet` ends where IP says so."""
    end = len(packet)
    if protocol == ESP_PROTOCOL:
        return _esp(packet, network, at, None)
    if protocol != UDP_PROTOCOL:
        return Look(kind=Kind.CLEAR, network=network)
    header = udp.UdpHeader.parse(packet[at:])
    ports, payload = {header.source_port, header.destination_port}, at + udp.HEADER_OCTETS
    if udp.IKE_PORT in ports:
        return _ike(payload, end, network, at)
    if udp.NATT_PORT in ports:
        match udp.natt_kind(packet[payload:]):
            case udp.NattKind.IKE:
                return _ike(payload + len(udp.NON_ESP_MARKER), end, network, at)
            case udp.NattKind.ESP:
                return _esp(packet, network, payload, at)
    return Look(kind=Kind.CLEAR, network=network, transport=at)


def _esp(packet: bytes, network: int, at: int, transport: int | None) -> Look:
    esp.EspHeader.parse(packet[at:])
    data = at + esp.HEADER_OCTETS
    return Look(kind=Kind.ESP, header=at, data=data, end=len(packet), network=network, transport=transport)


def _ike(at: int, end: int, network: int, transport: int) -> Look:
    return Look(kind=Kind.IKE, header=at, data=min(at + IKE_OCTETS, end), end=end, network=network, transport=transport)


_READERS: Final[Mapping[int, Callable[[bytes, int], Look]]] = {
    EtherType.MACSEC: _macsec,
    EtherType.EAPOL: _eapol,
    EtherType.IPV4: _ipv4,
    EtherType.IPV6: _ipv6,
}
