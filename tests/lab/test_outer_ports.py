"""A gateway's sockets against the kernel: what is sent arrives whole, in order, and as single packets on the wire."""

from __future__ import annotations

import contextlib
import functools
import socket
import time
from typing import Any

import pytest

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from lab.errors import MachineError
from lab.host.incoming import Merged
from lab.host.outer import OuterSocket
from lab.host.packet import open_packet_socket
from lab.ports.outer import ESP_PORT
from tests.lab.isolated import isolated
from tests.lab.stage import Stage, gateways

pytestmark = pytest.mark.lab

LENGTHS = [1448] * 100 + [60, 1000, 61] + [1448] * 10 + [1447] + [200] * 70 + [1472]


def payloads(lengths: list[int]) -> list[bytes]:
    return [(number.to_bytes(4, "big") + bytes(range(256)) * 6)[:octets] for number, octets in enumerate(lengths)]


def filled(these: list[bytes], size: int = 1600) -> Batch:
    batch = Batch(len(these), size)
    for each in these:
        batch.append(each)
    return batch


def received(port: OuterSocket, wanted: int, size: int = 1600) -> tuple[list[bytes], set[Endpoint], list[int]]:
    """So many payloads, where they came from, and their TOS octets."""
    batch = Batch(64, size)
    found: list[bytes] = []
    sources: set[Endpoint] = set()
    tos: list[int] = []
    deadline = time.monotonic() + 10
    while len(found) < wanted and time.monotonic() < deadline:
        if not port.receive(batch):
            time.sleep(0.001)
        tos += port.tos() or [0] * batch.count
        found += [bytes(payload) for payload in batch]
        sources |= {port.source(index) for index in range(batch.count)}
    return found, sources, tos


def exchange(port: int) -> dict[str, Any]:
    """Everything from a to b, and what passed the wire."""
    stage = Stage(topology=gateways())
    stage.wire()
    ends = {}
    for node, address in (("a", "203.0.113.1"), ("b", "203.0.113.2")):
        with stage.places[node].visit(stage.home):
            ends[node] = OuterSocket(Endpoint(address, port))
    # At a everything leaves as it will be on the wire; b merges what has arrived.
    with stage.places["a"].visit(stage.home):
        wire = open_packet_socket("wire0", outgoing=True)
    target = Endpoint("203.0.113.2", port)
    stage.run("a", "ping", "-c", "1", "203.0.113.2")
    these = payloads(LENGTHS)
    # In parts, as a socket's buffer may be small.
    taken = sum(
        ends["a"].send(filled(these), first, min(40, len(these) - first), target, tos=0x2A, dont_fragment=True)
        for first in range(0, len(these), 40)
    )
    found, sources, tos = received(ends["b"], len(these))
    on_wire = []
    with contextlib.suppress(BlockingIOError):
        while frame := wire.recv(65536):
            on_wire += [frame] if frame[23] in (17, 50) else []
    counters = ends["b"].counters
    return {
        "taken": taken,
        "same": found == these,
        "sources": sorted(map(list, sources)),
        "tos": sorted(set(tos)),
        "longest": max(len(frame) for frame in on_wire),
        "frames": len(on_wire),
        "flags": sorted({frame[20] & 0x40 for frame in on_wire}),
        "outer_tos": sorted({frame[15] for frame in on_wire}),
        "counted": [counters.received, counters.received_octets, ends["a"].counters.sent],
    }


@pytest.mark.parametrize("port", [4500, ESP_PORT])
def test_payloads_arrive_and_the_wire_carries_single_packets(port: int) -> None:
    seen = isolated(functools.partial(exchange, port))
    count = len(LENGTHS)
    headers = 14 + 20 + (8 if port else 0)
    assert seen == {
        "taken": count,
        "same": True,
        "sources": [["203.0.113.1", port]],
        "tos": [0x2A],
        "longest": max(LENGTHS) + headers,
        "frames": count,
        "flags": [0x40],
        "outer_tos": [0x2A],
        "counted": [count, sum(LENGTHS), count],
    }


