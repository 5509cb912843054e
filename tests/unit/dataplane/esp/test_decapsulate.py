"""Inbound: the order of checks, what each refuses, and what a refused packet must not change."""

from __future__ import annotations

import os

import pytest

from dataplane.errors import LocalError
from dataplane.esp.counters import DiscardReason
from dataplane.esp.events import Audited, Direction, SaFirstUsed, SaHardExpired, SaSoftExpired
from dataplane.esp.lifetime import Cause, Lifetime
from dataplane.esp.outcomes import Accepted, Discarded
from dataplane.esp.sa import InboundSa
from dataplane.esp.shape import Shape
from dataplane.esp.spd import Action, SpdEntry
from dataplane.ipsec.selectors import TrafficSelector
from dataplane.ipsec.suites import EspSuite
from tests.unit.dataplane.esp.peers import (
    ANY,
    GCM256,
    NOW,
    SPI,
    SUITES,
    empty,
    events,
    filled,
    held,
    ipv4,
    ipv6,
    parameters,
    receiver,
    udp,
)
from tests.unit.dataplane.esp.twin import Twin

of = TrafficSelector.of
IV = bytes(range(16))


def sealed(count: int, *, first: int = 1, inner: bytes | None = None) -> list[bytes]:
    twin = Twin(parameters())
    return [twin.seal(inner or ipv4(udp(30, fill=i)), first + i, iv=IV) for i in range(count)]


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_every_damaged_octet_is_noticed_and_changes_nothing(suite: EspSuite) -> None:
    parameters_ = parameters(suite)
    engine, twin = receiver(parameters_), Twin(parameters_)
    packet = twin.seal(ipv4(udp(30)), 5, iv=os.urandom(Shape.of(suite).iv))
    for place in range(4, len(packet)):
        damaged = bytearray(packet)
        damaged[place] ^= 0x10
        assert engine.decapsulate_packet(damaged, NOW) == Discarded(DiscardReason.IN_NOT_AUTHENTIC)
    sa = engine.sad.inbound(SPI)
    assert sa is not None
    assert (sa.window.next, sa.last_heard, sa.age.packets) == (1, None, 0)
    assert sa.discarded == {DiscardReason.IN_NOT_AUTHENTIC: len(packet) - 4}
    assert engine.decapsulate_packet(packet, NOW) == Accepted(ipv4(udp(30)))


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_cut_at_every_length(suite: EspSuite) -> None:
    parameters_ = parameters(suite)
    engine, twin = receiver(parameters_), Twin(parameters_)
    packet = twin.seal(ipv4(udp(30)), 5, iv=os.urandom(Shape.of(suite).iv))
    wire, clear = filled([packet[:end] for end in range(len(packet))]), empty(len(packet))
    assert engine.decapsulate(wire, clear, NOW) == {}
    assert clear.count == 0
    reasons = engine.counters.discarded
    assert sum(reasons.values()) == len(packet)
    assert set(reasons) <= {DiscardReason.IN_TOO_SHORT, DiscardReason.IN_NOT_AUTHENTIC}


def test_one_forged_packet_costs_its_batch_nothing_else() -> None:
    engine = receiver()
    packets = sealed(20)
    packets[7] = packets[7][:-1] + bytes((packets[7][-1] ^ 1,))
    clear = empty()
    heard = engine.decapsulate(filled(packets), clear, NOW)
    assert held(clear) == [ipv4(udp(30, fill=i)) for i in range(20) if i != 7]
    assert heard == {SPI: 19}
    assert engine.counters.discarded == {DiscardReason.IN_NOT_AUTHENTIC: 1}


def test_a_forged_number_far_ahead_does_not_move_the_window() -> None:
    engine = receiver()
    forged = bytearray(sealed(1)[0])
    forged[4:8] = b"\xff\xff\xff\xff"
    assert engine.decapsulate_packet(forged, NOW) == Discarded(DiscardReason.IN_NOT_AUTHENTIC)
    assert isinstance(engine.decapsulate_packet(sealed(1)[0], NOW), Accepted)


