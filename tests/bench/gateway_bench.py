"""TUN to TUN through two IPsec gateways over a veth wire, by iperf3 TCP, beside strongSwan's kernel-libipsec.

The wire carries single packets: segmentation is off on it, as in a lab. Anti-replay, selectors, lifetimes and counters
are on. Everything runs in namespaces of its own, gone after the run. Kinds take turns, so that a slow moment of the
machine hits all alike; figures are medians.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
from pathlib import Path

from tests.lab.isolated import isolated
from tests.lab.stage import ADDRESSES, CBC, GCM, Stage, gateways

POLICIES = {"AES256/SHA256": CBC, "GCMAES256": GCM}
WANTED_GBPS = {"AES256/SHA256": 1.25, "GCMAES256": 2.0}


def transfer(stage: Stage, seconds: int, extra: tuple[str, ...]) -> float:
    """The Gb/s that iperf3 sees in one transfer from a to b."""
    server = stage.start("b", "iperf3", "-s", "-1", "--forceflush")
    assert server.stdout is not None
    while "listening" not in (line := server.stdout.readline()):
        assert line, "iperf3 does not listen"
    command = ("iperf3", "-c", ADDRESSES["b"], "-C", "reno", "-t", str(seconds), "-J", *extra)
    ran = stage.run("a", *command, timeout=seconds + 30)
    report = json.loads(ran.stdout)
    if "sum_received" not in report["end"]:
        raise AssertionError(report.get("error", ran.stdout))
    return float(report["end"]["sum_received"]["bits_per_second"]) / 1e9


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(policy: str, encapsulation: str, seconds: int, extra: tuple[str, ...]) -> list[float]:
    """Our gateways: Gb/s, and the microseconds of processor time that a packet costs at either end."""
    stage = Stage(topology=gateways(encapsulation=encapsulation, more=POLICIES[policy]))
    stage.wire()
    stage.drive()
    stage.await_state()
    before = {node: cpu_seconds(stage.pids[node]) for node in "ab"}
    found = transfer(stage, seconds, extra)
    packets = stage.status("a")["egress_packets"]
    spent = {node: (cpu_seconds(stage.pids[node]) - before[node]) * 1e6 / packets for node in "ab"}
    for node in "ab":
        status = stage.status(node)
        assert not status["discarded"], status["discarded"]
    return [found, spent["a"], spent["b"]]


def main() -> int:
    """Print medians; exit with 1 when a figure is not what it has to be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--encapsulation", action="append")
    parser.add_argument("--policy", action="append")
    parser.add_argument("iperf3", nargs="*", help="more arguments for the iperf3 client, behind --")
    options = parser.parse_args()
    kinds = [
        (policy, encapsulation)
        for policy in options.policy or list(POLICIES)
        for encapsulation in options.encapsulation or ["udp", "auto"]
    ]
    print(f"inner MTU 1400, {options.rounds} rounds of {options.seconds} s; load {os.getloadavg()[0]:.1f}")
    figures: dict[tuple[str, str], list[list[float]]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for (policy, encapsulation), values in figures.items():
            work = functools.partial(ours, policy, encapsulation, options.seconds, tuple(options.iperf3))
            values.append(isolated(work))
    for (policy, encapsulation), values in figures.items():
        rounds = " ".join(f"{value[0]:.2f}" for value in values)
        gbps, sender, receiver = (statistics.median(column) for column in zip(*values, strict=True))
        print(
            f"{policy:14} {encapsulation:5} {gbps:6.2f} Gb/s  {sender:4.1f} + {receiver:4.1f} us a packet   ({rounds})"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
