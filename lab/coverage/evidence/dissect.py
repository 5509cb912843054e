"""A frame taken apart for people: header after header, each with its octets and what they say."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from dataplane.errors import WireError
from dataplane.wire.eapol import EapolHeader
from dataplane.wire.esp import EspHeader
from dataplane.wire.ethernet import EthernetHeader, mac_text
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Header, upper_layer
from dataplane.wire.sectag import SecTag
from dataplane.wire.udp import UdpHeader
from lab.capture import frame as link
from lab.coverage.evidence import ike_payloads as ike
from lab.coverage.facts import Layer

_PROTOCOLS: Final = {1: "ICMP", 4: "IPv4", 6: "TCP", 17: "UDP", 41: "IPv6", 50: "ESP", 58: "ICMPv6", 59: "none"}
_ETHER_TYPES: Final = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6", 0x888E: "EAPOL", 0x88E5: "MACsec"}
_EXCHANGES: Final = {34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL"}
_PAYLOADS: Final = {
    33: "security association", 34: "key exchange", 35: "identification (initiator)",
    36: "identification (responder)", 37: "certificate", 38: "certificate request", 39: "authentication", 40: "nonce",
    41: "notify", 42: "delete", 43: "vendor id", 44: "traffic selectors (initiator)",
    45: "traffic selectors (responder)", 46: "encrypted and authenticated", 47: "configuration", 48: "EAP",
    53: "encrypted and authenticated fragment",
}  # fmt: skip
_PARAMETER_SETS: Final = {
    1: "live peers", 2: "potential peers", 3: "MACsec SAK use", 4: "distributed SAK (wrapped)", 5: "distributed CAK",
    6: "KMD", 7: "announcement", 8: "XPN", 255: "ICV indicator",
}  # fmt: skip
_ICV: Final = 16
_COOKED: Final = {
    link.LINUX_SLL: ("Linux cooked header", 16),
    link.LINUX_SLL2: ("Linux cooked header", 20),
    link.BSD_LOOPBACK: ("loopback header", 4),
    link.OPENBSD_LOOPBACK: ("loopback header", 4),
}


def dissect(octets: bytes, link_type: int) -> tuple[Layer, ...]:
    """The headers of a frame; where one cannot be read, a layer says so."""
    if link_type == link.ETHERNET:
        return tuple(_guarded(_ethernet(octets), octets))
    if link_type in _COOKED:
        name, start = _COOKED[link_type]
        return (Layer(name=name, start=0, end=start, fields=()), *_guarded(_ip(octets, start), octets))
    return tuple(_guarded(_ip(octets, 0), octets))


def dissect_esp_payload(octets: bytes) -> tuple[Layer, ...]:
    """What was inside an ESP packet, its trailer last (RFC 4303 2.4 to 2.6)."""
    if len(octets) < 2 or octets[-2] > len(octets) - 2:
        return ()
    end = len(octets) - 2 - octets[-2]
    following = octets[-1]
    if following in (4, 41):
        layers = tuple(_guarded(_ip(octets, 0, end), octets))
    else:
        layers = tuple(_guarded(_transport(octets, 0, end, following), octets))
    told = (("pad length", octets[-2]), ("next header", _PROTOCOLS.get(following, following)))
    return (*layers, _layer("ESP trailer", end, len(octets), *told))


def dissect_ike(octets: bytes) -> tuple[Layer, ...]:
    """The payloads that were inside SK: header and SK header first, then what was deciphered."""
    start = 32 if octets[16] == ike.SK else 36
    return tuple(_ike_payloads(octets, start, octets[28]))


def _guarded(layers: Iterator[Layer], octets: bytes) -> Iterator[Layer]:
    end = 0
    try:
        for layer in layers:
            end = layer.end
            yield layer
    except (WireError, IndexError) as error:
        yield Layer(name="cannot be read on", start=end, end=len(octets), fields=(("why", str(error) or "too short"),))


def _ethernet(octets: bytes) -> Iterator[Layer]:
    header = EthernetHeader.parse(octets)
    fields = [("destination", mac_text(header.destination)), ("source", mac_text(header.source))]
    fields += [("VLAN tag", f"VID {tag.vlan}, priority {tag.priority}") for tag in header.tags]
    name = _ETHER_TYPES.get(header.ether_type, "length" if header.is_length else "unknown")
    fields.append(("EtherType", f"{header.ether_type:#06x} ({name})"))
    start = header.length
    yield Layer(name="Ethernet", start=0, end=start - 2 if header.ether_type == 0x88E5 else start, fields=tuple(fields))
    if header.ether_type == 0x88E5:
        yield from _macsec(octets, start - 2)
    elif header.ether_type in (0x0800, 0x86DD):
        yield from _ip(octets, start)
    elif header.ether_type == 0x888E:
        yield from _eapol(octets, start)
    else:
        yield from _payload(octets, start, len(octets))


def _macsec(octets: bytes, start: int) -> Iterator[Layer]:
    tag = SecTag.parse(octets[start:])
    bits = [name for name, there in (("ES", tag.es), ("SC", tag.sci is not None), ("SCB", tag.scb),
                                     ("E", tag.encrypted), ("C", tag.changed)) if there]  # fmt: skip
    fields = [("TCI", " ".join(bits) or "none"), ("AN", str(tag.an)), ("SL", str(tag.sl)), ("PN", str(tag.pn))]
    if tag.sci is not None:
        fields.append(("SCI", tag.sci.hex()))
    data = start + tag.length
    yield Layer(name="SecTAG", start=start, end=data, fields=tuple(fields))
    end = data + tag.sl + _ICV if tag.sl else len(octets)
    what = "Secure Data (encrypted)" if tag.encrypted else "user data (readable, authenticated)"
    yield _layer(what, data, end - _ICV, ("octets", end - _ICV - data))
    yield _layer("ICV", end - _ICV, end, ("value", octets[end - _ICV : end].hex()))


def _eapol(octets: bytes, start: int) -> Iterator[Layer]:
    header = EapolHeader.parse(octets[start:])
    kind = "MKA" if header.packet_type == 5 else str(header.packet_type)
    told = (("version", header.version), ("type", kind), ("body", f"{header.body_octets} octets"))
    yield _layer("EAPOL", start, start + 4, *told)
    if header.packet_type != 5:
        return
    body, end = start + 4, start + 4 + header.body_octets
    length = (octets[body + 2] & 15) << 8 | octets[body + 3]
    basic = octets[body : body + 4 + length]
    yield _layer(
        "basic parameter set", body, body + 4 + length,
        ("MKA version", basic[0]), ("key server priority", basic[1]),
        ("key server", "yes" if basic[2] & 0x80 else "no"), ("SCI", basic[4:12].hex()), ("member", basic[12:24].hex()),
        ("message number", int.from_bytes(basic[24:28], "big")), ("CKN", basic[32:].hex()),
    )  # fmt: skip
    position = body + 4 + (length + 3 & ~3)
    while position + 4 <= end - _ICV:
        kind_of, length = octets[position], (octets[position + 2] & 15) << 8 | octets[position + 3]
        following = min(position + 4 + (length + 3 & ~3), end - _ICV)
        name = _PARAMETER_SETS.get(kind_of, f"parameter set {kind_of}")
        yield _layer(name, position, following, ("octets", length))
        position = following
    yield _layer("ICV", end - _ICV, end, ("value", octets[end - _ICV : end].hex()))


def _ip(octets: bytes, start: int, end: int | None = None) -> Iterator[Layer]:
    packet = octets[start:end]
    if packet[:1] and packet[0] >> 4 == 6:
        six = IPv6Header.parse(packet)
        upper = upper_layer(packet, six)
        following = _PROTOCOLS.get(upper.protocol, upper.protocol)
        yield _layer("IPv6", start, start + upper.offset, ("source", six.source), ("destination", six.destination),
                     ("next header", following), ("payload", f"{six.total_length - 40} octets"))  # fmt: skip
        whole = upper.fragment is None
        yield from _transport(octets, start + upper.offset, start + six.total_length, upper.protocol if whole else -1)
        return
    four = IPv4Header.parse(packet)
    piece = f"at {four.fragment_offset}{', more follow' if four.more_fragments else ''}" if four.is_fragment else "no"
    yield _layer("IPv4", start, start + four.header_octets, ("source", four.source), ("destination", four.destination),
                 ("protocol", _PROTOCOLS.get(four.protocol, four.protocol)), ("length", four.total_length),
                 ("TTL", four.ttl), ("DSCP", four.dscp), ("fragment", piece))  # fmt: skip
    protocol = -1 if four.is_fragment else four.protocol
    yield from _transport(octets, start + four.header_octets, start + four.total_length, protocol)


def _transport(octets: bytes, start: int, end: int, protocol: int) -> Iterator[Layer]:
    if protocol == 17:
        header = UdpHeader.parse(octets[start:end])
        ports = (header.source_port, header.destination_port)
        yield _layer("UDP", start, start + 8, *_ports(ports), ("length", header.length))
        yield from _on_udp(octets, start + 8, start + header.length, ports)
    elif protocol == 50:
        yield from _esp(octets, start, end)
    elif protocol == 6:
        ports = (int.from_bytes(octets[start : start + 2], "big"), int.from_bytes(octets[start + 2 : start + 4], "big"))
        payload = start + (octets[start + 12] >> 4) * 4
        sequence = int.from_bytes(octets[start + 4 : start + 8], "big")
        yield _layer("TCP", start, payload, *_ports(ports), ("sequence", sequence))
        yield from _payload(octets, payload, end)
    elif protocol in (1, 58):
        told = (("type", octets[start]), ("code", octets[start + 1]))
        yield _layer(_PROTOCOLS[protocol], start, min(start + 8, end), *told)
        yield from _payload(octets, start + 8, end)
    else:
        yield from _payload(octets, start, end)


def _on_udp(octets: bytes, start: int, end: int, ports: tuple[int, int]) -> Iterator[Layer]:
    if 4500 in ports and octets[start:end] == b"\xff":
        yield _layer("NAT-T keepalive", start, end)
    elif 4500 in ports and octets[start : start + 4] != bytes(4):
        yield from _esp(octets, start, end)
    elif 4500 in ports or 500 in ports:
        marker = 4 if 4500 in ports else 0
        yield from _ike(octets, start + marker, end)
    else:
        yield from _payload(octets, start, end)


def _esp(octets: bytes, start: int, end: int) -> Iterator[Layer]:
    header = EspHeader.parse(octets[start:end])
    yield _layer("ESP", start, start + 8, ("SPI", f"{header.spi:08x}"), ("sequence", header.sequence))
    yield _layer("IV, ciphertext, ICV", start + 8, end, ("octets", end - start - 8))


def _ike(octets: bytes, start: int, end: int) -> Iterator[Layer]:
    header = IkeHeader.parse(octets[start:end])
    exchange = _EXCHANGES.get(header.exchange_type, str(header.exchange_type))
    kind = "answer" if header.is_response else "request"
    yield _layer("IKE header", start, start + 28, ("SPIs", f"{header.spi_i.hex()} {header.spi_r.hex()}"),
                 ("exchange", exchange), ("message ID", header.message_id), ("kind", kind))  # fmt: skip
    yield from _ike_payloads(octets[:end], start + 28, header.next_payload)


def _ike_payloads(octets: bytes, start: int, kind: int) -> Iterator[Layer]:
    while kind and start + 4 <= len(octets):
        length = int.from_bytes(octets[start + 2 : start + 4], "big")
        if length < 4 or start + length > len(octets):
            return
        body = octets[start + 4 : start + length]
        name = _PAYLOADS.get(kind, f"payload {kind}")
        yield Layer(name=name, start=start, end=start + length, fields=tuple(_ike_fields(kind, body)))
        kind = octets[start] if kind not in (ike.SK, ike.SKF) else 0
        start += length


def _ike_fields(kind: int, body: bytes) -> Iterator[tuple[str, str]]:
    if kind == ike.SA:
        for number, proposal in enumerate(ike.proposals(body), 1):
            yield f"proposal {number}", ", ".join(each.name for each in proposal.transforms)
    elif kind == ike.KE:
        yield "group", ike.Transform(ike.DH, int.from_bytes(body[:2], "big"), 0).name
    elif kind in (ike.ID_I, ike.ID_R) and len(body) >= 4:
        yield "identity", _identity(body)
    elif kind == ike.AUTH and body:
        yield "method", ike.AUTH_METHODS.get(body[0], str(body[0]))
    elif kind in (ike.TS_I, ike.TS_R):
        yield "selectors", "; ".join(ike.selectors(body))
    elif kind == ike.NOTIFY and len(body) >= 4:
        number = int.from_bytes(body[2:4], "big")
        yield "type", ike.NOTIFIES.get(number, str(number))
    else:
        yield "octets", str(len(body))


def _identity(body: bytes) -> str:
    octets = body[4:]
    if body[0] in (1, 5) and len(octets) in (4, 16):
        return str(ipaddress.ip_address(octets))
    if body[0] in (2, 3):
        return octets.decode(errors="replace")
    return octets.hex()


def _ports(ports: tuple[int, int]) -> tuple[tuple[str, object], ...]:
    return (("source port", ports[0]), ("destination port", ports[1]))


def _payload(octets: bytes, start: int, end: int) -> Iterator[Layer]:
    end = min(end, len(octets))
    if start < end:
        yield _layer("payload", start, end, ("octets", end - start))


def _layer(name: str, start: int, end: int, *fields: tuple[str, object]) -> Layer:
    return Layer(name=name, start=start, end=end, fields=tuple((field, str(value)) for field, value in fields))
