"""TAP to TAP through two MACsec edges over a veth wire, by iperf3 TCP, beside a naive forwarder in the same run.

The naive forwarder is what one writes first: one read, one AEAD call of the same library with the same cipher, one
send, a frame at a time, no replay check and no counters. Everything runs in namespaces of its own, gone after the run.
Forwarders take turns, so that a slow moment of the machine hits all alike; figures are medians.
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import json
import os
import select
import statistics
import struct
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lab.host.channel import Channel
from lab.host.devices import open_tun
from lab.host.packet import open_packet_socket
from tests.lab.isolated import isolated
from tests.lab.pair import ADDRESSES, Pair, pair_topology

WIRE, TAP = "wire0", "tap0"
WANTED_GBPS = {1468: 2.0, 8968: 4.0}
WANTED_OF_NAIVE = {1468: 2.2}


def naive(node: str, control: Channel) -> None:
    """Forward until killed: one frame, one call each."""
    wire = open_packet_socket(WIRE)
    clear = open_tun()
    fcntl.ioctl(clear, 0x400454CA, struct.pack("16sH22x", TAP.encode(), 0x1002))  # TUNSETIFF: a TAP, no headers
    cipher = AESGCM(bytes(16))
    sci = bytes(8)
    epoll = select.epoll()
    epoll.register(clear, select.EPOLLIN)
    epoll.register(wire.fileno(), select.EPOLLIN)
    control.send({"type": "ready"})
    pn = 1
    while True:
        for descriptor, _ in epoll.poll():
            if descriptor == clear:
                frame = os.read(clear, 65536)
                number = pn.to_bytes(4, "big")
                head = frame[:12] + b"\x88\xe5\x2c\x00" + number + sci
                wire.send(head + cipher.encrypt(sci + number, frame[12:], head))
                pn += 1
            else:
                frame = wire.recv(65536)
                if frame[12:14] == b"\x88\xe5":
                    plain = cipher.decrypt(sci + frame[16:20], frame[28:], frame[:28])
                    os.write(clear, frame[:12] + plain)


def measure(kind: str, mtu: int, seconds: int, suite: str, vids: tuple[int, ...], extra: tuple[str, ...]) -> object:
    """The Gb/s that iperf3 sees in one transfer from a to b, in a world of its own."""
    pair = Pair(topology=pair_topology(mtu=mtu, suite=suite, vids=vids, replay_window=0))
    pair.wire()
    if kind == "naive":
        pair.forward(naive)
    else:
        pair.drive()
    server = pair.start("b", "iperf3", "-s", "-1", "--forceflush")
    assert server.stdout is not None
    while "listening" not in (line := server.stdout.readline()):
        assert line, "iperf3 does not listen"
    command = ("iperf3", "-c", ADDRESSES["b"], "-C", "reno", "-t", str(seconds), "-J", *extra)
    ran = pair.run("a", *command, timeout=seconds + 30)
    report = json.loads(ran.stdout)
    if "sum_received" not in report["end"]:
        raise AssertionError(report.get("error", ran.stdout))
    return report["end"]["sum_received"]["bits_per_second"] / 1e9


def main() -> int:
    """Print medians and ratios; exit with 1 when neither a figure nor its ratio is what it has to be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--mtu", type=int, action="append")
    parser.add_argument("--suite", default="GCM-AES-128")
    parser.add_argument("--vid", type=int, action="append", default=[])
    parser.add_argument("--only", choices=["naive", "edge"])
    parser.add_argument("iperf3", nargs="*", help="more arguments for the iperf3 client, behind --")
    options = parser.parse_args()
    kinds = [options.only] if options.only else ["naive", "edge"]
    mtus = options.mtu or [1468, 8968]
    load = os.getloadavg()[0]
    print(f"{options.suite}, tags {options.vid}, {options.rounds} rounds of {options.seconds} s; load {load:.1f}")
    figures: dict[tuple[str, int], list[float]] = {(kind, mtu): [] for mtu in mtus for kind in kinds}
    for _ in range(options.rounds):
        for (kind, mtu), values in figures.items():
            work = functools.partial(
                measure, kind, mtu, options.seconds, options.suite, tuple(options.vid), tuple(options.iperf3)
            )
            values.append(isolated(work))
    failed = False
    for mtu in mtus:
        medians = {kind: statistics.median(figures[kind, mtu]) for kind in kinds}
        for kind in kinds:
            rounds = " ".join(f"{value:.2f}" for value in figures[kind, mtu])
            print(f"MTU {mtu:5}  {kind:6} {medians[kind]:6.2f} Gb/s   ({rounds})")
        if len(kinds) == 2:
            ratio = medians["edge"] / medians["naive"]
            good = medians["edge"] >= WANTED_GBPS.get(mtu, 0) or ratio >= WANTED_OF_NAIVE.get(mtu, float("inf"))
            print(f"MTU {mtu:5}  edge / naive {ratio:.2f}   {'as wanted' if good else 'TOO SLOW'}")
            failed |= not good
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