def merging() -> dict[str, int]:
    """The longest message at either end when many datagrams come by one wire, single packets as they are there."""
    stage = Stage(topology=gateways())
    stage.wire()
    ends, sockets, longest = {}, {}, {}
    for node, address in (("a", "203.0.113.1"), ("b", "203.0.113.2")):
        with stage.places[node].visit(stage.home):
            ends[node] = OuterSocket(Endpoint(address, 4500))
            sockets[node] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sockets[node].bind((address, 4501))
        sockets[node].settimeout(10)
        assert Merged.ask_for(sockets[node])
    these = filled(payloads([1400] * 40))
    for node, other, address in (("a", "b", "203.0.113.1"), ("b", "a", "203.0.113.2")):
        stage.run(other, "ping", "-c", "1", address)
        ends[other].send(these, 0, 40, Endpoint(address, 4501))
        longest[node] = len(sockets[node].recv(65536))
    return longest


def test_an_end_merges_what_arrives_unless_the_wire_is_captured_there() -> None:
    assert isolated(merging) == {"a": 1400, "b": 40 * 1400}


def options() -> dict[str, Any]:
    """ESP behind IP options, and what is longer than a slot."""
    stage = Stage(topology=gateways())
    stage.wire()
    with stage.places["b"].visit(stage.home):
        port = OuterSocket(Endpoint("203.0.113.2", ESP_PORT))
    with stage.places["a"].visit(stage.home):
        sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ESP)
    sender.sendto(b"plain" * 10, ("203.0.113.2", 0))
    sender.sendto(b"long" * 400, ("203.0.113.2", 0))
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x01\x01\x01\x00")
    sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 3)
    sender.sendto(b"optional" * 10, ("203.0.113.2", 0))
    found, _, tos = received(port, 2, size=200)
    return {"found": [each.decode() for each in found], "tos": tos, "errors": port.counters.receive_errors}


def test_ip_options_are_passed_over_and_what_is_too_long_is_counted() -> None:
    assert isolated(options) == {"found": ["plain" * 10, "optional" * 10], "tos": [0, 3], "errors": 1}


def fragments() -> list[bool]:
    """Payloads that are longer than the wire's packets, with and without leave to fragment them."""
    stage = Stage(topology=gateways(wire_mtu=1280))
    stage.wire()
    ends = {}
    for node, address in (("a", "203.0.113.1"), ("b", "203.0.113.2")):
        with stage.places[node].visit(stage.home):
            ends[node] = OuterSocket(Endpoint(address, 4500))
    these = payloads([1448] * 9 + [100])
    target = Endpoint("203.0.113.2", 4500)
    taken = ends["a"].send(filled(these), 0, len(these), target)
    found, _, _ = received(ends["b"], len(these))
    refused = ends["a"].send(filled(these), 0, len(these), target, dont_fragment=True)
    return [taken == len(these), found == these, refused == 1]


def test_what_does_not_fit_the_wire_is_fragmented_if_it_may_be() -> None:
    assert isolated(fragments) == [True, True, True]


def refusals() -> list[str]:
    stage = Stage(topology=gateways())
    stage.wire()
    said = []
    with stage.places["a"].visit(stage.home):
        held = OuterSocket(Endpoint("203.0.113.1", 500))
        for endpoint in (Endpoint("203.0.113.1", 500), Endpoint("203.0.113.9", 500)):
            try:
                OuterSocket(endpoint)
            except MachineError as error:
                said.append(str(error))
        # Nowhere to go: lost and counted, and no error.
        assert not held.send_one(b"x", Endpoint("198.51.100.1", 500))
        assert held.send(filled([b"x" * 100] * 3), 0, 3, Endpoint("198.51.100.1", 500)) == 0
        # What no packet can be is lost, and does not stop the others.
        mixed = filled([b"a" * 100, b"b" * 1590, b"c" * 100], size=1600)
        taken = held.send(mixed, 0, 3, Endpoint("203.0.113.2", 500), dont_fragment=True)
        said += [f"{taken} {held.counters.send_lost}"]
    return said


def test_what_cannot_be_opened_or_sent_is_told_or_counted() -> None:
    assert isolated(refusals) == [
        "cannot listen at 203.0.113.1:500: Address already in use",
        "cannot listen at 203.0.113.9:500: Cannot assign requested address",
        "2 5",
    ]
