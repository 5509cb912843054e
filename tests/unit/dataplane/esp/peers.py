"""Two engines with an SA between them, and packets to send."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

from dataplane.batch import Batch
from dataplane.esp.engine import EspEngine
from dataplane.esp.events import EspEvent
from dataplane.esp.lifetime import UNLIMITED, Lifetime
from dataplane.esp.sa import InboundSa, OutboundSa, SaParameters
from dataplane.esp.spd import Action, SpdEntry
from dataplane.esp.tunnel import Tunnel
from dataplane.ipsec.selectors import ANY_IPV4, ANY_IPV6, TrafficSelector
from dataplane.ipsec.suites import EspKeys, EspSuite
from dataplane.ipsec.transforms import encr, integ
from dataplane.wire.checksum import internet_checksum, pseudo_header
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Header

ANY = (ANY_IPV4, ANY_IPV6)
SPI = 0xC0000001
NOW = 1000.0

CBC256_SHA256 = EspSuite(encryption=encr("ENCR_AES_CBC", 256), integrity=integ("AUTH_HMAC_SHA2_256_128"))
GCM256 = EspSuite(encryption=encr("ENCR_AES_GCM_16", 256))
SUITES = [
    CBC256_SHA256,
    EspSuite(encryption=encr("ENCR_AES_CBC", 128), integrity=integ("AUTH_HMAC_SHA1_96")),
    EspSuite(encryption=encr("ENCR_AES_CBC", 192), integrity=integ("AUTH_HMAC_SHA2_384_192"), esn=True),
    EspSuite(encryption=encr("ENCR_AES_CBC", 256), integrity=integ("AUTH_HMAC_SHA2_512_256"), esn=True),
    EspSuite(encryption=encr("ENCR_3DES"), integrity=integ("AUTH_HMAC_MD5_96")),
    EspSuite(encryption=encr("ENCR_DES"), integrity=integ("AUTH_HMAC_SHA1_96")),
    EspSuite(encryption=encr("ENCR_NULL"), integrity=integ("AUTH_HMAC_SHA2_256_128"), esn=True),
    GCM256,
    EspSuite(encryption=encr("ENCR_AES_GCM_16", 128), esn=True),
    EspSuite(encryption=encr("ENCR_CHACHA20_POLY1305")),
    EspSuite(encryption=encr("ENCR_CHACHA20_POLY1305"), esn=True),
]


def protect_all(tunnel: str = "hq") -> SpdEntry:
    return SpdEntry(name="all", action=Action.PROTECT, local=ANY, remote=ANY, tunnel=tunnel)


def keys_of(suite: EspSuite, first: int = 1) -> EspKeys:
    return suite.keys(bytes((first + i) % 256 for i in range(suite.keymat_octets)))


def parameters(
    suite: EspSuite = CBC256_SHA256,
    *,
    spi: int = SPI,
    tunnel: Tunnel | None = None,
    local: tuple[TrafficSelector, ...] = ANY,
    remote: tuple[TrafficSelector, ...] = ANY,
    lifetime: Lifetime = UNLIMITED,
    first_key: int = 1,
) -> SaParameters:
    return SaParameters(
        spi=spi,
        tunnel=tunnel or Tunnel("hq"),
        suite=suite,
        keys=keys_of(suite, first_key),
        local=local,
        remote=remote,
        lifetime=lifetime,
    )


def sender(
    of: SaParameters | None = None, *, next_sequence: int = 1, random: Callable[[int], bytes] = os.urandom
) -> EspEngine:
    engine = EspEngine([protect_all()], ipv4=IPv4Address("192.168.0.1"), ipv6=IPv6Address("2001:db8:a::1"))
    engine.sad.add_outbound(OutboundSa(of or parameters(), NOW, random, next_sequence=next_sequence))
    return engine


def receiver(of: SaParameters | None = None, *, window: int = 1024, next_sequence: int = 1) -> EspEngine:
    engine = EspEngine()
    engine.sad.add_inbound(InboundSa(of or parameters(), NOW, window=window, next_sequence=next_sequence))
    return engine


def events(engine: EspEngine) -> list[EspEvent]:
    found = []
    while (event := engine.next_event()) is not None:
        found.append(event)
    return found


def filled(packets: list[bytes], *, size: int = 2048, slots: int | None = None, headroom: int = 0) -> Batch:
    batch = Batch(slots or max(1, len(packets)), size, headroom=headroom)
    for packet in packets:
        batch.append(packet)
    return batch


def empty(slots: int = 64, size: int = 2048, *, headroom: int = 0) -> Batch:
    return Batch(slots, size, headroom=headroom)


def held(batch: Batch) -> list[bytes]:
    return [bytes(packet) for packet in batch]


def ipv4(
    payload: bytes = b"",
    *,
    source: str = "192.168.0.10",
    destination: str = "10.0.2.4",
    protocol: int = 17,
    tos: int = 0,
    df: bool = False,
    offset: int = 0,
    more: bool = False,
    options: bytes = b"",
) -> bytes:
    header = IPv4Header(
        source=IPv4Address(source),
        destination=IPv4Address(destination),
        protocol=protocol,
        total_length=20 + len(options) + len(payload),
        dscp=tos >> 2,
        ecn=tos & 3,
        dont_fragment=df,
        fragment_offset=offset,
        more_fragments=more,
        options=options,
    )
    return header.emit() + payload


def ipv6(
    payload: bytes = b"",
    *,
    source: str = "2001:db8:a::10",
    destination: str = "2001:db8:b::4",
    protocol: int = 17,
    tos: int = 0,
    label: int = 0,
) -> bytes:
    header = IPv6Header(
        source=IPv6Address(source),
        destination=IPv6Address(destination),
        next_header=protocol,
        payload_length=len(payload),
        dscp=tos >> 2,
        ecn=tos & 3,
        flow_label=label,
    )
    return header.emit() + payload


def udp(octets: int, *, sport: int = 1000, dport: int = 2000, fill: int = 0) -> bytes:
    return struct.pack("!HHHH", sport, dport, octets, 0) + bytes((fill + i) % 256 for i in range(octets - 8))


def tcp(version: int, *, flags: int = 0x10, options: bytes = b"", data: bytes = b"") -> bytes:
    """A whole TCP packet between the usual ends, with a right checksum."""
    header = bytearray(struct.pack("!HHIIBBHHH", 1000, 80, 1, 2, (20 + len(options)) << 2, flags, 65535, 0, 0))
    segment = header + options + data
    source, destination = ("192.168.0.10", "10.0.2.4") if version == 4 else ("2001:db8:a::10", "2001:db8:b::4")
    pseudo = pseudo_header(ip_address(source), ip_address(destination), 6, len(segment))
    checksum = internet_checksum(pseudo, segment)
    segment[16:18] = checksum.to_bytes(2, "big")
    return (ipv4 if version == 4 else ipv6)(bytes(segment), protocol=6)


def tcp_checksum_is_right(packet: bytes) -> bool:
    if packet[0] >> 4 == 4:
        header = IPv4Header.parse(packet)
        segment = packet[20:]
        return internet_checksum(pseudo_header(header.source, header.destination, 6, len(segment)), segment) == 0
    header6 = IPv6Header.parse(packet)
    segment = packet[40:]
    return internet_checksum(pseudo_header(header6.source, header6.destination, 6, len(segment)), segment) == 0
