"""TUN to TUN through two IPsec gateways over a veth wire, by iperf3 TCP, beside strongSwan with its ESP in user space.

The wire carries single packets with checksums filled in, as in a lab; the kernel merges them where they have arrived
and nobody captures. Inner packets have 1,400 octets. Anti-replay, selectors, lifetimes and counters are on. strongSwan
uses OpenSSL's ciphers. As outside a test, its daemons have a session each, ours have one together, as in a lab, and so
has each iperf3: Linux divides processors among sessions first, and with all in one strongSwan is twice as fast.
Everything runs in namespaces of its own, gone after the run. Kinds take turns, so that a slow moment of the machine
hits all alike; figures are medians, ratios those of the same run.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from tests.interop.strongswan.charon import CHILD, CONNECTION, DAEMON, Charon, Settings
from tests.interop.world import World
from tests.lab.isolated import isolated
from tests.lab.stage import ADDRESSES, CBC, GCM, Stage, gateways

MTU = 1400
POLICIES = {"AES256/SHA256": CBC, "GCMAES256": GCM}
THEIR_SUITES = {
    "AES256/SHA256": ("aes256-sha256-modp2048", "aes256-sha256-modp2048"),
    "GCMAES256": ("aes256gcm16-prfsha384-ecp384", "aes256gcm16-ecp384"),
}
# On a machine whose bare veth does 10 Gb/s or more; and how many times strongSwan's.
WANTED = {"AES256/SHA256": (1.25, 3.5), "GCMAES256": (2.0, 5.0)}
_HEADERS = 52  # IPv4 and TCP with a timestamp
STRONGSWAN, BARE = "strongSwan", "bare veth"
Kind = tuple[str, str]


def gbps_of(report: str) -> float:
    """What an iperf3 client's report says was received."""
    read = json.loads(report)
    if "sum_received" not in read["end"]:
        raise AssertionError(read.get("error", report))
    return float(read["end"]["sum_received"]["bits_per_second"]) / 1e9


def client(address: str, seconds: int, extra: tuple[str, ...]) -> tuple[str, ...]:
    """The command of a client; always the same congestion control, since machines differ in their default."""
    return ("iperf3", "-c", address, "-C", "reno", "-t", str(seconds), "-J", *extra)


def transfer(stage: Stage, address: str, seconds: int, extra: tuple[str, ...]) -> float:
    """The Gb/s of one transfer from a to b."""
    server = stage.start("b", "iperf3", "-s", "-1", "--forceflush")
    assert server.stdout is not None
    while "listening" not in (line := server.stdout.readline()):
        assert line, "iperf3 does not listen"
    return gbps_of(stage.run("a", *client(address, seconds, extra), timeout=seconds + 30).stdout)


def processor_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ours(policy: str, encapsulation: str, seconds: int, extra: tuple[str, ...]) -> list[float]:
    """Our gateways: Gb/s, and the microseconds of processor time that a packet costs at either end."""
    stage = Stage(topology=gateways(encapsulation=encapsulation, mtu=MTU, more=POLICIES[policy]))
    stage.wire()
    stage.drive()
    stage.await_state()
    before = {node: processor_seconds(stage.pids[node]) for node in "ab"}
    found = transfer(stage, ADDRESSES["b"], seconds, extra)
    packets = stage.status("a")["egress_packets"]
    spent = [(processor_seconds(stage.pids[node]) - before[node]) * 1e6 / packets for node in "ab"]
    for node in "ab":
        status = stage.status(node)
        assert not status["discarded"], status["discarded"]
    return [found, *spent]


def bare(seconds: int, extra: tuple[str, ...]) -> list[float]:
    """The wire alone, without a gateway."""
    stage = Stage(topology=gateways())
    stage.wire()
    return [transfer(stage, "203.0.113.2", seconds, extra)]


