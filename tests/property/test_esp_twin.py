"""The fast ESP against its slow twin: what one seals the other opens, and both discard the same for the same reason."""

from __future__ import annotations

import os
from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.esp.counters import DiscardReason
from dataplane.esp.layout import GREATEST_HEAD
from dataplane.esp.sa import greatest_sequence
from dataplane.ipsec.suites import EspSuite
from dataplane.ipsec.transforms import encryption
from tests.unit.dataplane.esp.peers import (
    NOW,
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

HALF = 2**32
HEADROOMS = st.sampled_from([0, GREATEST_HEAD, 64])  # with it, texts lie where the IP packets do


def packet_of(kind: str, body: bytes, label: int) -> bytes:
    match kind:
        case "udp4":
            return ipv4(body)
        case "udp6":
            return ipv6(body, label=label)
        case "tcp4":
            return tcp(4, data=body)
        case "tcp6":
            return tcp(6, data=body)
        case "icmp":
            return ipv4(b"\x08\0" + body, protocol=1)
        case "fragment":
            return ipv4(body, offset=1480)
        case "options":
            return ipv4(body, options=bytes(4))
        case _:
            return ipv6(body, protocol=59)


@st.composite
def packets(draw: st.DrawFn) -> list[bytes]:
    """Stretches of packets of one length, as bulk traffic has them, and odd ones between."""
    found: list[bytes] = []
    for _ in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["udp4", "udp6", "tcp4", "tcp6", "icmp", "fragment", "options", "none"]))
        octets = draw(st.integers(8, 90))
        ports = draw(st.integers(1, 3))
        for index in range(draw(st.integers(1, 12))):
            body = udp(octets, sport=1000 + index % ports, fill=index)
            found.append(packet_of(kind, body, label=index % ports))
    return found


@pytest.mark.parametrize("suite", SUITES, ids=str)
@settings(max_examples=12)
@given(sent=packets(), data=st.data())
def test_the_twin_reads_every_packet(suite: EspSuite, sent: list[bytes], data: st.DataObject) -> None:
    first = data.draw(st.sampled_from([1, HALF - 20 - len(sent)] + ([HALF - 4, 5 * HALF - 4] if suite.esn else [])))
    of = parameters(suite)
    engine = sender(of, next_sequence=first)
    wire = empty(len(sent) + 3)
    clear = filled(sent, headroom=data.draw(HEADROOMS), size=data.draw(st.sampled_from([max(map(len, sent)), 2048])))
    flights = engine.encapsulate(clear, wire, NOW)
    assert [slot for flight in flights for slot in range(flight.first, flight.first + flight.count)] == list(
        range(len(sent))
    )
    twin = Twin(of)
    ivs = set()
    for index, (inner, packet) in enumerate(zip(sent, held(wire), strict=True)):
        assert packet[4:8] == ((first + index) % HALF).to_bytes(4, "big")
        text = twin.open(packet, first + index)
        assert text is not None
        assert twin.inner(text) == inner
        assert text[-2] < encryption(suite.encryption).alignment
        ivs.add(packet[8 : 8 + encryption(suite.encryption).iv_octets])
    assert len(ivs) == (len(sent) if encryption(suite.encryption).iv_octets else 1)
    assert (engine.counters.out_packets, engine.counters.out_octets) == (len(sent), sum(map(len, sent)))
    assert not engine.counters.discarded


def harmed(packet: bytes, how: str, rng: Random) -> bytes:
    if how == "flip":
        place = rng.randrange(len(packet))
        return packet[:place] + bytes((packet[place] ^ 1 << rng.randrange(8),)) + packet[place + 1 :]
    if how == "cut":
        return packet[: rng.randrange(len(packet))]
    if how == "grow":
        return packet + rng.randbytes(rng.choice([1, 4, 8, 16]))
    return packet


@pytest.mark.parametrize("suite", SUITES, ids=str)
@settings(max_examples=20)
@given(sent=packets(), data=st.data())
def test_both_discard_the_same(suite: EspSuite, sent: list[bytes], data: st.DataObject) -> None:
    rng = Random(data.draw(st.integers(0, 2**32)))
    window = data.draw(st.sampled_from([1, 4, 32, 1024]))
    of = parameters(suite)
    twin = Twin(of, window)
    iv_octets = encryption(suite.encryption).iv_octets
    first = data.draw(st.sampled_from([1, 2, 100] + ([HALF - 5, 3 * HALF - 5] if suite.esn else [])))
    if first > HALF:
        twin.highest = first - 1  # as the engine's window starts
    stream = [twin.seal(inner, first + i, iv=rng.randbytes(iv_octets)) for i, inner in enumerate(sent)]
    ways = data.draw(st.sampled_from([("keep",), ("keep", "keep", "keep", "repeat"), ("keep", "flip"),
                                      ("keep", "flip", "cut", "grow", "repeat", "swap", "drop")]))  # fmt: skip
    arriving: list[bytes] = []
    for packet in stream:
        how = rng.choice(ways)
        if how == "repeat":
            arriving += [packet, packet]
        elif how == "swap" and arriving:
            arriving.insert(-1, packet)
        elif how != "drop":
            arriving.append(harmed(packet, how, rng))
    engine = receiver(of, window=window, next_sequence=first if first > HALF else 1)
    wire, clear = filled(arriving, slots=len(arriving) + 1), empty(len(arriving) + 1, headroom=data.draw(HEADROOMS))
    engine.decapsulate(wire, clear, NOW)
    results = [twin.receive(packet) for packet in arriving]
    assert held(clear) == [result for result in results if isinstance(result, bytes)]
    assert engine.counters.discarded == Counter(result for result in results if isinstance(result, DiscardReason))


@pytest.mark.parametrize("suite", SUITES, ids=str)
@settings(max_examples=15)
@given(data=st.data())
def test_both_judge_any_text_alike(suite: EspSuite, data: st.DataObject) -> None:
    """Authentic packets whose texts are whatever: padding, next headers, inner lengths, hidden lengths."""
    alignment = encryption(suite.encryption).alignment
    of = parameters(suite)
    twin, engine = Twin(of), receiver(of)
    arriving = []
    for number in range(1, data.draw(st.integers(1, 20)) + 1):
        inner = data.draw(st.sampled_from([ipv4(udp(9)), ipv6(udp(9)), ipv4(udp(30))[:-4], b"", b"\x46" + bytes(30)]))
        inner += bytes(data.draw(st.sampled_from([0, 0, 0, 5])))
        pad = -(len(inner) + 2) % alignment
        stated = data.draw(st.sampled_from([pad, pad, pad, 0, 255]))
        octet = data.draw(st.sampled_from([4, 4, 4, 41, 59, 6, 0]))
        padding = data.draw(st.sampled_from([bytes(range(1, pad + 1)), bytes(pad)]))
        iv = os.urandom(encryption(suite.encryption).iv_octets)
        arriving.append(twin.seal(inner, number, iv=iv, tail=padding + bytes((stated, octet))))
    clear = empty(len(arriving), headroom=data.draw(HEADROOMS))
    engine.decapsulate(filled(arriving), clear, NOW)
    results = [twin.receive(packet) for packet in arriving]
    assert held(clear) == [result for result in results if isinstance(result, bytes)]
    assert engine.counters.discarded == Counter(result for result in results if isinstance(result, DiscardReason))


def test_no_suite_runs_past_its_last_number() -> None:
    assert {greatest_sequence(suite) for suite in SUITES} == {2**32 - 1, 2**64 - 1}
