"""The ESP engine meets octets that nobody meant well, on both sides: nothing is raised, and nothing gets through."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.errors import WireError
from dataplane.esp.flow import flow_of, glance
from dataplane.esp.mend import clamp_mss, is_syn
from dataplane.esp.tunnel import Tunnel
from dataplane.ipsec.suites import EspSuite
from tests.unit.dataplane.esp.peers import (
    NOW,
    SPI,
    SUITES,
    empty,
    filled,
    held,
    ipv4,
    ipv6,
    parameters,
    receiver,
    sender,
    tcp,
    udp,
)
from tests.unit.dataplane.esp.twin import Twin

STARTS = (
    b"",
    ipv4(udp(20))[:20],
    ipv6(udp(20))[:40],
    tcp(4, flags=2, options=bytes.fromhex("020405b4"))[:40],
    tcp(6, flags=2, options=bytes.fromhex("020405b4")),
    ipv6(bytes(8), protocol=0)[:40],
)
packets = st.builds(lambda start, rest: start + rest, st.sampled_from(STARTS), st.binary(max_size=80))


@settings(max_examples=150)
@given(st.lists(packets, max_size=20))
def test_any_clear_packets(many: list[bytes]) -> None:
    engine, other = sender(parameters(tunnel=Tunnel("hq", greatest_mss=500))), receiver()
    wire, clear = empty(), empty()
    engine.encapsulate(filled(many), wire, NOW)
    assert wire.count + sum(engine.counters.discarded.values()) == len(many)
    other.decapsulate(wire, clear, NOW)
    assert clear.count == wire.count


@settings(max_examples=150)
@given(st.sampled_from(SUITES), st.lists(st.binary(max_size=120), max_size=20), st.booleans())
def test_any_wire_packets(suite: EspSuite, many: list[bytes], named: bool) -> None:
    engine = receiver(parameters(suite))
    if named:
        many = [SPI.to_bytes(4, "big") + each for each in many]
    clear = empty()
    assert engine.decapsulate(filled(many), clear, NOW) == {}
    assert held(clear) == []
    assert sum(engine.counters.discarded.values()) == len(many)


@settings(max_examples=150)
@given(st.lists(st.tuples(packets, st.binary(max_size=20)), max_size=12))
def test_any_authentic_texts(many: list[tuple[bytes, bytes]]) -> None:
    """The peer itself goes mad: everything is sealed as it should be, and anything is inside."""
    of = parameters(tunnel=Tunnel("hq", greatest_mss=500))
    engine, twin = receiver(of), Twin(of)
    arriving = []
    for number, (packet, end) in enumerate(many, 1):
        text = packet + end
        arriving.append(twin.seal(text + bytes(-len(text) % 16), number, iv=os.urandom(16), tail=b""))
    arriving = [packet for packet in arriving if len(packet) > 40]
    clear = empty()
    engine.decapsulate(filled(arriving), clear, NOW, [3] * len(arriving))
    assert clear.count + sum(engine.counters.discarded.values()) == len(arriving)


@settings(max_examples=300)
@given(packets)
def test_a_glance_says_what_a_look_says(packet: bytes) -> None:
    seen = glance(packet)
    if seen is None:
        return
    flow = flow_of(packet)  # does not raise: a glance is stricter
    (protocol, _), total, tos, dont_fragment = seen
    assert (flow.protocol, flow.total_length, flow.tos, flow.dont_fragment) == (protocol, total, tos, dont_fragment)
    assert flow.transport == (20 if packet[0] >> 4 == 4 else 40)
    assert flow.source_port is not None


@settings(max_examples=300)
@given(packets, st.integers(0, 60))
def test_looking_for_an_mss_ends(packet: bytes, transport: int) -> None:
    mended = bytearray(packet)
    if is_syn(mended, transport):
        clamp_mss(mended, transport, 100)
    assert len(mended) == len(packet)


@settings(max_examples=300)
@given(packets)
def test_a_look_gives_a_flow_or_a_wire_error(packet: bytes) -> None:
    try:
        flow = flow_of(packet)
    except WireError:
        return
    assert flow.total_length <= len(packet)
