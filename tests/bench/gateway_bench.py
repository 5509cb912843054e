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


def ours(policy: str, encapsulation: str, seconds: int, extra: tuple[str, ...]) -> float:
    """Our gateways."""
    stage = Stage(topology=gateways(encapsulation=encapsulation, more=POLICIES[policy]))
    stage.wire()
    stage.drive()
    stage.await_state()
    found = transfer(stage, seconds, extra)
    for node in "ab":
        status = stage.status(node)
        assert not status["discarded"], status["discarded"]
    return found


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
    figures: dict[tuple[str, str], list[float]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for (policy, encapsulation), values in figures.items():
            work = functools.partial(ours, policy, encapsulation, options.seconds, tuple(options.iperf3))
            values.append(isolated(work))
    for (policy, encapsulation), values in figures.items():
        rounds = " ".join(f"{value:.2f}" for value in values)
        print(f"{policy:14} {encapsulation:5} {statistics.median(values):6.2f} Gb/s   ({rounds})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