def strongswan(policy: str, seconds: int, extra: tuple[str, ...]) -> list[float]:
    """Two charons with kernel-libipsec, which always encapsulates in UDP: Gb/s, and what a packet costs at either end.

    They count no packets; one of the transfer has as many octets of TCP as fit.
    """
    ike, esp = THEIR_SUITES[policy]
    outer = {"a": "203.0.113.1", "b": "203.0.113.2"}
    with World("a", "b") as world:
        world.join("a", "b")
        daemons = {}
        for place, other in ("ab", "ba"):
            world.shell(place, f"ip addr add {outer[place]}/30 dev wire0; ip addr add {ADDRESSES[place]}/32 dev lo")
            daemons[place] = Charon(world, place)
            daemons[place].configure(_connection(place, other, outer, ike, esp), {"ike-lab": {"secret": '"psk"'}})
        status, printed = daemons["a"].initiate().result()
        assert status == 0, printed + daemons["b"].log()
        for place in "ab":
            world.shell(place, f"ip link set ipsec0 mtu {MTU}")
        server = world.start("b", "iperf3", "-s", "-1", "--forceflush")
        while "listening" not in server.printed():
            assert not server.ended(), server.printed()
        before = {place: processor_seconds(daemon.pid) for place, daemon in daemons.items()}
        status, printed = world.start("a", *client(ADDRESSES["b"], seconds, ("-B", ADDRESSES["a"], *extra))).result(
            seconds + 30
        )
        assert status == 0, printed
        found = gbps_of(printed)
        packets = found * 1e9 / 8 * seconds / (MTU - _HEADERS)
        spent = [(processor_seconds(daemons[place].pid) - before[place]) * 1e6 / packets for place in "ab"]
        return [found, *spent]


def _connection(place: str, other: str, outer: dict[str, str], ike: str, esp: str) -> Settings:
    assert CONNECTION
    return {
        "version": 2,
        "local_addrs": outer[place],
        "remote_addrs": outer[other],
        "proposals": ike,
        "mobike": "no",
        "local": {"auth": "psk", "id": outer[place]},
        "remote": {"auth": "psk", "id": outer[other]},
        "children": {
            CHILD: {
                "local_ts": f"{ADDRESSES[place]}/32",
                "remote_ts": f"{ADDRESSES[other]}/32",
                "esp_proposals": esp,
                "start_action": "none",
            }
        },
    }


def main() -> int:
    """Print medians and ratios; exit with 1 when neither a figure nor its ratio is what it has to be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--policy", action="append", choices=list(POLICIES))
    parser.add_argument("--only", action="append", choices=["udp", "auto", STRONGSWAN, BARE])
    parser.add_argument("iperf3", nargs="*", help="more arguments for the iperf3 client, behind --")
    options = parser.parse_args()
    extra, seconds = tuple(options.iperf3), options.seconds
    kinds: dict[Kind, Callable[[], list[float]]] = {
        ("", BARE): lambda: isolated(functools.partial(bare, seconds, extra))
    }
    for policy in options.policy or list(POLICIES):
        for encapsulation in ("udp", "auto"):
            work = functools.partial(ours, policy, encapsulation, seconds, extra)
            kinds[policy, encapsulation] = functools.partial(isolated, work)
        if DAEMON.exists():
            kinds[policy, STRONGSWAN] = functools.partial(strongswan, policy, seconds, extra)
    chosen = {kind: work for kind, work in kinds.items() if options.only is None or kind[1] in options.only}
    print(f"inner MTU {MTU}, {options.rounds} rounds of {seconds} s; load {os.getloadavg()[0]:.1f}")
    figures: dict[Kind, list[list[float]]] = {kind: [] for kind in chosen}
    for _ in range(options.rounds):
        for kind, work_of in chosen.items():
            figures[kind].append(work_of())
    return int(not _tell(figures))


def _tell(figures: dict[Kind, list[list[float]]]) -> bool:
    """Print what was found; whether it is as it has to be."""
    medians = {
        kind: [statistics.median(column) for column in zip(*values, strict=True)] for kind, values in figures.items()
    }
    for (policy, name), median in medians.items():
        rounds = " ".join(f"{value[0]:.2f}" for value in figures[policy, name])
        cost = "" if len(median) == 1 else f"{median[1]:.1f} + {median[2]:.1f} us a packet"
        print(f"{policy:14} {name:10} {median[0]:6.2f} Gb/s   {cost:26} ({rounds})")
    good = True
    for (policy, name), median in medians.items():
        if name != "udp":
            continue
        gbps, times = WANTED[policy]
        theirs = medians.get((policy, STRONGSWAN))
        ratio = None if theirs is None else median[0] / theirs[0]
        is_good = median[0] >= gbps and (ratio is None or ratio >= times)
        good &= is_good
        shown = "strongSwan was not there" if ratio is None else f"{ratio:.1f} times strongSwan, wanted {times}"
        print(f"{policy:14} {median[0]:.2f} Gb/s, wanted {gbps}; {shown}   {'as wanted' if is_good else 'TOO SLOW'}")
    return good


if __name__ == "__main__":
    sys.exit(main())
