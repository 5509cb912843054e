"""Taking datagrams from sockets on the loopback: merged by the kernel and parted again, they are as if not merged."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from lab.host.incoming import Merged, OneByOne, Receiver
from lab.host.outgoing import Outgoing

HOST = "127.0.0.1"
SIZE = 1500
_IP_RECVTOS = 13


def opened() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    made.bind((HOST, 0))
    return made


def merging() -> socket.socket:
    made = opened()
    assert Merged.ask_for(made), "this kernel does not merge"
    return made


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with closing(opened()) as made:
        yield made


def payloads(lengths: list[int]) -> list[bytes]:
    return [(number.to_bytes(2, "big") * (octets // 2 + 1))[:octets] for number, octets in enumerate(lengths)]


def send(sender: socket.socket, target: socket.socket, these: list[bytes]) -> None:
    """Send them, runs as one message each."""
    batch = Batch(max(1, len(these)), 2048)
    for each in these:
        batch.append(each)
    outgoing = Outgoing(batch, segments=True)
    taken, _ = outgoing.send(sender.fileno(), 0, batch.count, Endpoint(*target.getsockname()))
    assert taken == len(these)


Taken = list[tuple[bytes, Endpoint, int]]


def take(receiver: Receiver, source: socket.socket, slots: int, size: int = SIZE) -> tuple[Taken, int, list[int]]:
    """All that waits: datagrams with their sources and TOS octets; how many were dropped; how full batches were."""
    batch, found, dropped, counts = Batch(slots, size), [], 0, []
    idle = 0
    while idle < 2:
        lost = receiver.receive(source.fileno(), batch)
        idle = 0 if lost or batch.count else idle + 1
        dropped += lost
        counts.append(batch.count)
        tos = receiver.tos() or [0] * batch.count
        found += [(bytes(batch[slot]), receiver.source(slot), tos[slot]) for slot in range(batch.count)]
    return found, dropped, counts


# Lengths, and how many neighbours have them.
SHAPES = st.lists(
    st.tuples(st.sampled_from([1, 3, 60, 200, 1448, 1500, 1501]), st.integers(1, 70)), min_size=1, max_size=6
)


@settings(deadline=None, max_examples=150)
@given(
    bursts=st.lists(
        st.tuples(
            st.lists(
                st.tuples(st.sampled_from([1, 3, 60, 200, 1448, 1500, 1501]), st.integers(1, 70)),
                min_size=1,
                max_size=6,
            ),
            st.sampled_from([0, 0, 1, 0x2B]),
        ),
        min_size=1,
        max_size=3,
    ),
    slots=st.sampled_from([1, 2, 7, 88, 352]),
)
def test_merged_and_parted_is_as_if_it_came_singly(bursts: list[tuple[list[tuple[int, int]], int]], slots: int) -> None:
    with closing(opened()) as sender, closing(merging()) as runs, closing(opened()) as singles:
        for shape, tos in bursts:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            these = payloads([octets for octets, count in shape for _ in range(count)])
            for target in (runs, singles):
                send(sender, target, these)
        found, dropped, counts = take(Merged(), runs, slots)
        wanted, lost, _ = take(OneByOne(is_raw=False), singles, slots)
    assert found == wanted
    assert dropped == lost
    assert max(counts) <= slots


def test_the_kernel_merges(sender: socket.socket) -> None:
    """The control: without it the tests here would compare single messages with single messages."""
    with closing(merging()) as runs:
        send(sender, runs, payloads([1448] * 40))
        assert len(runs.recv(65536)) == 40 * 1448


def test_what_has_no_room_waits_for_the_next_batch(sender: socket.socket) -> None:
    with closing(merging()) as runs:
        these = payloads([1000] * 50 + [999])
        send(sender, runs, these)
        found, _, counts = take(Merged(), runs, 20)
    assert [payload for payload, _, _ in found] == these
    assert counts[:3] == [20, 20, 11]


def test_as_many_messages_are_read_as_fill_a_batch(sender: socket.socket) -> None:
    with closing(merging()) as runs:
        for _ in range(6):
            send(sender, runs, payloads([1000] * 40))
        found, _, counts = take(Merged(), runs, 80)
    assert len(found) == 240
    assert counts[:3] == [80, 80, 80]


def test_a_datagram_without_an_octet_is_one(sender: socket.socket) -> None:
    with closing(merging()) as runs:
        for payload in (b"", b"one", b""):
            sender.sendto(payload, runs.getsockname())
        found, _, _ = take(Merged(), runs, 8)
    assert [payload for payload, _, _ in found] == [b"", b"one", b""]


def test_each_message_has_its_own_source() -> None:
    with closing(merging()) as runs, closing(opened()) as first, closing(opened()) as second:
        for each in (first, second, first):
            send(each, runs, payloads([700] * 5))
        found, _, _ = take(Merged(), runs, 32)
        ports = [source.port for _, source, _ in found]
        assert ports == [each.getsockname()[1] for each in (first, second, first) for _ in range(5)]


def test_what_is_longer_than_a_slot_is_dropped_and_told(sender: socket.socket) -> None:
    with closing(merging()) as runs:
        send(sender, runs, payloads([1400] * 10 + [1300]))
        send(sender, runs, payloads([100] * 3))
        found, dropped, _ = take(Merged(), runs, 32, size=1000)
    assert [len(payload) for payload, _, _ in found] == [100] * 3
    assert dropped == 11


def test_a_descriptor_that_is_no_socket_is_an_error() -> None:
    with Path("/dev/null").open("rb") as file, pytest.raises(OSError, match="recvmmsg"):
        Merged().receive(file.fileno(), Batch(1, 100))
