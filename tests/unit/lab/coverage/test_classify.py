"""Every frame has one class, decided by what is outermost on the wire."""

from __future__ import annotations

import struct

import pytest

from lab.capture.frame import LINUX_SLL, LINUX_SLL2, RAW_IP, RAW_IPV4, RAW_IPV6
from lab.coverage import census
from lab.coverage.classify import BY_LINK_TYPE
from lab.coverage.classify import ethernet as classify
from lab.coverage.sight import FRAGMENT
from tests.unit.lab.coverage.packets import (
    A4,
    A6,
    B6,
    esp_gcm,
    ethernet,
    ipv4,
    ipv6,
    macsec,
    ping,
    udp,
)

IKE = bytes([1]) * 8 + bytes(8) + bytes((33, 0x20, 34, 8)) + bytes(4) + struct.pack("!I", 28)
MKPDU = bytes((3, 5, 0, 56)) + bytes(56)
ESP = esp_gcm(bytes(40))

CLASSES = {
    "macsec encrypted": (macsec(ethernet(ping())), census.MACSEC_ENCRYPTED),
    "macsec encrypted, ES": (macsec(ethernet(ping()), tci=0x4C), census.MACSEC_ENCRYPTED),
    "macsec encrypted, SCB": (macsec(ethernet(ping()), tci=0x1C), census.MACSEC_ENCRYPTED),
    "macsec encrypted, ES and SCB": (macsec(ethernet(ping()), tci=0x5C), census.MACSEC_ENCRYPTED),
    "macsec encrypted, no SCI": (macsec(ethernet(ping()), tci=0x0C), census.MACSEC_ENCRYPTED),
    "macsec encrypted behind tags": (macsec(ethernet(ping()), tags=b"\x88\xa8\0\1\x81\0\0\2"), census.MACSEC_ENCRYPTED),
    "macsec, short": (macsec(ethernet(b"abc")), census.MACSEC_ENCRYPTED),
    "macsec, short and padded": (macsec(ethernet(b"abc")) + bytes(11), census.MACSEC_ENCRYPTED),
    "macsec integrity only": (macsec(ethernet(ping()), tci=0x20), census.MACSEC_INTEGRITY_ONLY),
    "macsec changed but not encrypted": (macsec(ethernet(ping()), tci=0x24), census.MACSEC_INTEGRITY_ONLY),
    "mka": (ethernet(MKPDU, 0x888E), census.MKA),
    "mka, padded": (ethernet(MKPDU + bytes(4), 0x888E), census.MKA),
    "ike": (ethernet(ipv4(17, udp(500, 500, IKE))), census.IKE),
    "ike from behind a NAT": (ethernet(ipv4(17, udp(1024, 500, IKE))), census.IKE),
    "ike on 4500": (ethernet(ipv4(17, udp(4500, 4500, bytes(4) + IKE))), census.IKE),
    "ike over IPv6": (ethernet(ipv6(17, udp(500, 500, IKE)), 0x86DD), census.IKE),
    "ikev1": (ethernet(ipv4(17, udp(500, 500, IKE[:17] + b"\x10" + IKE[18:]))), census.IKE),
    "esp": (ethernet(ipv4(50, ESP)), census.ESP),
    "esp behind options": (ethernet(ipv4(50, ESP, options=b"\x94\4\0\0")), census.ESP),
    "esp, padded": (ethernet(ipv4(50, ESP) + bytes(9)), census.ESP),
    "esp in a VLAN": (ethernet(ipv4(50, ESP), tags=b"\x81\0\0\5"), census.ESP),
    "esp on 4500": (ethernet(ipv4(17, udp(4500, 4500, ESP))), census.ESP),
    "esp to a NAT": (ethernet(ipv4(17, udp(4500, 61000, ESP))), census.ESP),
    "esp over IPv6": (ethernet(ipv6(50, ESP), 0x86DD), census.ESP),
    "esp behind IPv6 options": (ethernet(ipv6(60, bytes((50, 0)) + bytes(6) + ESP), 0x86DD), census.ESP),
    "arp": (ethernet(bytes.fromhex("0001080006040001") + bytes(20), 0x0806), census.CONTROL),
    "neighbour solicitation": (ethernet(ipv6(58, bytes([135]) + bytes(23)), 0x86DD), census.CONTROL),
    "router advertisement": (ethernet(ipv6(58, bytes([134]) + bytes(15)), 0x86DD), census.CONTROL),
    "mld report": (ethernet(ipv6(0, bytes((58, 0, 5, 2, 0, 0, 1, 0, 143)) + bytes(23)), 0x86DD), census.CONTROL),
    "mld query": (ethernet(ipv6(58, bytes([130]) + bytes(23)), 0x86DD), census.CONTROL),
    "igmp": (ethernet(ipv4(2, bytes(8), options=b"\x94\4\0\0")), census.CONTROL),
    "lldp": (ethernet(bytes(20), 0x88CC), census.CONTROL),
    "lacp": (ethernet(b"\1" + bytes(20), 0x8809), census.CONTROL),
    "pause": (ethernet(b"\0\1\xff\xff" + bytes(42), 0x8808), census.CONTROL),
    "priority pause": (ethernet(b"\1\1" + bytes(44), 0x8808), census.CONTROL),
    "stp": (ethernet(b"\x42\x42\3" + bytes(35), 38), census.CONTROL),
    "eapol start": (ethernet(b"\2\1\0\0", 0x888E), census.CONTROL),
    "eap": (ethernet(b"\2\0\0\5\1\1\0\5\1", 0x888E), census.CONTROL),
    "keepalive": (ethernet(ipv4(17, udp(4500, 4500, b"\xff")) + bytes(17)), census.CONTROL),
    "ping": (ethernet(ping()), census.CLEARTEXT),
    "ping over IPv6": (ethernet(ipv6(58, bytes([128]) + bytes(23)), 0x86DD), census.CLEARTEXT),
    "icmpv6 inside IPv4": (ethernet(ipv4(58, bytes([135]) + bytes(23))), census.CLEARTEXT),
    "tcp": (ethernet(ipv4(6, bytes(20))), census.CLEARTEXT),
    "udp": (ethernet(ipv4(17, udp(1000, 2000, IKE))), census.CLEARTEXT),
    "ah": (ethernet(ipv4(51, bytes(24))), census.CLEARTEXT),
    "ah over IPv6": (ethernet(ipv6(51, bytes(24)), 0x86DD), census.CLEARTEXT),
    "gre": (ethernet(ipv4(47, bytes(24))), census.CLEARTEXT),
    "oam": (ethernet(b"\3" + bytes(20), 0x8809), census.CLEARTEXT),
    "another EtherType": (ethernet(bytes(50), 0x88F7), census.CLEARTEXT),
    "another LLC": (ethernet(b"\xaa\xaa\3" + bytes(35), 38), census.CLEARTEXT),
    "neither type nor length": (ethernet(bytes(50), 0x05FF), census.CLEARTEXT),
    "quoted esp": (ethernet(ipv4(1, b"\3\3\0\0\0\0\0\0" + ipv4(50, ESP)[:28])), census.CLEARTEXT),
}


