"""Bulk traffic goes through as runs, not packet by packet; what is unusual does not, and both fill the same slots."""

from __future__ import annotations

import os

import pytest

from dataplane.batch import Batch
from dataplane.esp.layout import Layout, LayoutCache
from dataplane.esp.open import Opener
from dataplane.esp.sa import InboundSa, OutboundSa
from dataplane.esp.seal import Sealer
from dataplane.esp.shape import Shape
from dataplane.ipsec.suites import EspSuite
from tests.unit.dataplane.esp.peers import (
    CBC256_SHA256,
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


class SealerWatch:
    """Notes how many packets each call to a sealer is for."""

    def __init__(self, sealer: Sealer) -> None:
        self.sealer = sealer
        self.calls: list[int] = []

    def run(self, layout: Layout, rows: slice, first: int) -> None:
        self.calls.append(rows.stop - rows.start)
        self.sealer.run(layout, rows, first)

    def one(self, text: bytes, sequence: int, out: memoryview) -> None:
        self.calls.append(1)
        self.sealer.one(text, sequence, out)


class OpenerWatch:
    """Notes how many packets each call to an opener is for."""

    def __init__(self, opener: Opener) -> None:
        self.opener = opener
        self.calls: list[int] = []

    def run(self, layout: Layout, rows: slice, high: int) -> bool:
        self.calls.append(rows.stop - rows.start)
        return self.opener.run(layout, rows, high)

    def one(self, packet: memoryview, sequence: int) -> memoryview | None:
        self.calls.append(1)
        return self.opener.one(packet, sequence)


def watched(sent: list[bytes], suite: EspSuite = CBC256_SHA256, first: int = 1) -> tuple[list[int], list[int]]:
    """The calls that sealing and then opening these packets takes."""
    a, b = sender(parameters(suite), next_sequence=first), receiver(parameters(suite), next_sequence=first)
    out, into = a.sad.outbound("hq")[0], b.sad.inbound(SPI)
    assert into is not None
    sealing, opening = SealerWatch(out.sealer), OpenerWatch(into.opener)
    put(out, "sealer", sealing)
    put(into, "opener", opening)
    wire, clear = empty(80), empty(80)
    a.encapsulate(filled(sent), wire, NOW)
    b.decapsulate(wire, clear, NOW)
    assert held(clear) == sent
    return sealing.calls, opening.calls


def put(sa: InboundSa | OutboundSa, name: str, watch: SealerWatch | OpenerWatch) -> None:
    setattr(sa, name, watch)


@pytest.mark.parametrize("suite", SUITES, ids=str)
@pytest.mark.parametrize("version", [4, 6])
def test_one_flow_is_one_run(suite: EspSuite, version: int) -> None:
    assert watched([tcp(version, data=os.urandom(300)) for _ in range(64)], suite) == ([64], [64])


def test_many_flows_of_one_length_are_one_run() -> None:
    assert watched([ipv4(udp(300, sport=index)) for index in range(64)]) == ([64], [64])
    assert watched([ipv6(udp(300, sport=index), label=index) for index in range(64)]) == ([64], [64])


@pytest.mark.parametrize("suite", [suite for suite in SUITES if suite.esn], ids=str)
def test_long_numbers_go_as_runs_too(suite: EspSuite) -> None:
    assert watched([ipv4(udp(300))] * 64, suite, first=7 * 2**32 + 5) == ([64], [64])
    assert watched([ipv4(udp(300))] * 64, suite, first=8 * 2**32 - 30) == ([30, 34], [30, 34])


def test_outer_rules_part_what_goes_out_but_not_what_comes_in() -> None:
    sent = [ipv4(udp(300), df=index < 20, tos=0xB8 if index < 40 else 0) for index in range(64)]
    assert watched(sent) == ([20, 20, 24], [64])
    assert watched([ipv6(udp(300), tos=0xB8 if index < 40 else 0xB9) for index in range(64)]) == ([40, 24], [64])


def test_each_length_is_a_run_of_its_own_and_short_ones_are_singles() -> None:
    sent = [ipv4(udp(300))] * 20 + [ipv4(udp(40))] * 3 + [ipv4(udp(500))] * 20
    assert watched(sent) == ([20, 1, 1, 1, 20], [20, 1, 1, 1, 20])


def test_a_stranger_ends_a_run_and_another_begins() -> None:
    sent = [ipv4(udp(300))] * 20 + [ipv4(udp(296), options=bytes(4))] + [ipv4(udp(300))] * 25
    sealing, opening = watched(sent)
    assert sealing == [20, *[1] * 6, 20]
    assert sum(opening) >= 46


def test_layouts_are_kept_but_not_for_ever() -> None:
    cache, shape = LayoutCache(sealing=True), Shape.of(CBC256_SHA256)
    wire = Batch(2, 4096)
    first = cache.layout(wire, shape, 104)
    assert cache.layout(wire, shape, 104) is first
    for packet in range(120, 120 + 16 * 64, 16):
        cache.layout(wire, shape, packet)
    assert cache.layout(wire, shape, 104) is not first


def test_the_flow_memory_is_bounded() -> None:
    a, b = sender(), receiver()
    for start in range(0, 9000, 60):
        wire, clear = empty(), empty()
        a.encapsulate(filled([ipv4(udp(20, sport=start + index)) for index in range(60)]), wire, NOW)
        b.decapsulate(wire, clear, NOW)
    into = b.sad.inbound(SPI)
    assert into is not None
    assert 0 < len(into.verdicts) <= 4096
    assert b.counters.in_packets == 9000