@pytest.mark.parametrize("window", [1, 32, 1024, 65536])
def test_the_window(window: int) -> None:
    engine = receiver(window=window)
    twin = Twin(parameters())
    top = 70000

    def verdict(number: int) -> bool:
        return isinstance(engine.decapsulate_packet(twin.seal(ipv4(udp(8)), number, iv=IV), NOW), Accepted)

    assert verdict(top)
    assert not verdict(top)
    lowest = top - window + 1
    assert not verdict(lowest - 1)
    assert window == 1 or verdict(lowest)
    assert not verdict(lowest)
    assert verdict(top + 1)
    assert not verdict(0)
    assert engine.counters.discarded[DiscardReason.IN_REPLAYED] == 4


def test_disorder_inside_the_window_loses_nothing() -> None:
    engine = receiver()
    packets = sealed(64)
    order = [(index * 37) % 64 for index in range(64)]
    clear = empty()
    heard = engine.decapsulate(filled([packets[index] for index in order]), clear, NOW)
    assert held(clear) == [ipv4(udp(30, fill=index)) for index in order]
    assert heard == {SPI: order.index(63)}


def test_unknown_spis_are_audited_with_what_is_known() -> None:
    engine = receiver()
    packets = [b"\xab\xcd\xef\x01" + packet[4:] for packet in sealed(10)] + [b"short"]
    clear = empty()
    engine.decapsulate(filled(packets), clear, NOW)
    assert engine.counters.discarded == {DiscardReason.IN_NO_SA: 10, DiscardReason.IN_TOO_SHORT: 1}
    first, *_, last = events(engine)
    assert first == Audited(reason=DiscardReason.IN_NO_SA, at=NOW, spi=0xABCDEF01, sequence=1)
    assert last == Audited(reason=DiscardReason.IN_TOO_SHORT, at=NOW)


def test_the_inner_packet_must_be_what_was_agreed() -> None:
    narrow = parameters(local=(of("10.0.2.0/24"),), remote=(of("192.168.0.0/24"), of("2001:db8:a::/48")))
    engine, twin = receiver(narrow), Twin(narrow)
    inner = [ipv4(udp(30))] * 8 + [ipv4(udp(30), source="192.168.1.1")] * 8 + [ipv4(udp(30), destination="10.0.3.1")]
    inner += [ipv6(udp(30))] * 8 + [ipv4(udp(30), source="192.168.0.9")] * 8
    clear = empty()
    engine.decapsulate(filled([twin.seal(each, n + 1, iv=IV) for n, each in enumerate(inner)]), clear, NOW)
    assert held(clear) == inner[:8] + inner[-8:]
    assert engine.counters.discarded == {DiscardReason.IN_SELECTORS_MISMATCH: 17}
    audits = [event for event in events(engine) if isinstance(event, Audited)]
    assert str(audits[0].flow) == "192.168.1.1 -> 10.0.2.4 protocol 17 1000->2000"
    assert (audits[0].spi, audits[0].sequence) == (SPI, 9)


def test_dummy_packets_are_dropped_without_a_word() -> None:
    engine, twin = receiver(), Twin(parameters())
    packets = [twin.seal(bytes(30), n, iv=IV, tail=bytes((0, 59))) for n in range(1, 11)]
    clear = empty()
    assert engine.decapsulate(filled(packets), clear, NOW) == {SPI: 9}
    assert clear.count == 0
    assert engine.counters.discarded == {DiscardReason.IN_DUMMY: 10}
    assert events(engine) == [SaFirstUsed(tunnel="hq", spi=SPI)]


