"""The capture process: every frame of a burst, with direction, time and tags, on file when it says so, or counted."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dataplane.batch import Batch
from lab.capture.frame import Direction
from lab.capture.source import open_capture
from lab.host import devices
from lab.host.channel import Channel
from lab.host.packet import PacketPort, open_packet_socket
from lab.host.processes import fork
from tests.lab.isolated import isolated

pytestmark = pytest.mark.lab

ADDRESSES = bytes.fromhex("020000000002020000000001")


class World:
    """A veth pair, left and right, with a tap on the left end; to be made in an isolated world."""

    def __init__(self, folder: Path, *, taps: int = 1, is_up: bool = True, at_far_end: bool = False) -> None:
        from netaddr import EUI

        from lab.capture import tap
        from lab.host.namespaces import Kind, hold
        from lab.host.netlink import Netlink
        from lab.topology.operations import WireEnd

        for name in ("all", "default"):
            devices.write_sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "1")
        netlink = Netlink()
        left = WireEnd(node="", device="left", mac=EUI("02-00-00-00-00-01"))
        right = WireEnd(node="", device="right", mac=EUI("02-00-00-00-00-02"))
        netlink.create_wire(left, right, 1500, hold(Kind.NET))
        specs = [
            tap.TapSpec(
                segment=f"left--right{number}",
                device="left",
                description="left",
                at_far_end=at_far_end,
                socket=open_packet_socket("right" if at_far_end else "left", outgoing=True),
            )
            for number in range(taps)
        ]
        self.channel, theirs = Channel.pair()
        keep = [theirs.fileno(), *(spec.socket.fileno() for spec in specs)]
        self.pid = fork(lambda: tap.run(specs, folder, theirs), keep=keep)
        theirs.close()
        for spec in specs:
            spec.socket.close()
        assert self.hear()["type"] == "ready"
        if is_up:
            for device in ("left", "right"):
                netlink.bring_up(device)
            assert devices.has_link("left")
            assert devices.has_link("right")
        self.left, self.right = PacketPort("left"), PacketPort("right")

    def hear(self) -> Any:
        assert self.channel.wait(20)
        return self.channel.receive()

    def flush(self) -> Any:
        self.channel.send({"type": "command", "id": 1, "verb": "flush"})
        return self.hear()["result"]

    def stop(self) -> int:
        self.channel.send({"type": "stop"})
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def tapped(
    folder: Path, work: Callable[[World], object], *, taps: int = 1, is_up: bool = True, at_far_end: bool = False
) -> Any:
    return isolated(lambda: work(World(folder, taps=taps, is_up=is_up, at_far_end=at_far_end)))


def burst(port: PacketPort, frames: int, octets: int) -> None:
    """Send frames that are numbered."""
    batch = Batch(100, 1600)
    for first in range(0, frames, 100):
        batch.clear()
        for number in range(first, min(first + 100, frames)):
            batch.append((ADDRESSES + b"\x88\xb5" + number.to_bytes(4, "big")).ljust(octets, b"."))
        assert port.send(batch) == batch.count


def numbers(path: Path) -> list[int]:
    with open_capture(path) as capture:
        return [int.from_bytes(frame.octets[14:18], "big") for frame in capture]


def test_a_burst_while_nobody_reads_is_all_on_file_after_a_flush(tmp_path: Path) -> None:
    def work(world: World) -> object:
        os.kill(world.pid, signal.SIGSTOP)
        burst(world.left, 4000, 1514)
        os.kill(world.pid, signal.SIGCONT)
        flushed = world.flush()
        there = numbers(tmp_path / "left--right0.pcapng")
        return [flushed, there == list(range(4000)), world.stop()]

    flushed, complete, code = tapped(tmp_path, work)
    assert flushed == {"left--right0": {"frames": 4000, "octets": 4000 * 1514, "dropped": 0}}
    assert complete
    assert code == 0


def test_what_the_ring_cannot_hold_is_counted_and_said(tmp_path: Path) -> None:
    def work(world: World) -> object:
        os.kill(world.pid, signal.SIGSTOP)
        burst(world.left, 9000, 1514)
        os.kill(world.pid, signal.SIGCONT)
        return [world.flush(), world.stop()]

    flushed, _ = tapped(tmp_path, work)
    state = flushed["left--right0"]
    assert state["dropped"] > 0
    assert state["frames"] + state["dropped"] == 9000
    assert len(numbers(tmp_path / "left--right0.pcapng")) == state["frames"]


@pytest.mark.parametrize("at_far_end", [False, True])
def test_each_frame_has_its_direction_its_tags_and_a_later_time_than_the_one_before(
    tmp_path: Path, at_far_end: bool
) -> None:
    tags = bytes.fromhex("8100000a81000064")
    out, back = ADDRESSES + tags + b"\x88\xb5out", ADDRESSES + tags + b"\x88\xb5back"

    def send(port: PacketPort, octets: bytes) -> None:
        batch = Batch(1, 64)
        batch.append(octets)
        port.send(batch)

    def work(world: World) -> object:
        send(world.left, out)
        world.flush()
        send(world.right, back)
        while world.flush()["left--right0"]["frames"] < 2:
            pass
        return world.stop()

    assert tapped(tmp_path, work, at_far_end=at_far_end) == 0
    with open_capture(tmp_path / "left--right0.pcapng") as capture:
        frames = list(capture)
    assert [(bytes(frame.octets), frame.direction) for frame in frames] == [
        (out, Direction.OUTBOUND),
        (back, Direction.INBOUND),
    ]
    assert [frame.original_length for frame in frames] == [len(out), len(back)]
    first, second = (frame.timestamp_ns for frame in frames)
    assert 0 < second - first < 10**10


def test_all_taps_of_a_lab_are_served_by_the_one_process(tmp_path: Path) -> None:
    def work(world: World) -> object:
        burst(world.left, 500, 100)
        world.channel.send({"type": "status", "id": 3})
        status = world.hear()
        flushed = world.flush()
        world.channel.send({"type": "command", "id": 4, "verb": "dance"})
        return [status["id"], sorted(status["status"]), flushed, world.hear(), world.stop()]

    number, segments, flushed, refused, code = tapped(tmp_path, work, taps=20)
    assert number == 3
    assert segments == sorted(f"left--right{tap}" for tap in range(20))
    assert {tuple(state.values()) for state in flushed.values()} == {(500, 50000, 0)}
    assert refused == {"type": "reply", "id": 4, "error": "captures know the verb flush, not 'dance'"}
    assert code == 0


def test_a_wire_that_is_down_costs_no_time(tmp_path: Path) -> None:
    def work(world: World) -> object:
        used = []
        for _ in range(2):
            time.sleep(0.5)
            used.append(processor_seconds(world.pid))
        return [used[1] - used[0], world.flush(), world.stop()]

    used, flushed, code = tapped(tmp_path, work, taps=3, is_up=False)
    assert used < 0.2
    assert {state["dropped"] for state in flushed.values()} == {0}
    assert code == 0


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_stop_writes_out_what_is_left_and_so_does_the_end_of_process_1(tmp_path: Path) -> None:
    def work(world: World) -> object:
        burst(world.left, 300, 200)
        world.channel.close()
        return os.waitstatus_to_exitcode(os.waitpid(world.pid, 0)[1])

    assert tapped(tmp_path, work) == 0
    assert numbers(tmp_path / "left--right0.pcapng") == list(range(300))
