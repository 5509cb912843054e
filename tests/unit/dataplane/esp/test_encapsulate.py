"""Outbound: policy, path MTU, outer headers, lifetimes; each reason for a discard once."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from dataplane.crypto.cbc import Cbc
from dataplane.errors import LocalError
from dataplane.esp.counters import DiscardReason
from dataplane.esp.engine import EspEngine
from dataplane.esp.events import Acquire, Audited, Direction, SaHardExpired, SaSoftExpired
from dataplane.esp.lifetime import Cause, Lifetime
from dataplane.esp.outcomes import Accepted, Bypassed, Discarded, Flight, Protected
from dataplane.esp.sa import OutboundSa
from dataplane.esp.shape import Shape
from dataplane.esp.spd import Action, SpdEntry
from dataplane.esp.tunnel import DontFragment, Tunnel
from dataplane.ipsec.selectors import TrafficSelector
from tests.unit.dataplane.esp.peers import (
    ANY,
    CBC256_SHA256,
    NOW,
    SPI,
    empty,
    events,
    filled,
    held,
    ipv4,
    ipv6,
    parameters,
    protect_all,
    receiver,
    sender,
    tcp,
    tcp_checksum_is_right,
    udp,
)

of = TrafficSelector.of


def test_an_ordered_policy_decides() -> None:
    remote = (of("10.0.0.0/16"),)
    engine = EspEngine(
        [
            SpdEntry(name="ssh", action=Action.BYPASS, local=(of("192.168.0.0/16", protocol=17, ports=(22, 22)),),
                     remote=remote),
            SpdEntry(name="guests", action=Action.DISCARD, local=(of("192.168.9.0/24"),), remote=remote),
            SpdEntry(name="rest", action=Action.PROTECT, local=(of("192.168.0.0/16"),), remote=remote, tunnel="hq"),
        ]
    )  # fmt: skip
    engine.sad.add_outbound(OutboundSa(parameters(), NOW, os.urandom))
    bypassed = ipv4(udp(30, sport=22))
    packets = [
        ipv4(udp(30)),
        bypassed,
        ipv4(udp(30), source="192.168.9.1"),
        ipv4(udp(30), destination="10.1.0.1"),
        ipv4(udp(30), source="172.16.0.1"),
        ipv6(udp(30)),
    ]
    wire, bypass = empty(), empty()
    (flight,) = engine.encapsulate(filled(packets), wire, NOW, bypass)
    assert (flight.first, flight.count, wire.count) == (0, 1, 1)
    assert held(bypass) == [bypassed]
    assert engine.counters.discarded == {DiscardReason.OUT_POLICY: 1, DiscardReason.OUT_NO_POLICY: 3}
    assert engine.counters.bypassed_packets == 1
    engine.encapsulate(filled(packets[1:2]), wire, NOW)
    assert engine.counters.discarded[DiscardReason.OUT_NO_BYPASS] == 1
    assert engine.encapsulate_packet(bypassed, NOW) == Bypassed(bypassed)
    assert engine.encapsulate_packet(packets[2], NOW) == Discarded(DiscardReason.OUT_POLICY)


def test_a_new_policy_holds_from_the_next_packet_on() -> None:
    engine, packet = sender(), ipv4(udp(30))
    assert isinstance(engine.encapsulate_packet(packet, NOW), Protected)
    engine.spd.entries = (SpdEntry(name="none", action=Action.DISCARD, local=ANY, remote=ANY),)
    assert engine.encapsulate_packet(packet, NOW) == Discarded(DiscardReason.OUT_POLICY)


def test_before_the_tunnel_is_up_nothing_leaves_and_an_sa_is_asked_for() -> None:
    engine = EspEngine([protect_all()])
    wire = empty()
    for now, asked in ((NOW, 1), (NOW + 0.5, 0), (NOW + 1.0, 1)):
        assert engine.encapsulate(filled([ipv4(udp(30))] * 20), wire, now) == ()
        assert wire.count == 0
        told = events(engine)
        acquires = [event for event in told if isinstance(event, Acquire)]
        assert len(acquires) == asked
        assert all((event.tunnel, event.entry) == ("hq", "all") for event in acquires)
        assert len([event for event in told if isinstance(event, Audited)]) == 20
    assert engine.counters.discarded == {DiscardReason.OUT_NO_SA: 60}


def test_audits_are_bounded_and_the_rest_is_counted() -> None:
    engine = EspEngine()
    for _ in range(1100):
        engine.encapsulate_packet(b"not IP", NOW)
    assert len(events(engine)) == 1024
    assert engine.events_lost == 76
    assert engine.counters.discarded == {DiscardReason.OUT_BAD_PACKET: 1100}


def test_an_audit_names_the_flow() -> None:
    engine = EspEngine()
    engine.encapsulate_packet(ipv4(udp(30)), NOW)
    (event,) = events(engine)
    assert isinstance(event, Audited)
    assert (event.reason, event.at) == (DiscardReason.OUT_NO_POLICY, NOW)
    assert str(event.flow) == "192.168.0.10 -> 10.0.2.4 protocol 17 1000->2000"


@pytest.mark.parametrize(
    "packet",
    [b"", b"\x45", b"\x45" + bytes(18), ipv4(udp(30))[:-1], b"\x44" + ipv4(udp(30))[1:], b"\x50" + bytes(60),
     ipv6(udp(30))[:-1], ipv6(b"\x3c" + bytes(6), protocol=60)],
)  # fmt: skip
def test_what_is_no_packet_is_discarded(packet: bytes) -> None:
    engine = sender()
    assert engine.encapsulate_packet(packet, NOW) == Discarded(DiscardReason.OUT_BAD_PACKET)


def test_octets_behind_the_packet_are_left_out() -> None:
    engine, other = sender(), receiver()
    packet = ipv4(udp(30))
    wire, clear = empty(), empty()
    engine.encapsulate(filled([packet + b"trailing " * 9] * 10), wire, NOW)
    assert {len(sealed) for sealed in wire} == {Shape.of(CBC256_SHA256).packet(len(packet))}
    other.decapsulate(wire, clear, NOW)
    assert held(clear) == [packet] * 10


def test_ivs_of_cbc_are_made_of_the_callers_entropy() -> None:
    """Each IV is the block cipher of a fresh random block xor the block before it: nobody can foresee it."""
    given: list[bytes] = []

    def random(octets: int) -> bytes:
        given.append(os.urandom(octets))
        return given[-1]

    engine, cbc = sender(random=random), Cbc(parameters().keys.encryption.reveal())
    wire = empty()
    engine.encapsulate(filled([ipv4(udp(30))] * 20 + [ipv4(udp(40))] * 3), wire, NOW)
    blocks = b"".join(given)
    assert len(blocks) == 23 * 16
    last = bytes(16)
    for index, packet in enumerate(held(wire)):
        assert packet[8:24] == cbc.encrypt(last, blocks[16 * index : 16 * index + 16])
        last = packet[-32:-16]


def test_selectors_choose_among_the_sas_of_a_tunnel() -> None:
    engine = EspEngine([protect_all()])
    tunnel = Tunnel("hq")
    for spi, network in ((0x1001, "10.0.0.0/16"), (0x1002, "10.2.0.0/16")):
        sa = parameters(spi=spi, tunnel=tunnel, remote=(of(network),))
        engine.sad.add_outbound(OutboundSa(sa, NOW, os.urandom))
    packets = [ipv4(udp(30), destination=f"10.{net}.0.{index}") for index in range(1, 9) for net in (0, 2)]
    packets += [ipv4(udp(30), destination="10.2.0.1")] * 8 + [ipv4(udp(30), destination="10.4.0.1")]
    wire = empty()
    engine.encapsulate(filled(packets), wire, NOW)
    spis = [int.from_bytes(packet[:4], "big") for packet in held(wire)]
    assert spis == [0x1001, 0x1002] * 8 + [0x1002] * 8
    assert engine.counters.discarded == {DiscardReason.OUT_NO_SA: 1}


def test_flights_gather_what_leaves_alike() -> None:
    engine = sender()
    packets = [ipv4(udp(30), df=True)] * 7 + [ipv4(udp(30), tos=0xB8)] * 8 + [ipv4(udp(40), tos=0xB8)] * 2
    packets += [ipv6(udp(30), tos=0xB9)] * 9 + [ipv4(udp(30), tos=0x02)]
    wire = empty()
    assert engine.encapsulate(filled(packets), wire, NOW) == (
        Flight(first=0, count=7, tunnel="hq", tos=0, dont_fragment=True),
        Flight(first=7, count=10, tunnel="hq", tos=0xB8, dont_fragment=False),
        Flight(first=17, count=9, tunnel="hq", tos=0xB9, dont_fragment=True),
        Flight(first=26, count=1, tunnel="hq", tos=0x02, dont_fragment=False),
    )
    assert wire.count == 27


@pytest.mark.parametrize(
    ("rule", "inner", "outer"),
    [
        (DontFragment.COPY, True, True),
        (DontFragment.COPY, False, False),
        (DontFragment.SET, False, True),
        (DontFragment.CLEAR, True, False),
    ],
)
def test_the_outer_header_follows_the_tunnels_rules(rule: DontFragment, inner: bool, outer: bool) -> None:
    engine = sender(parameters(tunnel=Tunnel("hq", dont_fragment=rule, dscp=0x2E)))
    sent = engine.encapsulate_packet(ipv4(udp(30), df=inner, tos=0x03), NOW)
    assert isinstance(sent, Protected)
    assert (sent.flight.tos, sent.flight.dont_fragment) == (0x2E << 2 | 3, outer)


def test_what_does_not_fit_its_slot_is_discarded_and_the_rest_goes_on() -> None:
    engine, other = sender(), receiver()
    packets = [ipv4(udp(200))] * 8 + [ipv4(udp(30))] * 8
    wire, clear = empty(size=120), empty()
    engine.encapsulate(filled(packets), wire, NOW)
    assert engine.counters.discarded == {DiscardReason.OUT_TOO_LONG: 8}
    other.decapsulate(wire, clear, NOW)
    assert held(clear) == packets[8:]


def test_batches_must_match() -> None:
    with pytest.raises(LocalError, match="3 packets need another batch of as many slots, not one of 2"):
        sender().encapsulate(filled([ipv4()] * 3), empty(2), NOW)
    batch = filled([ipv4()])
    with pytest.raises(LocalError, match="another batch"):
        sender().encapsulate(batch, batch, NOW)


MSS_1460 = bytes.fromhex("020405b4")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (MSS_1460, "02040546"),
        (b"\x01\x01\x01\x03\x03\x07\x00\x00" + b"", "0101010303070000"),
        (b"\x01" + MSS_1460 + bytes(3), "0102040546000000"),
        (b"\x02\x04\x05\x00", "02040500"),
        (b"\x01\x01" + MSS_1460 + b"\x01\x01", "0101020405460101"),
        (b"\x03\x00" + MSS_1460 + bytes(2), "0300020405b40000"),
        (b"\x02\x03\x05\xb4", "020305b4"),
        (b"\x01\x01\x01\x02", "01010102"),
    ],
    ids=["plain", "no MSS", "at an odd place", "smaller", "behind two", "broken length", "odd length", "cut"],
)
def test_mss_is_clamped_both_ways(version: int, options: bytes, expected: str) -> None:
    tunnel = Tunnel("hq", greatest_mss=1350)
    packet = tcp(version, flags=0x02, options=options)
    out, into = sender(parameters(tunnel=Tunnel("hq"))), receiver(parameters(tunnel=tunnel))
    clamping, plain = sender(parameters(tunnel=tunnel)), receiver(parameters(tunnel=Tunnel("hq")))
    for engine, other in ((out, into), (clamping, plain)):
        wire, clear = empty(), empty()
        engine.encapsulate(filled([packet] * 8), wire, NOW)
        other.decapsulate(wire, clear, NOW)
        assert len(clear) == 8
        for received in held(clear):
            assert received[-len(options) :].hex() == expected
            assert tcp_checksum_is_right(received)


def test_mss_comes_down_to_the_path() -> None:
    tunnel = Tunnel("hq", greatest_mss=9000, path_mtu=1400)
    engine, other = sender(parameters(tunnel=tunnel)), receiver()
    for version, mss in ((4, 1286), (6, 1266)):  # 1400 leaves 1326 inside
        sent = engine.encapsulate_packet(tcp(version, flags=0x12, options=MSS_1460), NOW)
        assert isinstance(sent, Protected)
        received = other.decapsulate_packet(sent.octets, NOW)
        assert isinstance(received, Accepted)
        assert int.from_bytes(received.octets[-2:], "big") == mss


def test_established_segments_are_left_alone() -> None:
    engine, other = sender(parameters(tunnel=Tunnel("hq", greatest_mss=536))), receiver()
    packets = [tcp(4, options=MSS_1460, data=bytes(100))] * 10
    wire, clear = empty(), empty()
    engine.encapsulate(filled(packets), wire, NOW)
    other.decapsulate(wire, clear, NOW)
    assert held(clear) == packets


def test_numbers_end_and_are_never_used_twice() -> None:
    engine = sender(next_sequence=2**32 - 10)
    wire = empty()
    engine.encapsulate(filled([ipv4(udp(30))] * 30), wire, NOW)
    assert [int.from_bytes(packet[4:8], "big") for packet in wire] == list(range(2**32 - 10, 2**32))
    told = [event for event in events(engine) if not isinstance(event, Audited)]
    expired = SaHardExpired(direction=Direction.OUTBOUND, tunnel="hq", spi=SPI, cause=Cause.SEQUENCE)
    assert [event for event in told if not isinstance(event, Acquire)] == [expired]
    assert engine.sad.outbound("hq") == ()
    assert engine.counters.discarded == {DiscardReason.OUT_NO_SA: 20}


def test_kilobytes_soft_then_hard() -> None:
    lifetime = Lifetime(soft_octets=1000, hard_octets=2000)
    engine = sender(parameters(lifetime=lifetime))
    packet = ipv4(udp(174))  # a text of 208 octets
    wire = empty()
    seen: list[object] = []
    for _ in range(12):
        engine.encapsulate(filled([packet]), wire, NOW)
        seen.append((wire.count, [type(event) for event in events(engine)]))
    assert seen[:4] == [(1, [])] * 4
    assert seen[4] == (1, [SaSoftExpired])
    assert seen[5:9] == [(1, [])] * 4
    assert seen[9] == (0, [SaHardExpired, Acquire, Audited])
    assert seen[10:] == [(0, [Audited])] * 2


def test_a_hard_limit_in_the_middle_of_a_run_is_kept_to_the_packet() -> None:
    engine = sender(parameters(lifetime=Lifetime(soft_octets=1000, hard_octets=2080)))
    wire = empty()
    engine.encapsulate(filled([ipv4(udp(174))] * 40), wire, NOW)
    assert wire.count == 10


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Tunnel("hq", outer_version=5), "versions 4 and 6, not 5"),
        (lambda: Tunnel("hq", dscp=64), "DSCP has 6 bits"),
        (lambda: Tunnel("hq", greatest_mss=0), "MSS is 64 to 65535"),
        (lambda: Tunnel("hq", path_mtu=575), "576 to 65535, not 575"),
        (lambda: Tunnel("hq", path_mtu=1279, outer_version=6), "1280 to 65535, not 1279"),
        (lambda: SpdEntry(name="x", action=Action.PROTECT, local=ANY, remote=ANY), "a tunnel is named to protect"),
        (lambda: SpdEntry(name="x", action=Action.BYPASS, local=ANY, remote=ANY, tunnel="t"), "SPD entry x"),
        (lambda: OutboundSa(parameters(), NOW, os.urandom, next_sequence=0), "1 to 0xffffffff, not 0x0"),
        (lambda: parameters(spi=255), "an SPI is 256 to 0xffffffff, not 0xff"),
    ],
)
def test_misuse_says_what_would_be_right(call: Callable[[], object], says: str) -> None:
    with pytest.raises(LocalError, match=says):
        call()