def test_traffic_flow_confidentiality_padding_is_taken_off() -> None:
    """RFC 4303 2.7: octets between the inner packet and the padding."""
    engine, twin = receiver(), Twin(parameters())
    inner = ipv4(udp(30))
    packets = [twin.seal(inner + bytes(300), n, iv=IV) for n in range(1, 11)]
    clear = empty()
    engine.decapsulate(filled(packets), clear, NOW)
    assert held(clear) == [inner] * 10


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    ("inner", "outer", "result"),
    [(0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 3, None), (1, 0, 1), (1, 2, 1), (1, 3, 3), (2, 0, 2), (2, 1, 1), (2, 2, 2),
     (2, 3, 3), (3, 0, 3), (3, 1, 3), (3, 3, 3)],
)  # fmt: skip
def test_congestion_goes_on_inside(version: int, inner: int, outer: int, result: int | None) -> None:
    """RFC 6040 4.2, figure 4."""
    make = ipv4 if version == 4 else ipv6
    engine, twin = receiver(), Twin(parameters())
    packets = [twin.seal(make(udp(30), tos=0xB8 | inner), n, iv=IV) for n in range(1, 11)]
    clear = empty()
    engine.decapsulate(filled(packets), clear, NOW, [0x40 | outer] * 10)
    if result is None:
        assert clear.count == 0
        assert engine.counters.discarded == {DiscardReason.IN_CONGESTION_LOST: 10}
    else:
        assert held(clear) == [make(udp(30), tos=0xB8 | result)] * 10


def test_what_does_not_fit_its_slot_is_discarded() -> None:
    engine = receiver()
    packets = sealed(8, inner=ipv4(udp(200))) + sealed(8, first=9)
    clear = empty(size=100)
    engine.decapsulate(filled(packets), clear, NOW)
    assert len(clear) == 8
    assert engine.counters.discarded == {DiscardReason.IN_TOO_LONG: 8}


def test_several_sas_in_one_batch() -> None:
    one, two = parameters(spi=0x1001), parameters(GCM256, spi=0x1002, first_key=99)
    engine = receiver(one)
    engine.sad.add_inbound(InboundSa(two, NOW))
    inner = [ipv4(udp(30, fill=i)) for i in range(24)]
    first = [Twin(one).seal(each, n + 1, iv=IV) for n, each in enumerate(inner[:8])]
    second = [Twin(two).seal(each, n + 1, iv=bytes((n,)) * 8) for n, each in enumerate(inner[8:16])]
    third = [Twin(one).seal(each, n + 9, iv=IV) for n, each in enumerate(inner[16:])]
    clear = empty()
    heard = engine.decapsulate(filled(first + second + third), clear, NOW)
    assert held(clear) == inner
    assert heard == {0x1001: 23, 0x1002: 15}


def test_sas_with_one_key_are_still_two_sas() -> None:
    one, two = parameters(spi=0x1001), parameters(spi=0x1002)
    engine = receiver(one)
    engine.sad.add_inbound(InboundSa(two, NOW))
    packets = [Twin(one if n <= 10 else two).seal(ipv4(udp(30)), n, iv=IV) for n in range(1, 21)]
    assert engine.decapsulate(filled(packets), empty(), NOW) == {0x1001: 9, 0x1002: 19}
    assert [sa.age.packets for sa in engine.sad] == [10, 10]


def hidden(inner: bytes, octets: int) -> bytes:
    """The inner packet with as many octets behind it as bring it to a length (RFC 4303 2.7)."""
    return inner + bytes(octets - len(inner))