@pytest.mark.parametrize(("frame", "kind"), CLASSES.values(), ids=CLASSES)
def test_classes(frame: bytes, kind: int) -> None:
    assert classify(frame, len(frame)).kind == kind


def macsec_with(at: int, octets: bytes, clear: bytes = ping()) -> bytes:
    frame = bytearray(macsec(ethernet(clear)))
    frame[at : at + len(octets)] = octets
    return bytes(frame)


def ip_with(at: int, octets: bytes) -> bytes:
    packet = bytearray(ping())
    packet[at : at + len(octets)] = octets
    packet[10:12] = bytes(2)  # left to the hardware
    return ethernet(bytes(packet))


MALFORMED = {
    "no Ethernet header": (bytes(13), "too short for its Ethernet header"),
    "ends in a tag": (ethernet(b"\0\1", 0x8100), "too short for its Ethernet header"),
    "SecTAG cut": (ethernet(b"\x2c\0\0\0\0", 0x88E5), "too short for its SecTAG"),
    "SecTAG version": (macsec_with(14, b"\xac"), "of a version other than 0"),
    "SC and ES": (macsec_with(14, b"\x6c"), "SC and ES or SCB"),
    "SC and SCB": (macsec_with(14, b"\x3c"), "SC and ES or SCB"),
    "E without C": (macsec_with(14, b"\x28"), "E and without C"),
    "SL of 48": (macsec_with(15, b"\x30"), "short length of 48 or more"),
    "SL with a reserved bit": (macsec_with(15, b"\x80"), "short length of 48 or more"),
    "SL where none is due": (macsec_with(15, b"\x2f"), "octets behind the ICV"),
    "no SL on a short frame": (macsec_with(15, b"\0", b"abc"), "without a short length on a short frame"),
    "SL beyond the end": (macsec_with(15, b"\x20", b"abc"), "too short for its SecTAG's short length"),
    "octets behind the ICV": (macsec(ethernet(b"abc")) + b"\0\0\0x", "octets behind the ICV"),
    "too many octets behind the ICV": (macsec(ethernet(b"abc")) + bytes(20), "octets behind the ICV"),
    "EAPOL header cut": (ethernet(b"\3\5\0", 0x888E), "too short for its EAPOL header"),
    "EAPOL body cut": (ethernet(b"\3\5\0\x38" + bytes(55), 0x888E), "EAPOL body beyond"),
    "EAPOL body of another type cut": (ethernet(b"\3\0\0\5" + bytes(4), 0x888E), "EAPOL body beyond"),
    "MKPDU too short": (ethernet(b"\3\5\0\x20" + bytes(32), 0x888E), "MKPDU shorter"),
    "MKPDU not in fours": (ethernet(b"\3\5\0\x39" + bytes(57), 0x888E), "or not in units of 4"),
    "ARP cut": (ethernet(bytes(7), 0x0806), "too short for its ARP header"),
    "802.3 length": (ethernet(bytes(37), 38), "802.3 length beyond"),
    "IPv4 cut": (ethernet(bytes([0x45]) + bytes(18)), "too short for its IPv4 header"),
    "IPv4 of version 6": (ip_with(0, b"\x65"), "version or lengths cannot be"),
    "IPv4 header of 16 octets": (ip_with(0, b"\x44"), "version or lengths cannot be"),
    "IPv4 header beyond the datagram": (ip_with(2, b"\0\x13"), "version or lengths cannot be"),
    "IPv4 beyond the frame": (ip_with(2, b"\0\x80"), "version or lengths cannot be"),
    "IPv4 checksum": (ethernet(ping()[:8] + b"\x3f" + ping()[9:]), "wrong checksum"),
    "IPv4 fragment of no eights": (ethernet(ipv4(50, bytes(20), placed=0x2000)), "not in units of 8"),
    "IPv4 fragment of nothing": (ethernet(ipv4(50, b"", placed=0x0001)), "empty"),
    "IPv4 fragment beyond 65535": (ethernet(ipv4(50, bytes(20), placed=0x1FFF)), "beyond the longest datagram"),
    "IPv6 cut": (ethernet(bytes(39), 0x86DD), "too short for its IPv6 header"),
    "IPv6 of version 4": (ethernet(b"\x40" + ipv6(50, ESP)[1:], 0x86DD), "version or length cannot be"),
    "IPv6 beyond the frame": (ethernet(ipv6(50, ESP)[:-1], 0x86DD), "version or length cannot be"),
    "IPv6 options cut": (ethernet(ipv6(0, b"\x32\0\0\0"), 0x86DD), "extension header beyond"),
    "IPv6 options too long": (ethernet(ipv6(0, b"\x32\1\0\0\0\0\0\0"), 0x86DD), "extension header beyond"),
    "IPv6 fragment of no eights": (ethernet(ipv6(44, b"\x32\0\0\1\0\0\0\1" + bytes(9)), 0x86DD), "not in units of 8"),
    "UDP cut": (ethernet(ipv4(17, bytes(7))), "too short for its UDP header"),
    "UDP length too small": (ethernet(ipv4(17, b"\1\1\2\2\0\7\0\0")), "UDP length that cannot be"),
    "UDP length too large": (ethernet(ipv4(17, b"\1\1\2\2\0\x09\0\0")), "UDP length that cannot be"),
    "ESP too short": (ethernet(ipv4(50, bytes([1]) * 11)), "too short for an ESP packet"),
    "ESP on 4500 too short": (ethernet(ipv4(17, udp(4500, 4500, bytes([1]) * 11))), "too short for an ESP packet"),
    "SPI 0": (ethernet(ipv4(50, bytes(4) + ESP[4:])), "SPI 0"),
    "IKE cut": (ethernet(ipv4(17, udp(500, 500, IKE[:27]))), "too short for an IKE header"),
    "IKE shorter than it says": (ethernet(ipv4(17, udp(500, 500, IKE[:27] + b"\x1d"))), "IKE length other than"),
    "octets behind IKE": (ethernet(ipv4(17, udp(500, 500, IKE + b"x"))), "IKE length other than"),
    "IKE of version 3": (ethernet(ipv4(17, udp(500, 500, IKE[:17] + b"\x30" + IKE[18:]))), "unknown version"),
    "IKE without an SPI": (ethernet(ipv4(17, udp(500, 500, bytes(8) + IKE[8:]))), "without an initiator's SPI"),
}  # fmt: skip


