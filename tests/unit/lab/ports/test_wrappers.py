"""Ports that wrap ports: what passes, what is dropped, and that it is counted."""

from __future__ import annotations

from collections import Counter

import pytest

from dataplane.batch import Batch
from lab.errors import InputError
from lab.ports.faulty import Faults, FaultyPort
from lab.ports.keep import keep
from lab.ports.memory import MemoryPort
from lab.ports.port import Port
from lab.ports.tagged import TaggedPort, pop, push, tags_of
from lab.ports.tapped import Direction, TappedPort
from tests.unit.lab.ports.slow import payload


def send(port: Port, *frames: bytes, size: int = 256) -> int:
    batch = Batch(max(1, len(frames)), size)
    for frame in frames:
        batch.append(frame)
    return port.send(batch)


def receive(port: Port, *, slots: int = 64, size: int = 256) -> list[bytes]:
    """Everything that waits."""
    batch, frames = Batch(slots, size), []
    while port.receive(batch):
        frames += [bytes(frame) for frame in batch]
    return frames


FRAMES = [bytes([i]) * 14 + payload(50 + i) for i in range(100)]


def test_what_one_memory_port_sends_the_other_receives_in_order() -> None:
    a, b = MemoryPort.pair()
    assert send(a, *FRAMES) == 100
    assert send(b, b"back") == 1
    assert receive(b) == FRAMES
    assert receive(a) == [b"back"]
    assert (a.counters.sent, b.counters.received) == (100, 100)
    assert a.counters.sent_octets == b.counters.received_octets == sum(map(len, FRAMES))
    assert (a.fileno(), b.fileno()) == (-1, -1)


def test_a_full_queue_is_the_senders_loss() -> None:
    a, b = MemoryPort.pair(queue=3)
    assert send(a, *FRAMES[:5]) == 3
    assert a.counters.send_lost == 2
    assert receive(b) == FRAMES[:3]


def test_a_frame_that_no_slot_can_hold_is_dropped_and_counted() -> None:
    a, b = MemoryPort.pair()
    send(a, b"short", b"x" * 20, b"after")
    assert receive(b, size=10) == [b"short", b"after"]
    assert b.counters.receive_errors == 1


def test_nobody_hears_a_closed_memory_port_or_one_that_is_joined_to_none() -> None:
    a, b = MemoryPort.pair()
    b.close()
    b.close()
    assert send(a, b"x") == 0
    assert send(MemoryPort(), b"x") == 0


def test_keeping_some_frames_closes_the_gaps() -> None:
    batch = Batch(5, 8)
    for octets in (b"a", b"bb", b"ccc", b"dddd"):
        batch.append(octets)
    keep(batch, [0, 2, 3])
    assert [bytes(frame) for frame in batch] == [b"a", b"ccc", b"dddd"]
    keep(batch, [])
    assert batch.count == 0


@pytest.mark.parametrize("vids", [[], [100], [100, 101]])
def test_tags_go_behind_the_addresses_and_come_off_again(vids: list[int]) -> None:
    inside, far = MemoryPort.pair()
    port = TaggedPort(inside, vids)
    send(far, *FRAMES)
    tags = b"".join(b"\x81\0" + vid.to_bytes(2, "big") for vid in vids)
    tagged = receive(port)
    assert tagged == [frame[:12] + tags + frame[12:] for frame in FRAMES]
    assert send(port, *tagged) == len(FRAMES)
    assert receive(far) == FRAMES


def test_a_frame_with_other_tags_or_none_is_dropped_and_counted() -> None:
    inside, far = MemoryPort.pair()
    port = TaggedPort(inside, [100, 101])
    addresses, good = bytes(12), bytes.fromhex("8100006481000065")
    other_priority = bytes.fromhex("8100706481003065")
    frames = [
        addresses + tags + b"\x08\0rest"
        for tags in (
            good,
            bytes.fromhex("8100006581000064"),
            bytes.fromhex("81000064"),
            b"",
            bytes.fromhex("88a8006481000065"),
            other_priority,
        )
    ]
    assert send(port, *frames, addresses, b"") == 2
    assert receive(far) == [addresses + b"\x08\0rest"] * 2
    assert port.counters.wrong_tag == 6
    assert port.counters.sent == 2


def test_a_frame_that_is_too_long_with_its_tags_is_dropped_and_counted() -> None:
    inside, far = MemoryPort.pair()
    port = TaggedPort(inside, [100])
    send(far, b"x" * 61, b"y" * 60, b"z" * 11)
    assert [len(frame) for frame in receive(port, size=64)] == [64]
    assert port.counters.receive_errors == 2


def test_pushing_and_popping_are_each_others_inverse_in_place() -> None:
    batch = Batch(8, 256)
    for frame in FRAMES[:8]:
        batch.append(frame)
    tags = tags_of([4094, 1])
    assert push(batch, tags) == 0
    assert pop(batch, tags) == 0
    assert [bytes(frame) for frame in batch] == FRAMES[:8]


