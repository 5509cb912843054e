"""SAs come, overlap and go: no packet is lost at a rekey, limits are told once, SPIs are not given twice."""

from __future__ import annotations

import math
import os

import pytest

from dataplane.errors import LocalError
from dataplane.esp.engine import EspEngine
from dataplane.esp.events import Audited, Direction, EventQueue, SaFirstUsed, SaHardExpired, SaSoftExpired
from dataplane.esp.lifetime import Age, Cause, Lifetime
from dataplane.esp.outcomes import Accepted, Protected
from dataplane.esp.sa import InboundSa, OutboundSa
from dataplane.esp.sad import Sad
from dataplane.esp.tunnel import Tunnel
from tests.unit.dataplane.esp.peers import (
    GCM256,
    NOW,
    empty,
    events,
    filled,
    held,
    ipv4,
    parameters,
    protect_all,
    udp,
)

OLD, NEW = 0x1001, 0x1002


def send(a: EspEngine, b: EspEngine, count: int = 10) -> tuple[int, int]:
    """Send packets from a to b; give the SPI that carried them and how many arrived."""
    packets = [ipv4(udp(30, fill=index)) for index in range(count)]
    wire, clear = empty(), empty()
    a.encapsulate(filled(packets), wire, NOW)
    b.decapsulate(wire, clear, NOW)
    assert held(clear) == packets[: len(clear)]
    return int.from_bytes(wire[0][:4], "big"), len(clear)


def test_a_rekey_loses_nothing() -> None:
    tunnel = Tunnel("hq")
    a, b = EspEngine([protect_all()]), EspEngine()
    old, new = parameters(spi=OLD, tunnel=tunnel), parameters(GCM256, spi=NEW, tunnel=tunnel, first_key=77)
    b.sad.add_inbound(InboundSa(old, NOW))
    a.sad.add_outbound(OutboundSa(old, NOW, os.urandom))
    assert send(a, b) == (OLD, 10)
    # --> CREATE_CHILD_SA: the receiver is ready first; the sender goes on with the old SA until it is told to switch.
    b.sad.add_inbound(InboundSa(new, NOW))
    a.sad.add_outbound(OutboundSa(new, NOW, os.urandom), use=False)
    assert send(a, b) == (OLD, 10)
    on_its_way = a.encapsulate_packet(ipv4(udp(30)), NOW)
    a.sad.use_outbound("hq", NEW)
    assert send(a, b) == (NEW, 10)
    # A packet of the old SA arrives late, and is still accepted.
    assert isinstance(on_its_way, Protected)
    assert b.decapsulate_packet(on_its_way.octets, NOW) == Accepted(ipv4(udp(30)))
    # --> DELETE of the old SA, on both sides.
    a.sad.remove_outbound("hq", OLD)
    b.sad.remove_inbound(OLD)
    assert send(a, b) == (NEW, 10)
    assert events(b) == [SaFirstUsed(tunnel="hq", spi=OLD), SaFirstUsed(tunnel="hq", spi=NEW)]
    assert not a.counters.discarded
    assert not b.counters.discarded


def test_the_new_sa_gone_the_old_one_carries_on() -> None:
    """A lost collision: the redundant SA is deleted, and the one before it is used again (RFC 7296 2.8.1)."""
    tunnel = Tunnel("hq")
    engine = EspEngine([protect_all()])
    for spi in (OLD, NEW):
        engine.sad.add_outbound(OutboundSa(parameters(spi=spi, tunnel=tunnel), NOW, os.urandom))
    assert [sa.parameters.spi for sa in engine.sad.outbound("hq")] == [NEW, OLD]
    engine.sad.remove_outbound("hq", NEW)
    sent = engine.encapsulate_packet(ipv4(udp(30)), NOW)
    assert isinstance(sent, Protected)
    assert int.from_bytes(sent.octets[:4], "big") == OLD


def test_one_spi_at_two_peers_is_two_sas() -> None:
    sad = Sad(EventQueue())
    for name in ("hq", "branch"):
        sad.add_outbound(OutboundSa(parameters(spi=OLD, tunnel=Tunnel(name)), NOW, os.urandom))
    assert sad.remove_outbound("branch", OLD).tunnel.name == "branch"
    assert len(sad.outbound("hq")) == 1


def test_misuse_of_the_sad_is_named() -> None:
    sad = Sad(EventQueue())
    inbound, outbound = InboundSa(parameters(spi=OLD), NOW), OutboundSa(parameters(spi=OLD), NOW, os.urandom)
    with pytest.raises(LocalError, match="no inbound SA of SPI 0x1001"):
        sad.remove_inbound(OLD)
    with pytest.raises(LocalError, match="hq has no outbound SA of SPI 0x1001"):
        sad.use_outbound("hq", OLD)
    sad.add_inbound(inbound)
    with pytest.raises(LocalError, match="inbound SPI 0x1001 is in use"):
        sad.add_inbound(inbound)
    sad.add_outbound(outbound, use=False)
    with pytest.raises(LocalError, match="outbound SPI 0x1001 of hq is in use"):
        sad.add_outbound(outbound)
    sad.use_outbound("hq", OLD)
    with pytest.raises(LocalError, match="outbound SPI 0x1001 of hq is in use"):
        sad.add_outbound(outbound, use=False)
    sad.remove_outbound("hq", OLD)
    assert sad.remove_inbound(OLD) is inbound
    assert list(sad) == []
    with pytest.raises(LocalError, match="1 to 65536 numbers, not 65537"):
        InboundSa(parameters(), NOW, window=65537)


