"""Packets that are too big for the path: what is answered, what is sent all the same (RFC 4301 8.2)."""

from __future__ import annotations

import os
from ipaddress import IPv4Address, IPv6Address

import pytest

from dataplane.esp.counters import DiscardReason
from dataplane.esp.engine import EspEngine
from dataplane.esp.outcomes import Discarded, Protected
from dataplane.esp.sa import OutboundSa
from dataplane.esp.tunnel import DontFragment, Tunnel
from dataplane.ipsec.suites import EspSuite
from dataplane.wire.icmp import IcmpHeader
from dataplane.wire.ipv4 import IPv4Header
from dataplane.wire.ipv6 import IPv6Header
from tests.unit.dataplane.esp.peers import (
    CBC256_SHA256,
    GCM256,
    NOW,
    empty,
    filled,
    ipv4,
    ipv6,
    parameters,
    protect_all,
    sender,
    udp,
)

# The greatest inner packet within 1,500 octets: suite, in UDP or not, octets.
MTUS = [(CBC256_SHA256, True, 1422), (GCM256, True, 1438), (CBC256_SHA256, False, 1438), (GCM256, False, 1446)]


@pytest.mark.parametrize(("suite", "udp_encapsulation", "mtu"), MTUS)
def test_too_big_for_the_path(suite: EspSuite, udp_encapsulation: bool, mtu: int) -> None:
    tunnel = Tunnel("hq", udp_encapsulation=udp_encapsulation)
    engine = sender(parameters(suite, tunnel=tunnel))
    fits, too_big = ipv4(udp(mtu - 20), df=True), ipv4(udp(mtu - 19), df=True)
    wire = empty()
    engine.encapsulate(filled([fits] * 8 + [too_big] * 8), wire, NOW)
    assert wire.count == 8
    outer = 20 + (8 if udp_encapsulation else 0)
    assert all(outer + len(packet) <= 1500 for packet in wire)
    assert engine.counters.discarded == {DiscardReason.OUT_TOO_BIG: 8}
    assert engine.counters.errors_sent == 8
    error = engine.next_error()
    assert error is not None
    header = IPv4Header.parse(error)
    assert (header.source, header.destination) == (IPv4Address("192.168.0.1"), IPv4Address("192.168.0.10"))
    icmp = IcmpHeader.parse(error[20:])
    assert (icmp.type, icmp.code, icmp.rest) == (3, 4, mtu)
    assert error[28:] == too_big[:548]


def test_an_ipv6_packet_too_big() -> None:
    engine = sender()
    assert engine.encapsulate_packet(ipv6(udp(1400)), NOW) == Discarded(DiscardReason.OUT_TOO_BIG)
    error = engine.next_error()
    assert error is not None
    assert len(error) == 1280
    header = IPv6Header.parse(error)
    assert (header.source, header.destination) == (IPv6Address("2001:db8:a::1"), IPv6Address("2001:db8:a::10"))
    icmp = IcmpHeader.parse(error[40:])
    assert (icmp.type, icmp.code, icmp.rest) == (2, 0, 1438)
    assert engine.next_error() is None


def test_ipv6_never_hears_of_less_than_its_least_mtu() -> None:
    tunnel = Tunnel("hq", path_mtu=1000)
    engine = sender(parameters(tunnel=tunnel))
    sent = engine.encapsulate_packet(ipv6(udp(1240)), NOW)
    assert isinstance(sent, Protected)
    assert not sent.flight.dont_fragment
    assert engine.encapsulate_packet(ipv6(udp(1241)), NOW) == Discarded(DiscardReason.OUT_TOO_BIG)
    error = engine.next_error()
    assert error is not None
    assert IcmpHeader.parse(error[40:]).rest == 1280


def test_what_may_be_fragmented_is_sent_for_the_outer_path_to_fragment() -> None:
    engine = sender()
    for packet in (ipv4(udp(1450)), ipv4(udp(1450), df=False)):
        sent = engine.encapsulate_packet(packet, NOW)
        assert isinstance(sent, Protected)
        assert not sent.flight.dont_fragment
    clearing = sender(parameters(tunnel=Tunnel("hq", dont_fragment=DontFragment.CLEAR)))
    assert isinstance(clearing.encapsulate_packet(ipv4(udp(1450), df=True), NOW), Protected)


def test_a_path_mtu_that_was_learnt_holds_from_then_on() -> None:
    tunnel = Tunnel("hq")
    engine = sender(parameters(tunnel=tunnel))
    packet = ipv4(udp(1380), df=True)
    assert isinstance(engine.encapsulate_packet(packet, NOW), Protected)
    tunnel.path_mtu = 1400
    assert engine.encapsulate_packet(packet, NOW) == Discarded(DiscardReason.OUT_TOO_BIG)


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(b"\x03\x04" + bytes(1500), protocol=1, df=True),
        ipv6(b"\x01\x00" + bytes(1500), protocol=58),
        ipv4(udp(1500), df=True, source="224.0.0.1"),
        ipv4(udp(1500), df=True, source="0.0.0.0"),
        ipv4(udp(1500), df=True, destination="239.1.1.1"),
        ipv4(udp(1500), df=True, offset=1480),
    ],
    ids=["ICMP error", "ICMPv6 error", "from a group", "from nowhere", "to a group", "later fragment"],
)
def test_no_error_answers_these(packet: bytes) -> None:
    engine = sender()
    assert engine.encapsulate_packet(packet, NOW) == Discarded(DiscardReason.OUT_TOO_BIG)
    assert engine.next_error() is None
    assert engine.counters.errors_sent == 0


def test_errors_are_not_sent_too_often() -> None:
    engine = sender()
    packet = ipv4(udp(1500), df=True)

    def answered(now: float) -> int:
        for _ in range(40):
            engine.encapsulate_packet(packet, now)
        count = 0
        while engine.next_error() is not None:
            count += 1
        return count

    assert [answered(NOW), answered(NOW), answered(NOW), answered(NOW + 0.1), answered(NOW + 9)] == [40, 10, 0, 10, 40]


def test_without_an_address_of_its_own_the_gateway_stays_silent() -> None:
    engine = EspEngine([protect_all()])
    engine.sad.add_outbound(OutboundSa(parameters(), NOW, os.urandom))
    for packet in (ipv4(udp(1500), df=True), ipv6(udp(1500))):
        assert engine.encapsulate_packet(packet, NOW) == Discarded(DiscardReason.OUT_TOO_BIG)
    assert engine.next_error() is None