@pytest.mark.parametrize("vid", [-1, 0, 4095, 4096])
def test_only_a_vlan_identifier_can_be_a_tag(vid: int) -> None:
    with pytest.raises(InputError, match="1 to 4094"):
        tags_of([vid])


def test_a_tap_sees_both_directions_and_changes_nothing() -> None:
    inside, far = MemoryPort.pair()
    seen: list[tuple[Direction, bytes]] = []
    port = TappedPort(inside, lambda direction, frame: seen.append((direction, bytes(frame))))
    send(far, b"in")
    assert receive(port) == [b"in"]
    send(port, b"out")
    assert receive(far) == [b"out"]
    assert seen == [(Direction.RECEIVED, b"in"), (Direction.SENT, b"out")]


ALL = Faults(loss=0.1, corrupt=0.1, duplicate=0.1, reorder=0.1)


def through(faults: Faults, *, seed: int = 1, sending: bool = True, frames: list[bytes] = FRAMES) -> list[bytes]:
    inside, far = MemoryPort.pair()
    port = FaultyPort(inside, seed=seed, **{"sending" if sending else "receiving": faults})
    if sending:
        send(port, *frames)
        return receive(far)
    send(far, *frames)
    return receive(port)


@pytest.mark.parametrize("sending", [True, False])
def test_without_faults_nothing_happens_and_the_same_seed_makes_the_same_ones(sending: bool) -> None:
    assert through(Faults(), sending=sending) == FRAMES
    assert through(ALL, sending=sending) == through(ALL, sending=sending)
    assert through(ALL, sending=sending) != through(ALL, sending=sending, seed=2)


@pytest.mark.parametrize("sending", [True, False])
def test_each_fault_does_what_it_is_called(sending: bool) -> None:
    lost = through(Faults(loss=0.3), sending=sending)
    assert 40 < len(lost) < 90
    assert lost == [frame for frame in FRAMES if frame in lost]

    corrupted = through(Faults(corrupt=0.3), sending=sending)
    flipped = [
        bin(int.from_bytes(came, "big") ^ int.from_bytes(went, "big")).count("1")
        for came, went in zip(corrupted, FRAMES, strict=True)
    ]
    assert set(flipped) == {0, 1}
    assert 10 < sum(flipped) < 60

    doubled = Counter(through(Faults(duplicate=0.3), sending=sending))
    assert set(doubled.values()) == {1, 2}

    disordered = through(Faults(reorder=0.3), sending=sending, frames=FRAMES[:99])
    assert disordered != FRAMES[:99]
    assert set(FRAMES[:99]) - set(disordered) in (set(), {FRAMES[98]})
    assert all(abs(index - FRAMES.index(frame)) <= 2 for index, frame in enumerate(disordered))


def test_all_frames_are_hit_at_probability_one() -> None:
    assert through(Faults(loss=1)) == []
    assert through(Faults(duplicate=1)) == [frame for frame in FRAMES for _ in range(2)]


def test_a_frame_held_back_goes_when_nothing_else_comes_in_and_with_the_next_one_out() -> None:
    assert through(Faults(reorder=1), sending=False, frames=FRAMES[:1]) == FRAMES[:1]
    inside, far = MemoryPort.pair()
    port = FaultyPort(inside, seed=1, sending=Faults(reorder=1))
    send(port, b"first")
    assert receive(far) == []
    send(port, b"second")
    assert receive(far) == [b"second", b"first"]


def test_more_frames_than_a_batch_holds_come_with_the_next_ones() -> None:
    inside, far = MemoryPort.pair()
    port = FaultyPort(inside, seed=1, receiving=Faults(duplicate=1))
    send(far, *FRAMES[:8])
    assert receive(port, slots=3) == [frame for frame in FRAMES[:8] for _ in range(2)]


def test_losses_are_counted() -> None:
    inside, far = MemoryPort.pair()
    port = FaultyPort(inside, seed=1, sending=Faults(loss=1), receiving=Faults(loss=1))
    send(port, *FRAMES)
    send(far, *FRAMES)
    assert receive(port) == []
    assert port.counters.receive_dropped == 100
    assert (port.counters.sent, port.counters.send_lost) == (100, 100)


@pytest.mark.parametrize("name", ["loss", "corrupt", "duplicate", "reorder"])
def test_only_a_probability_can_be_one(name: str) -> None:
    for value in (-0.1, 1.1):
        with pytest.raises(InputError, match=name):
            Faults(**{name: value})


def test_closing_closes_the_port_below() -> None:
    for wrap in (
        lambda port: TaggedPort(port, [1]),
        lambda port: TappedPort(port, lambda *_: None),
        lambda port: FaultyPort(port, seed=1),
    ):
        inside, far = MemoryPort.pair()
        port = wrap(inside)
        assert port.fileno() == -1
        port.close()
        assert send(far, b"x") == 0