@pytest.mark.parametrize(("frame", "why"), MALFORMED.values(), ids=MALFORMED)
def test_what_a_standard_forbids(frame: bytes, why: str) -> None:
    sight = classify(frame, len(frame))
    assert sight.kind == census.MALFORMED
    assert why in sight.reason


@pytest.mark.parametrize("frame", [frame for frame, _ in CLASSES.values()], ids=CLASSES)
def test_a_frame_cut_by_the_snap_length_is_never_malformed(frame: bytes) -> None:
    """What is missing was there on the wire; the class is what can still be seen, or clear where nothing can."""
    for length in range(len(frame)):
        assert classify(frame[:length], len(frame)).kind != census.MALFORMED


@pytest.mark.parametrize("frame", [frame for frame, _ in CLASSES.values()], ids=CLASSES)
def test_a_frame_that_ends_early_raises_nothing(frame: bytes) -> None:
    for length in range(len(frame)):
        sight = classify(frame[:length], length)
        assert 0 <= sight.kind <= FRAGMENT
        assert sight.end <= length


def test_fragments_are_their_own_kind() -> None:
    frame = ethernet(ipv4(50, bytes(16), placed=0x2005, ident=9))
    sight = classify(frame, len(frame))
    assert sight.kind == FRAGMENT
    assert sight.fragment is not None
    assert (sight.fragment.offset, sight.fragment.more, sight.fragment.protocol) == (40, True, 50)
    frame = ethernet(ipv6(44, b"\x32\0\0\x29\0\0\0\1" + bytes(16)), 0x86DD)
    sight = classify(frame, len(frame))
    assert sight.fragment is not None
    assert (sight.fragment.offset, sight.fragment.more, sight.end - sight.start) == (40, True, 16)


