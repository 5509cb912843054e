"""ICMP's header, and the two errors that tell a sender that its packets are too big."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6PacketTooBig, IPv6

from dataplane.errors import LocalError, WireError
from dataplane.wire.checksum import internet_checksum, pseudo_header, updated_checksum
from dataplane.wire.icmp import (
    IcmpHeader,
    fragmentation_needed,
    is_icmp_error,
    is_icmpv6_error,
    packet_too_big,
)
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Header

A4, B4 = IPv4Address("192.168.0.10"), IPv4Address("192.168.0.1")
A6, B6 = IPv6Address("2001:db8::10"), IPv6Address("2001:db8::1")
words = st.integers(0, 0xFFFF)


def test_the_header() -> None:
    header = IcmpHeader(type=3, code=4, checksum=0x1234, rest=1400)
    assert header.emit().hex() == "0304123400000578"
    assert IcmpHeader.parse(header.emit() + b"quoted") == header
    with pytest.raises(WireError, match="8 octets, here are 7"):
        IcmpHeader.parse(bytes(7))
    with pytest.raises(LocalError, match="code has 8 bits"):
        IcmpHeader(type=0, code=256)


@pytest.mark.parametrize("octets", [28, 548, 1500])
def test_fragmentation_needed(octets: int) -> None:
    packet = IPv4Header(source=A4, destination=IPv4Address("10.0.2.4"), protocol=17, total_length=octets).emit()
    packet += bytes(octets - 20)
    error = fragmentation_needed(packet, to=A4, source=B4, mtu=1400)
    header = IPv4Header.parse(error)
    assert (header.source, header.destination, header.protocol) == (B4, A4, 1)
    assert header.total_length == len(error) <= 576
    assert internet_checksum(error[20:]) == 0
    assert error[28:] == packet[:548]
    seen = IP(error)
    assert (seen[ICMP].type, seen[ICMP].code, seen[ICMP].nexthopmtu) == (3, 4, 1400)


@pytest.mark.parametrize("octets", [48, 1232, 1500])
def test_packet_too_big(octets: int) -> None:
    packet = IPv6Header(source=A6, destination=IPv6Address("::2"), next_header=17, payload_length=octets - 40).emit()
    packet += bytes(octets - 40)
    error = packet_too_big(packet, to=A6, source=B6, mtu=1400)
    header = IPv6Header.parse(error)
    assert (header.source, header.destination, header.next_header) == (B6, A6, 58)
    assert header.total_length == len(error) <= 1280
    assert internet_checksum(pseudo_header(B6, A6, 58, header.payload_length), error[40:]) == 0
    assert error[48:] == packet[:1232]
    assert IPv6(error)[ICMPv6PacketTooBig].mtu == 1400


def test_which_messages_are_errors() -> None:
    assert [kind for kind in range(20) if is_icmp_error(kind)] == [1, 2, 3, 4, 5, 6, 7, 11, 12, 19]
    assert [kind for kind in (0, 1, 4, 127, 128, 135, 255) if is_icmpv6_error(kind)] == [0, 1, 4, 127]


@given(st.lists(words, min_size=2, max_size=8), words)
def test_a_checksum_follows_a_changed_word(old: list[int], word: int) -> None:
    """What a receiver asks is whether the sum is right; the same sum has two forms, 0 and 0xFFFF."""
    octets = b"".join(each.to_bytes(2, "big") for each in old)
    changed = word.to_bytes(2, "big") + octets[2:]
    checksum = updated_checksum(internet_checksum(octets), old[0], word)
    assert checksum % 0xFFFF == internet_checksum(changed) % 0xFFFF
