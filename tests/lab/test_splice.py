"""Getting between the ends of a wire, and away again: under drivers' packet sockets, and under the kernel itself."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from dataplane.batch import Batch
from lab.errors import MachineError
from lab.host import nftables, programs
from lab.host.packet import open_packet_socket
from lab.host.splice import SplicedEnd
from tests.lab.isolated import isolated
from tests.lab.pair import ADDRESSES, Pair, pair_topology

pytestmark = pytest.mark.lab

LINKS: dict[str, dict[str, Any]] = {
    "macsec": {"suite": "GCM-AES-128"},
    "macsec-tagged": {"suite": "GCM-AES-XPN-256", "vids": (10, 100)},
    "tagged": {"suite": None, "vids": (10, 100)},
}
PING = ("ping", "-q", "-c", "3", "-i", "0.01", "-W", "5")


def world(options: dict[str, Any], work: Callable[[Pair], object]) -> Any:
    def inside() -> object:
        pair = Pair(topology=pair_topology(**options))
        pair.wire()
        pair.drive()
        return work(pair)

    return isolated(inside)


def trace(pair: Pair) -> list[str]:
    """All that could be left at either end: devices with their numbers, and rules."""
    found = []
    for node in "ab":
        with pair.places[node].visit(pair.home):
            found += [f"{node} {number} {name}" for number, name in socket.if_nameindex()]
        rules = pair.run(node, "/usr/sbin/nft", "list", "ruleset")
        assert rules.returncode == 0, rules.stderr
        found.append(f"{node} {rules.stdout}")
    return found


def pump(ends: list[SplicedEnd], running: subprocess.Popen[str]) -> tuple[int, list[bytes]]:
    """Pass on what comes, until the command has ended; give its exit code and the frames."""
    batch, seen = Batch(16, 4096), []
    while running.poll() is None:
        select.select(ends, [], [], 0.05)
        for end in ends:
            end.receive(batch)
            seen += [bytes(frame) for frame in batch]
            end.send(batch)
    return running.returncode, seen


def spliced(pair: Pair, nodes: str = "ab") -> list[SplicedEnd]:
    ends = []
    for node in nodes:
        with pair.places[node].visit(pair.home):
            ends.append(SplicedEnd("wire0"))
    return ends


def unsplice(pair: Pair, ends: list[SplicedEnd], nodes: str = "ab") -> None:
    for node, end in zip(nodes, ends, strict=True):
        with pair.places[node].visit(pair.home):
            end.restore(lambda: None)
        end.close()


@pytest.mark.parametrize("link", LINKS)
def test_everything_passes_the_man_in_the_middle_as_it_is_and_the_direct_wire_comes_back(link: str) -> None:
    def work(pair: Pair) -> object:
        before = trace(pair)
        with pair.places["a"].visit(pair.home):
            tap = open_packet_socket("wire0", outgoing=True)
        ends = spliced(pair)
        code, seen = pump(ends, pair.start("a", *PING, "-s", "1400", ADDRESSES["b"]))
        on_the_wire = []
        while True:
            try:
                on_the_wire.append(tap.recv(4096))
            except BlockingIOError:
                break
        unsplice(pair, ends)
        direct = pair.run("a", *PING, ADDRESSES["b"]).returncode
        types = sorted({frame[12:14].hex() for frame in seen})
        # The kernel shows the outer tag of a frame that came in beside the frame, not in it. The first frames on the
        # wire may have been sent before there was a man in the middle.
        same = link == "tagged" or set(seen) <= set(on_the_wire)
        return [code, types, same, direct, trace(pair) == before, [end.counters.sent for end in ends]]

    code, types, same, direct, restored, sent = world(LINKS[link], work)
    assert code == 0
    assert types == (["8100"] if link == "tagged" else ["88e5"])
    assert same
    assert min(sent) >= 3
    assert (direct, restored) == (0, True)


def test_one_direction_can_be_taken_alone() -> None:
    def work(pair: Pair) -> object:
        ends = spliced(pair, "a")
        code, seen = pump(ends, pair.start("a", *PING, ADDRESSES["b"]))
        unsplice(pair, ends, "a")
        return [code, [frame[6:12].hex() for frame in seen]]

    code, sources = world(LINKS["macsec"], work)
    assert code == 0
    assert set(sources) == {"020000000001"}


def test_a_man_in_the_middle_who_dies_leaves_the_wire_dead_until_it_is_restored() -> None:
    def work(pair: Pair) -> object:
        before = trace(pair)
        ready, told = os.pipe()
        pid = os.fork()
        if not pid:
            spliced(pair)
            os.write(told, b"!")
            signal.pause()
        os.read(ready, 1)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        dead = pair.run("a", "ping", "-q", "-c", "3", "-i", "0.1", "-W", "1", ADDRESSES["b"]).returncode
        for node in "ab":
            with pair.places[node].visit(pair.home):
                nftables.restore("wire0")
        alive = pair.run("a", *PING, ADDRESSES["b"]).returncode
        return [dead, alive, trace(pair) == before]

    assert world(LINKS["macsec"], work) == [1, 0, True]


def test_nobody_else_can_be_there_already() -> None:
    def work(pair: Pair) -> object:
        ends = spliced(pair, "a")
        try:
            spliced(pair, "a")
        except MachineError as error:
            return str(error)
        finally:
            unsplice(pair, ends, "a")
        return None

    assert "wire0.mim cannot be made" in world(LINKS["macsec"], work)


def test_without_nft_it_is_said_what_is_missing_and_nothing_is_left() -> None:
    def work(pair: Pair) -> object:
        before = trace(pair)
        os.environ["PATH"] = ""
        programs._PLACES = ()  # type: ignore[misc, assignment]
        try:
            spliced(pair, "a")
        except MachineError as error:
            os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
            return [str(error), trace(pair) == before]
        return None

    said, clean = world(LINKS["macsec"], work)
    assert said == (
        "there is no nft command, by which one gets between the ends of a wire\n"
        "  fix: sudo apt-get install --no-install-recommends nftables"
    )
    assert clean


def test_what_the_kernel_itself_sends_passes_with_its_checksums_in() -> None:
    def work(pair: Pair) -> object:
        # What the kernel sends on the wire itself, with TCP's checksum left to the last moment.
        for node in "ab":
            for command in (
                ("/usr/sbin/ip", "address", "add", f"10.8.0.{'ab'.index(node) + 1}/24", "dev", "wire0"),
                ("/usr/sbin/sysctl", "-qw", "net.ipv4.conf.wire0.arp_ignore=0", "net.ipv4.conf.wire0.rp_filter=0"),
            ):
                ran = pair.run(node, *command)
                assert ran.returncode == 0, ran.stderr
        ends = spliced(pair)
        batch, received = Batch(16, 4096), bytearray()
        with pair.places["b"].visit(pair.home):
            listening = socket.create_server(("10.8.0.2", 5000))
        with pair.places["a"].visit(pair.home):
            sending = socket.socket()
        sending.setblocking(False)
        sending.connect_ex(("10.8.0.2", 5000))
        accepted: socket.socket | None = None
        octets = bytes(range(256)) * 400
        left = memoryview(octets)
        listening.setblocking(False)
        while len(received) < len(octets):
            select.select(ends, [], [], 0.01)
            for end in ends:
                end.receive(batch)
                end.send(batch)
            try:
                accepted = accepted or listening.accept()[0]
                accepted.setblocking(False)
                left = left[sending.send(left) :] if left else left
                received += accepted.recv(1 << 16)
            except BlockingIOError:
                continue
        unsplice(pair, ends)
        return bytes(received) == octets

    assert world(LINKS["macsec"], work)