def test_an_ipv6_fragment_that_is_all_there_is_whole() -> None:
    frame = ethernet(ipv6(44, b"\x32\0\0\0\0\0\0\1" + ESP), 0x86DD)
    assert classify(frame, len(frame)).kind == census.ESP


@pytest.mark.parametrize(("link_type", "head", "packet", "kind"), [
    (RAW_IP, b"", ipv4(50, ESP), census.ESP),
    (RAW_IP, b"", ipv6(50, ESP), census.ESP),
    (RAW_IP, b"", b"\x99" + bytes(60), census.MALFORMED),
    (RAW_IP, b"", b"", census.MALFORMED),
    (RAW_IPV4, b"", ipv4(50, ESP), census.ESP),
    (RAW_IPV4, b"", ipv6(50, ESP), census.MALFORMED),
    (RAW_IPV6, b"", ipv6(50, ESP), census.ESP),
    (LINUX_SLL, bytes(14) + b"\x08\0", ipv4(50, ESP), census.ESP),
    (LINUX_SLL, bytes(14) + b"\x08\6", bytes(28), census.CONTROL),
    (LINUX_SLL, bytes(14), b"", census.MALFORMED),
    (LINUX_SLL2, b"\x86\xdd" + bytes(18), ipv6(50, ESP), census.ESP),
    (LINUX_SLL2, b"\x86\xdd" + bytes(17), b"", census.MALFORMED),
])  # fmt: skip
def test_other_link_types(link_type: int, head: bytes, packet: bytes, kind: int) -> None:
    assert BY_LINK_TYPE[link_type](head + packet, len(head + packet)).kind == kind


def test_an_esp_packet_has_its_destination() -> None:
    four = ethernet(ipv4(50, ESP, target=A4))
    assert classify(four, len(four)).destination == A4
    six = ethernet(ipv6(50, ESP, source=B6, target=A6), 0x86DD)
    assert classify(six, len(six)).destination == A6