@pytest.mark.parametrize("place", [None, 0, 9, 19])
@pytest.mark.parametrize(
    ("odd", "tail", "reason"),
    [
        (ipv4(udp(30)), bytes((1, 2, 3, 5, 4, 4)), DiscardReason.IN_BAD_PADDING),
        (ipv4(udp(30)), bytes((1, 2, 3, 4, 4, 41)), DiscardReason.IN_BAD_INNER_PACKET),
        (ipv4(udp(30)), bytes((1, 2, 3, 4, 4, 6)), DiscardReason.IN_BAD_NEXT_HEADER),
        (ipv4(udp(40))[:-2], bytes((1, 2, 3, 4, 4, 4)), DiscardReason.IN_BAD_INNER_PACKET),
        (ipv6(udp(18)), bytes((1, 2, 3, 4, 4, 4)), DiscardReason.IN_BAD_INNER_PACKET),
        (b"\x50" + bytes(40), bytes((1, 2, 3, 4, 4, 4)), DiscardReason.IN_BAD_INNER_PACKET),
        (ipv4(udp(30)), bytes((1, 2, 3, 4, 99, 4)), DiscardReason.IN_BAD_PADDING),
        (ipv4(udp(38)), bytes((1, 2, 3, 4, 4, 4)), None),
        (ipv4(udp(8), more=True, offset=8), bytes((1, 2, 3, 4, 4, 4)), None),
    ],
    ids=["padding", "IPv4 as IPv6", "TCP", "cut", "IPv6 as IPv4", "version 5", "pad length", "longer", "fragment"],
)
def test_an_odd_text_among_others(place: int | None, odd: bytes, tail: bytes, reason: DiscardReason | None) -> None:
    """Twenty texts of one length: all of them odd, or one of them, at either end or in the middle."""
    engine, twin = receiver(), Twin(parameters())
    plain = ipv4(udp(30))
    is_odd = [place in (None, index) for index in range(20)]
    inner = [odd if each else plain for each in is_odd]
    packets = [
        twin.seal(hidden(inner[index], 58), index + 1, iv=IV, tail=tail if is_odd[index] else bytes((1, 2, 3, 4, 4, 4)))
        for index in range(20)
    ]
    clear = empty()
    assert engine.decapsulate(filled(packets), clear, NOW) == {SPI: 19}
    assert held(clear) == [inner[index] for index in range(20) if not is_odd[index] or reason is None]
    assert engine.counters.discarded == ({reason: sum(is_odd)} if reason is not None else {})


def test_the_first_packet_is_told_once_and_the_last_hearing_is_kept() -> None:
    engine = receiver()
    packets = sealed(3)
    for seconds, packet in enumerate(packets):
        engine.decapsulate_packet(packet, NOW + seconds)
    assert events(engine) == [SaFirstUsed(tunnel="hq", spi=SPI)]
    sa = engine.sad.inbound(SPI)
    assert sa is not None
    assert sa.last_heard == NOW + 2
    engine.decapsulate_packet(packets[0], NOW + 9)
    assert sa.last_heard == NOW + 2


def test_kilobytes_count_inbound_too() -> None:
    engine = receiver(parameters(lifetime=Lifetime(soft_octets=200, hard_octets=400)))
    told: list[object] = []
    for packet in sealed(10):  # texts of 64 octets
        engine.decapsulate_packet(packet, NOW)
        told += events(engine)
    assert told[:3] == [
        SaFirstUsed(tunnel="hq", spi=SPI),
        SaSoftExpired(direction=Direction.INBOUND, tunnel="hq", spi=SPI, cause=Cause.KILOBYTES),
        SaHardExpired(direction=Direction.INBOUND, tunnel="hq", spi=SPI, cause=Cause.KILOBYTES),
    ]
    assert engine.counters.discarded == {DiscardReason.IN_NO_SA: 3}


def test_unprotected_packets_meet_the_policy_too() -> None:
    engine = receiver()
    engine.spd.entries = (
        SpdEntry(name="ping", action=Action.BYPASS, local=(of("10.0.2.0/24", protocol=1),), remote=ANY),
        SpdEntry(name="rest", action=Action.PROTECT, local=ANY, remote=ANY, tunnel="hq"),
    )
    ping = ipv4(b"\x08\0" + bytes(6), protocol=1)
    assert engine.admit(ping, NOW) == Accepted(ping)
    for packet in (ipv4(udp(30)), b"nonsense", b""):
        assert engine.admit(packet, NOW) == Discarded(DiscardReason.IN_UNPROTECTED)
    assert len(events(engine)) == 3


def test_batches_must_match() -> None:
    with pytest.raises(LocalError, match="3 packets need another batch of as many slots, not one of 2"):
        receiver().decapsulate(filled([ipv4()] * 3), empty(2), NOW)
    with pytest.raises(LocalError, match="2 packets have as many outer TOS octets, not 1"):
        receiver().decapsulate(filled([ipv4()] * 2), empty(2), NOW, [0])
    batch = filled([ipv4()])
    with pytest.raises(LocalError, match="another batch"):
        receiver().decapsulate(batch, batch, NOW)
