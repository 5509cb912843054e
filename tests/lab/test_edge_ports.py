"""Packet sockets and TUN/TAP devices as ports, against the kernel at their other side."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from dataplane.batch import Batch
from lab.errors import MachineError
from lab.host import devices
from lab.host.packet import PacketPort, open_packet_socket
from lab.host.tap import Kind, TunTapPort
from tests.lab.isolated import isolated

pytestmark = pytest.mark.lab

ADDRESSES = bytes.fromhex("020000000002020000000001")


def wired(work: Callable[[Any], object]) -> Any:
    """Do something where there is a veth pair, left and right, both up, in one namespace; it is given netlink."""

    def inside() -> object:
        from netaddr import EUI

        from lab.host.namespaces import Kind as Namespace
        from lab.host.namespaces import hold
        from lab.host.netlink import Netlink
        from lab.topology.operations import WireEnd

        for name in ("all", "default"):
            devices.write_sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "1")
        netlink = Netlink()
        left = WireEnd(node="", device="left", mac=EUI("02-00-00-00-00-01"))
        right = WireEnd(node="", device="right", mac=EUI("02-00-00-00-00-02"))
        netlink.create_wire(left, right, 1500, hold(Namespace.NET))
        for device in ("left", "right"):
            devices.disable_offloads(device, ("tso", "gso", "gro", "tx-checksum"))
            netlink.bring_up(device)
        assert all(devices.has_link(device) for device in ("left", "right"))
        return work(netlink)

    return isolated(inside)


def batch_of(frames: list[bytes], size: int = 2048) -> Batch:
    batch = Batch(64, size)
    for frame in frames:
        batch.append(frame)
    return batch


def received(port: PacketPort | TunTapPort, count: int, *, size: int = 2048) -> list[bytes]:
    """The next `count` frames, and what came together with them; the kernel may take its time to deliver."""
    batch = Batch(64, size)
    frames: list[bytes] = []
    waiting = select.poll()
    waiting.register(port.fileno(), select.POLLIN)
    while len(frames) < count and waiting.poll(5000):
        port.receive(batch)
        frames += [bytes(frame) for frame in batch]
    return frames


FRAMES = [ADDRESSES + b"\x88\xb5" + bytes([i]) * (46 + i * 20) for i in range(60)]


def test_frames_pass_by_batches_as_they_are_and_what_we_sent_does_not_come_back() -> None:
    def work(_: object) -> object:
        left, right = PacketPort("left"), PacketPort("right")
        assert left.receive(batch_of([])) == 0
        assert left.send(batch_of(FRAMES)) == 60
        assert received(right, 60) == FRAMES
        assert right.send(batch_of(FRAMES[:1])) == 1
        assert received(left, 1) == FRAMES[:1]
        return [left.counters.as_dict(), right.counters.as_dict()]

    left, right = wired(work)
    octets = sum(map(len, FRAMES))
    assert (left["sent"], left["sent_octets"], left["received"], left["send_lost"]) == (60, octets, 1, 0)
    assert (right["received"], right["received_octets"], right["receive_dropped"]) == (60, octets, 0)


@pytest.mark.parametrize("tags", ["81000064", "8100000a81000064", "88a8000a81000064", "8100e064"])
def test_tags_that_the_kernel_takes_off_are_put_back(tags: str) -> None:
    tagged = [frame[:12] + bytes.fromhex(tags) + frame[12:] for frame in FRAMES]
    mixed = [frame for pair in zip(FRAMES, tagged, strict=True) for frame in pair][:60]

    def work(_: object) -> object:
        left, right = PacketPort("left"), PacketPort("right")
        left.send(batch_of(mixed))
        assert received(right, 60) == mixed
        left.send(batch_of([*tagged[-1:], FRAMES[0]]))
        # With its tag the first one is longer than the slot.
        assert received(right, 1, size=len(tagged[-1]) - 1) == FRAMES[:1]
        return right.counters.as_dict()

    assert wired(work)["receive_errors"] == 1


def test_a_frame_longer_than_a_slot_is_dropped_and_counted_and_the_others_stay() -> None:
    def work(_: object) -> object:
        left, right = PacketPort("left"), PacketPort("right")
        left.send(batch_of(FRAMES))
        left.send(batch_of(FRAMES[:1]))
        short = [frame for frame in FRAMES if len(frame) <= 100] + FRAMES[:1]
        assert received(right, len(short), size=100) == short
        return right.counters.as_dict()

    assert wired(work)["receive_errors"] == len([frame for frame in FRAMES if len(frame) > 100])


def test_a_frame_that_the_kernel_refuses_is_lost_alone() -> None:
    def work(_: object) -> object:
        left, right = PacketPort("left"), PacketPort("right")
        sent = [FRAMES[0], ADDRESSES + b"\x88\xb5" + bytes(1600), FRAMES[1], b"runt", FRAMES[2]]
        assert left.send(batch_of(sent)) == 3
        assert received(right, 3) == FRAMES[:3]
        return left.counters.as_dict()

    counters = wired(work)
    assert (counters["sent"], counters["send_lost"]) == (3, 2)
    assert counters["sent_octets"] == sum(map(len, FRAMES[:3]))


def test_on_a_device_that_is_down_all_is_lost_and_nothing_raised() -> None:
    def work(netlink: Any) -> object:
        left = PacketPort("left")
        netlink._route.link("set", index=socket.if_nametoindex("left"), state="down")
        assert left.send(batch_of(FRAMES)) == 0
        assert left.receive(batch_of([])) == 0
        assert left.receive(batch_of([])) == 0
        netlink.bring_up("left")
        assert devices.has_link("left")
        assert left.send(batch_of(FRAMES)) == 60
        left.close()
        left.close()
        return left.fileno()

    assert wired(work) == -1


def test_what_the_kernel_has_no_room_for_is_counted() -> None:
    def work(_: object) -> object:
        left, right = PacketPort("left"), PacketPort("right")
        right._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(4):
            left.send(batch_of(FRAMES))
        while right.counters.receive_dropped == 0:
            left.send(batch_of(FRAMES))
        got = len(received(right, 1))
        dropped = right.counters.receive_dropped
        return [got, dropped, right.counters.receive_dropped - dropped, left.counters.sent]

    got, dropped, more, sent = wired(work)
    assert 0 < got < sent
    assert 0 < dropped <= sent - got
    assert more == 0


@pytest.mark.parametrize("open_it", [PacketPort, open_packet_socket])
def test_a_device_that_is_not_there_is_named(open_it: Callable[[str], object]) -> None:
    def work(_: object) -> object:
        with pytest.raises(MachineError) as caught:
            open_it("nowhere")
        return str(caught.value)

    assert wired(work) == "there is no device nowhere in this namespace"


def test_a_tun_device_carries_packets_with_their_checksums_finished_and_takes_them_back() -> None:
    def work(netlink: Any) -> object:
        from netaddr import IPNetwork

        tun = TunTapPort("tun0", Kind.TUN)
        netlink.add_address("tun0", IPNetwork("10.8.0.1/24"))
        netlink.bring_up("tun0")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("10.8.0.1", 9))
            for octets in (0, 1, 1001, 1472):
                sock.sendto(b"x" * octets, ("10.8.0.2", 9))
            packets = received(tun, 4)
            # Back again with the addresses swapped, which leaves every checksum as it is.
            assert tun.send(batch_of([p[:12] + p[16:20] + p[12:16] + p[20:] for p in packets])) == 4
            sock.settimeout(5)
            lengths = [len(sock.recv(4096)) for _ in range(4)]
        return [list(map(_udp_sum, packets)), lengths, tun.counters.as_dict()]

    sums, lengths, counters = wired(work)
    assert sums == [0xFFFF] * 4
    assert lengths == [0, 1, 1001, 1472]
    assert (counters["received"], counters["sent"], counters["receive_errors"]) == (4, 4, 0)


def _udp_sum(packet: bytes) -> int:
    """The sum of a UDP datagram with its pseudo-header: all ones when its checksum is right."""
    from tests.unit.lab.ports.slow import internet_checksum_sum

    return internet_checksum_sum(packet[12:20] + struct.pack(">HH", 17, len(packet) - 20) + packet[20:])


def test_octets_that_are_no_frame_to_the_kernel_are_lost_alone() -> None:
    def work(netlink: Any) -> object:
        tap = TunTapPort("tap0", Kind.TAP)
        assert tap.send(batch_of(FRAMES)) == 0  # the device is down
        netlink.bring_up("tap0")
        assert tap.send(batch_of([b"", b"short", *FRAMES[:2]])) == 2
        tap.close()
        tap.close()
        return [tap.counters.send_lost, tap.fileno()]

    assert wired(work) == [62, -1]


@pytest.mark.parametrize("name", ["", "sixteen-octets-x"])
def test_a_name_that_no_device_can_have_is_refused(name: str) -> None:
    with pytest.raises(MachineError, match="1 to 15 octets"):
        TunTapPort(name, Kind.TAP)


def test_a_device_that_somebody_holds_already_is_refused() -> None:
    def work(_: object) -> object:
        held = TunTapPort("tap0", Kind.TAP)
        with pytest.raises(MachineError) as caught:
            TunTapPort("tap0", Kind.TAP)
        held.close()
        with pytest.raises(MachineError) as other:
            TunTapPort("left", Kind.TAP)
        return [str(caught.value), str(other.value)]

    busy, wrong = wired(work)
    assert busy == "cannot attach to TAP device tap0: Device or resource busy"
    assert wrong == "cannot attach to TAP device left: Invalid argument"
