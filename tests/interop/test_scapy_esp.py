"""Scapy as a second opinion on ESP: it opens what the engine seals, and the engine opens what it seals."""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv6Address

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import ESP, SecurityAssociation

from dataplane.esp.outcomes import Accepted, Protected
from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import encr, integ
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Header
from tests.unit.dataplane.esp.peers import NOW, SPI, empty, filled, parameters, receiver, sender

CBC, GCM = "ENCR_AES_CBC", "ENCR_AES_GCM_16"
SUITES = [
    (EspSuite(encryption=encr(CBC, 256), integrity=integ("AUTH_HMAC_SHA2_256_128")), "AES-CBC", "SHA2-256-128"),
    (EspSuite(encryption=encr(CBC, 128), integrity=integ("AUTH_HMAC_SHA1_96")), "AES-CBC", "HMAC-SHA1-96"),
    (EspSuite(encryption=encr(CBC, 192), integrity=integ("AUTH_HMAC_SHA2_384_192")), "AES-CBC", "SHA2-384-192"),
    (EspSuite(encryption=encr(CBC, 256), integrity=integ("AUTH_HMAC_SHA2_512_256"), esn=True), "AES-CBC",
     "SHA2-512-256"),
    (EspSuite(encryption=encr("ENCR_3DES"), integrity=integ("AUTH_HMAC_MD5_96")), "3DES", "HMAC-MD5-96"),
    (EspSuite(encryption=encr("ENCR_NULL"), integrity=integ("AUTH_HMAC_SHA2_256_128")), "NULL", "SHA2-256-128"),
    (EspSuite(encryption=encr(GCM, 256)), "AES-GCM", "NULL"),
    (EspSuite(encryption=encr(GCM, 128), esn=True), "AES-GCM", "NULL"),
    (EspSuite(encryption=encr("ENCR_CHACHA20_POLY1305")), "CHACHA20-POLY1305", "NULL"),
]  # fmt: skip
each_suite = pytest.mark.parametrize(("suite", "cipher", "integrity"), SUITES, ids=[str(row[0]) for row in SUITES])
OUTER = {4: ("203.0.113.1", "10.0.1.4"), 6: ("2001:db8::1", "2001:db8::2")}


def scapys(suite: EspSuite, cipher: str, integrity: str, outer: int) -> SecurityAssociation:
    keys = parameters(suite).keys
    source, destination = OUTER[outer]
    header = IP(src=source, dst=destination) if outer == 4 else IPv6(src=source, dst=destination)
    return SecurityAssociation(
        ESP,
        spi=SPI,
        seq_num=1,
        crypt_algo=cipher,
        crypt_key=keys.encryption.reveal() or None,
        auth_algo=integrity,
        auth_key=keys.integrity.reveal() or None,
        esn_en=suite.esn,
        esn=0,
        tunnel_header=header,
    )


def inner_packets() -> list[bytes]:
    lengths = [0, 1, 7, 15, 16, 100, 1300]
    v4 = [IP(src="192.168.0.10", dst="10.0.2.4") / UDP(sport=5, dport=7) / os.urandom(n) for n in lengths]
    v6 = [IPv6(src="2001:db8:a::1", dst="2001:db8:b::1") / TCP(sport=5, dport=7) / os.urandom(n) for n in lengths]
    bulk = [IP(src="192.168.0.10", dst="10.0.2.4") / TCP(sport=5, dport=7) / os.urandom(999) for _ in range(12)]
    return [bytes(packet) for packet in v4 + v6 + bulk]


def with_outer(esp: bytes, outer: int) -> IP | IPv6:
    if outer == 4:
        header = IPv4Header(source=IPv4Address(OUTER[4][0]), destination=IPv4Address(OUTER[4][1]), protocol=50,
                            total_length=20 + len(esp))  # fmt: skip
        return IP(header.emit() + esp)
    header6 = IPv6Header(source=IPv6Address(OUTER[6][0]), destination=IPv6Address(OUTER[6][1]), next_header=50,
                         payload_length=len(esp))  # fmt: skip
    return IPv6(header6.emit() + esp)


@each_suite
@pytest.mark.parametrize("outer", [4, 6])
def test_scapy_opens_what_we_seal(suite: EspSuite, cipher: str, integrity: str, outer: int) -> None:
    engine, other = sender(parameters(suite)), scapys(suite, cipher, integrity, outer)
    packets = inner_packets()
    wire = empty()
    engine.encapsulate(filled(packets), wire, NOW)
    singly = engine.encapsulate_packet(packets[0], NOW)
    assert isinstance(singly, Protected)
    sealed = [bytes(packet) for packet in wire] + [singly.octets]
    for esp, inner in zip(sealed, [*packets, packets[0]], strict=True):
        assert bytes(other.decrypt(with_outer(esp, outer))) == inner


@each_suite
@pytest.mark.parametrize("outer", [4, 6])
def test_we_open_what_scapy_seals(suite: EspSuite, cipher: str, integrity: str, outer: int) -> None:
    engine, other = receiver(parameters(suite)), scapys(suite, cipher, integrity, outer)
    packets = inner_packets()
    header = 20 if outer == 4 else 40
    sealed = [bytes(other.encrypt((IP if packet[0] >> 4 == 4 else IPv6)(packet)))[header:] for packet in packets]
    assert engine.decapsulate_packet(sealed[0], NOW) == Accepted(packets[0])
    clear = empty()
    engine.decapsulate(filled(sealed[1:]), clear, NOW)
    assert [bytes(packet) for packet in clear] == packets[1:]
