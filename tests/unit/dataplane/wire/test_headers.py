"""The headers of IPv4, IPv6, UDP, ESP and IKE against octets written down by hand, and what each refuses."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest

from dataplane.errors import LocalError, WireError
from dataplane.wire.checksum import internet_checksum, pseudo_header
from dataplane.wire.esp import EspHeader
from dataplane.wire.ike_header import IkeHeader
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Fragment, IPv6Header, upper_layer
from dataplane.wire.udp import NattKind, UdpHeader, natt_kind

# RFC 3602 section 4, case 7: an ICMP echo request from 192.168.123.3 to 192.168.123.200.
IPV4 = bytes.fromhex("45000054090400004001f988c0a87b03c0a87bc8")
IPV6 = bytes.fromhex("6b8abcde0008113f" + "20010db8000000000000000000000001" + "20010db8000000000000000000000002")
UDP = bytes.fromhex("1194119400100000")
ESP = bytes.fromhex("c000000100000007")
IKE = bytes.fromhex("0102030405060708a1a2a3a4a5a6a7a82e202308000000090000001c")


def test_ipv4() -> None:
    header = IPv4Header.parse(IPV4 + bytes(64))
    assert header == IPv4Header(
        source=IPv4Address("192.168.123.3"),
        destination=IPv4Address("192.168.123.200"),
        protocol=1,
        total_length=84,
        identification=0x0904,
    )
    assert header.emit() == IPV4
    assert not header.is_fragment
    assert header.header_octets == 20


def test_ipv4_with_everything_set() -> None:
    header = IPv4Header(
        source=IPv4Address("10.0.0.1"),
        destination=IPv4Address("10.0.0.2"),
        protocol=255,
        total_length=65535,
        ttl=255,
        dscp=63,
        ecn=3,
        identification=65535,
        dont_fragment=True,
        more_fragments=True,
        fragment_offset=65528,
        options=bytes(range(40)),
    )
    assert header.emit()[:10].hex() == "4fffffffffff7fffffff"
    assert header.header_octets == 60
    assert IPv4Header.parse(header.emit(), cut=True) == header


def with_checksum(header: str) -> bytes:
    octets = bytearray.fromhex(header)
    octets[10:12] = bytes(2)
    octets[10:12] = internet_checksum(octets).to_bytes(2, "big")
    return bytes(octets)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (IPV4[:19], "20 octets or more, here are 19"),
        (with_checksum("65000014" + "00" * 16), "version 6, not 4"),
        (with_checksum("44000014" + "00" * 16), "header of 16 octets"),
        (with_checksum("46000018" + "00" * 16), "header of 24 octets in 20"),
        (with_checksum("45000013" + "00" * 16), "total length 19 with a header of 20"),
        (IPV4, "total length 84 with a header of 20 in 20"),
        (IPV4[:11] + b"\x00" + IPV4[12:] + bytes(64), "checksum"),
    ],
)
def test_ipv4_refuses(octets: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        IPv4Header.parse(octets)


def test_ipv6() -> None:
    header = IPv6Header.parse(IPV6 + bytes(8))
    assert header == IPv6Header(
        source=IPv6Address("2001:db8::1"),
        destination=IPv6Address("2001:db8::2"),
        next_header=17,
        payload_length=8,
        hop_limit=63,
        dscp=0x2E,
        ecn=0,
        flow_label=0xABCDE,
    )
    assert header.emit() == IPV6
    assert header.total_length == 48
    assert upper_layer(IPV6 + bytes(8), header).protocol == 17


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (IPV6[:39], "has 40 octets, here are 39"),
        (b"\x45" + IPV6[1:] + bytes(8), "version 4, not 6"),
        (IPV6 + bytes(7), "payload length 8 with 7 octets"),
    ],
)
def test_ipv6_refuses(octets: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        IPv6Header.parse(octets)


def ipv6(next_header: int, payload: str) -> bytes:
    octets = bytes.fromhex(payload)
    return (
        IPv6Header(
            source=IPv6Address("::1"),
            destination=IPv6Address("::2"),
            next_header=next_header,
            payload_length=len(octets),
        ).emit()
        + octets
    )


@pytest.mark.parametrize(
    ("octets", "protocol", "offset"),
    [
        (ipv6(50, ESP.hex()), 50, 40),
        (ipv6(59, ""), 59, 40),
        (ipv6(0, "3c00000000000000" + "2b01" + "00" * 14 + "0600000000000000" + "aa"), 6, 72),
        (ipv6(51, "3200000000000000"), 51, 40),
    ],
    ids=["none", "no next header", "hop-by-hop, destination, routing", "AH is a protocol of its own"],
)
def test_the_walk_through_extension_headers(octets: bytes, protocol: int, offset: int) -> None:
    found = upper_layer(octets, IPv6Header.parse(octets))
    assert (found.protocol, found.offset, found.fragment) == (protocol, offset, None)


def test_the_walk_meets_fragments() -> None:
    first = ipv6(44, "1100000111223344" + "aabb")
    found = upper_layer(first, IPv6Header.parse(first))
    assert found.fragment == IPv6Fragment(
        next_header=17, fragment_offset=0, more_fragments=True, identification=0x11223344
    )
    assert (found.protocol, found.offset, found.fragment.is_atomic) == (17, 48, False)
    assert found.fragment.emit().hex() == "1100000111223344"
    later = ipv6(44, "3c00001811223344" + "ffff")
    found = upper_layer(later, IPv6Header.parse(later))
    assert found.fragment is not None
    assert (found.protocol, found.offset, found.fragment.fragment_offset) == (60, 48, 24)
    atomic = ipv6(44, "3c00000011223344" + "0600000000000000")
    found = upper_layer(atomic, IPv6Header.parse(atomic))
    assert found.fragment is not None
    assert (found.protocol, found.offset, found.fragment.is_atomic) == (6, 56, True)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (ipv6(60, "06"), "extension header at 40 in 41"),
        (ipv6(60, "0601" + "00" * 6), "ends at 56 in 48"),
        (ipv6(44, "06000000000000"), "extension header at 40 in 47"),
        (ipv6(60, "0000000000000000" + "06" + "00" * 7), "right after the IPv6 header only"),
    ],
)
def test_the_walk_refuses(octets: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        upper_layer(octets, IPv6Header.parse(octets))


def test_a_fragment_header_needs_its_octets() -> None:
    with pytest.raises(WireError, match="8 octets, here are 7"):
        IPv6Fragment.parse(bytes(7))


def test_udp() -> None:
    header = UdpHeader.parse(UDP + bytes(8))
    assert header == UdpHeader(source_port=4500, destination_port=4500, length=16)
    assert header.emit() == UDP


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (UDP[:7], "8 octets, here are 7"),
        (UDP, "length 16 in 8 octets"),
        (bytes.fromhex("0000000000070000"), "length 7"),
    ],
)
def test_udp_refuses(octets: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        UdpHeader.parse(octets)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"\xff", NattKind.KEEPALIVE),
        (bytes(4) + IKE, NattKind.IKE),
        (bytes(4), NattKind.IKE),
        (ESP, NattKind.ESP),
        (b"\xff" * 4, NattKind.ESP),
    ],
)
def test_what_is_on_port_4500(payload: bytes, kind: NattKind) -> None:
    assert natt_kind(payload) is kind
    assert natt_kind(memoryview(payload)) is kind


@pytest.mark.parametrize("payload", [b"", b"\x00", b"\xff\xff", bytes(3)])
def test_port_4500_refuses(payload: bytes) -> None:
    with pytest.raises(WireError, match="neither marker nor SPI"):
        natt_kind(payload)


def test_esp() -> None:
    assert EspHeader.parse(ESP + bytes(40)) == EspHeader(spi=0xC0000001, sequence=7)
    assert EspHeader(spi=0xC0000001, sequence=7).emit() == ESP
    with pytest.raises(WireError, match="8 octets, here are 7"):
        EspHeader.parse(ESP[:7])
    with pytest.raises(WireError, match="SPI of 0"):
        EspHeader.parse(bytes(8))


def test_ike() -> None:
    header = IkeHeader.parse(IKE)
    assert header == IkeHeader(
        spi_i=bytes.fromhex("0102030405060708"),
        spi_r=bytes.fromhex("a1a2a3a4a5a6a7a8"),
        next_payload=46,
        exchange_type=35,
        message_id=9,
        length=28,
        is_initiator=True,
        is_response=False,
    )
    assert header.emit() == IKE
    response = IkeHeader.parse(IKE[:17] + b"\x2f\x25\x30" + IKE[20:])
    assert (response.is_response, response.is_initiator, response.higher_version) == (True, False, True)
    assert (response.major_version, response.minor_version, response.exchange_type) == (2, 15, 37)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (IKE[:27], "28 octets, here are 27"),
        (IKE[:-1] + b"\x1b", "IKE length 27"),
        (IKE[:-1] + b"\x1d", "IKE length 29 in 28"),
        (bytes(8) + IKE[8:], "initiator's SPI is 0"),
    ],
)
def test_ike_refuses(octets: bytes, says: str) -> None:
    with pytest.raises(WireError, match=says):
        IkeHeader.parse(octets)


A4, A6 = IPv4Address("10.0.0.1"), IPv6Address("::1")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: IPv4Header(source=A4, destination=A4, protocol=256, total_length=20), "protocol has 8 bits: 256"),
        (lambda: IPv4Header(source=A4, destination=A4, protocol=6, total_length=20, dscp=64), "dscp has 6 bits"),
        (lambda: IPv4Header(source=A4, destination=A4, protocol=6, total_length=20, fragment_offset=4), "of 8 octets"),
        (lambda: IPv4Header(source=A4, destination=A4, protocol=6, total_length=20, options=b"x"), "words of 4"),
        (lambda: IPv6Header(source=A6, destination=A6, next_header=6, payload_length=-1), "payload_length has 16 bits"),
        (
            lambda: IPv6Fragment(next_header=6, fragment_offset=1, more_fragments=False, identification=0),
            "multiple of 8",
        ),
        (lambda: UdpHeader(source_port=65536, destination_port=1, length=8), "source_port has 16 bits"),
        (lambda: EspHeader(spi=1 << 32, sequence=0), "spi has 32 bits"),
        (
            lambda: IkeHeader(
                spi_i=b"x",
                spi_r=bytes(8),
                next_payload=0,
                exchange_type=0,
                message_id=0,
                length=28,
                is_initiator=True,
                is_response=False,
            ),
            "SPI has 8 octets, not 1",
        ),
    ],
)
def test_what_does_not_fit_its_field_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises(LocalError, match=says):
        make()


def test_checksums() -> None:
    """RFC 1071 section 3's example, and UDP over both pseudo-headers as the kernel sends it."""
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert internet_checksum(b"") == internet_checksum(bytes(2)) == 0xFFFF
    assert internet_checksum(b"\xff\xff") == 0
    assert internet_checksum(b"\x01") == 0xFFFF - 0x0100
    assert pseudo_header(A4, A4, 17, 9).hex() == "0a0000010a00000100110009"
    assert pseudo_header(A6, A6, 58, 9).hex() == ("00" * 15 + "01") * 2 + "000000090000003a"