def test_spis_are_fresh() -> None:
    sad = Sad(EventQueue())
    draws = iter([b"\0\0\0\xff", b"\0\0\x10\x01", b"\0\0\x10\x01", b"\0\0\x10\x02", b"\0\0\x10\x01", b"\0\0\x10\x03"])

    def random(octets: int) -> bytes:
        assert octets == 4
        return next(draws)

    assert sad.new_spi(random) == 0x1001  # 255 is reserved
    assert sad.new_spi(random) == 0x1002  # 0x1001 was given
    sad.add_inbound(InboundSa(parameters(spi=0x1001), NOW))
    assert sad.new_spi(random) == 0x1003


def test_seconds_soft_then_hard_each_told_once() -> None:
    engine = EspEngine([protect_all()])
    assert engine.next_timeout() == math.inf
    life = Lifetime(soft_seconds=240, hard_seconds=300)
    engine.sad.add_inbound(InboundSa(parameters(spi=OLD, lifetime=life), NOW))
    engine.sad.add_outbound(OutboundSa(parameters(spi=NEW, lifetime=life), NOW + 1, os.urandom))
    assert engine.next_timeout() == NOW + 240
    engine.handle_timer(NOW + 239.9)
    assert events(engine) == []
    inbound, outbound = (Direction.INBOUND, OLD), (Direction.OUTBOUND, NEW)

    def told() -> list[tuple[type, Direction, int, Cause]]:
        return [
            (type(event), event.direction, event.spi, event.cause)
            for event in events(engine)
            if isinstance(event, SaSoftExpired | SaHardExpired)
        ]

    engine.handle_timer(NOW + 240)
    assert told() == [(SaSoftExpired, *inbound, Cause.SECONDS)]
    assert engine.next_timeout() == NOW + 241
    engine.handle_timer(NOW + 250)
    assert told() == [(SaSoftExpired, *outbound, Cause.SECONDS)]
    assert engine.next_timeout() == NOW + 300
    engine.handle_timer(engine.next_timeout())
    assert told() == [(SaHardExpired, *inbound, Cause.SECONDS)]
    engine.handle_timer(engine.next_timeout())
    assert told() == [(SaHardExpired, *outbound, Cause.SECONDS)]
    assert list(engine.sad) == []
    assert engine.next_timeout() == math.inf


def test_a_packet_after_the_hard_limit_finds_no_sa_even_without_a_timer() -> None:
    engine = EspEngine([protect_all()])
    life = Lifetime(soft_seconds=240, hard_seconds=300)
    engine.sad.add_outbound(OutboundSa(parameters(lifetime=life), NOW, os.urandom))
    engine.encapsulate_packet(ipv4(udp(30)), NOW + 300)
    assert next(type(event) for event in events(engine) if not isinstance(event, Audited)) is SaHardExpired


@pytest.mark.parametrize(("octets", "part"), [(bytes(4), 0.8), (b"\x80\0\0\0", 0.85), (b"\xff" * 4, 0.9)])
def test_soft_limits_are_spread_by_the_callers_entropy(octets: bytes, part: float) -> None:
    life = Lifetime.with_jitter(seconds=3600, kilobytes=102_400_000, random=lambda count: octets)
    assert (life.hard_seconds, life.hard_octets) == (3600, 102_400_000 * 1024)
    assert life.soft_seconds == pytest.approx(3600 * part)
    assert life.soft_octets == pytest.approx(102_400_000 * 1024 * part)


def test_a_soft_limit_is_not_above_the_hard_one() -> None:
    with pytest.raises(LocalError, match="not above the hard limit"):
        Lifetime(soft_seconds=10, hard_seconds=5)
    with pytest.raises(LocalError, match="above 0"):
        Lifetime(soft_octets=0)


def test_numbers_want_a_successor_before_they_end() -> None:
    age = Age(Lifetime(), NOW, greatest_packets=1000)
    age.add(749, 749)
    assert age.soft(NOW) is None
    age.add(1, 1)
    assert age.soft(NOW) is Cause.SEQUENCE
    assert age.soft(NOW) is None
    assert age.hard(NOW) is None
    assert age.room(1) == 250
    age.add(250, 250)
    assert age.hard(NOW) is Cause.SEQUENCE
    assert age.room(1) == 0


def test_nothing_shows_a_key() -> None:
    of = parameters()
    shown = repr(of) + repr(OutboundSa(of, NOW, os.urandom)) + repr(InboundSa(of, NOW))
    assert of.keys.encryption.reveal().hex() not in shown
    assert "\\x01\\x02\\x03" not in shown
