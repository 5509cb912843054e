"""BGP in a lab: private peering over two links inside MACsec, a link cut under it, and preferences changed live."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lab.host.programs import BIRD, NFT
from tests.lab.conftest import Bench

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(BIRD.find() is None, reason=f"bird is not installed: {BIRD.fix}"),
    pytest.mark.skipif(NFT.find() is None, reason=f"nft is not installed: {NFT.fix}"),
]
PATIENCE = 30.0


def until(look: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def rows(bench: Bench, *arguments: str) -> list[dict[str, Any]]:
    ran = bench.run("bgp", *arguments, "--json")
    assert ran.returncode in (0, 1), ran.stderr
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


def kernel_hops(bench: Bench, node: str, prefix: str) -> list[str]:
    """The next hops of a node's route, as the kernel has it."""
    text = bench.ok("exec", node, "--", "ip", "-j", "route", "show", prefix)
    found = json.loads(text)
    return sorted(hop["gateway"] for route in found for hop in route.get("nexthops", [route]))


def events(bench: Bench) -> list[dict[str, Any]]:
    return [json.loads(line) for line in bench.ok("events", "--json").splitlines()]


@pytest.fixture
def peered(bench: Bench) -> Bench:
    bench.ok("up", "expressroute-bgp")
    return bench


def test_both_links_carry_what_bgp_brought_and_all_is_proven(peered: Bench) -> None:
    assert {(row["node"], row["neighbor"]): row["state"] for row in rows(peered, "peers")} == dict.fromkeys(
        [
            ("ce", "msee1"), ("ce", "msee2"), ("msee1", "ce"), ("msee1", "vnet-gateway"), ("msee2", "ce"),
            ("msee2", "vnet-gateway"), ("vnet-gateway", "msee1"), ("vnet-gateway", "msee2"),
        ],
        "Established",
    )  # fmt: skip
    until(lambda: kernel_hops(peered, "ce", "10.0.0.0/16") == ["172.16.0.2", "172.16.0.6"], "no ECMP at ce")
    until(lambda: len(kernel_hops(peered, "vnet-gateway", "192.168.0.0/16")) == 2, "no ECMP at vnet-gateway")
    learned = rows(peered, "routes", "ce")
    assert [(row["neighbor"], row["prefix"], row["as_path"]) for row in learned] == [
        ("msee1", "10.0.0.0/16", [12076]),  # without 65515, which is private
        ("msee2", "10.0.0.0/16", [12076]),
    ]
    told = rows(peered, "routes", "ce", "--advertised", "--peer", "msee1")
    assert sorted(row["prefix"] for row in told) == ["192.168.0.0/16", "203.0.113.0/30"]
    proof = json.loads(peered.ok("prove", "--json"))
    assert proof["verdict"] == "proven"


def test_a_cut_link_is_left_and_taken_up_again(peered: Bench) -> None:
    until(lambda: len(kernel_hops(peered, "ce", "10.0.0.0/16")) == 2, "no ECMP at ce")
    peered.ok("link", "ce--msee1", "down")
    until(lambda: kernel_hops(peered, "ce", "10.0.0.0/16") == ["172.16.0.6"], "ce still sends by the link that is cut")
    until(lambda: kernel_hops(peered, "vnet-gateway", "192.168.0.0/16") == ["100.64.0.5"], "the gateway did not hear")
    assert "1 received" in peered.ok("exec", "onprem", "--", "ping", "-c", "1", "-W", "5", "10.0.2.4")
    ran = peered.run("bgp", "peers", "ce")
    assert (ran.returncode, "BFD session down" in ran.stderr) == (1, True), ran.stdout + ran.stderr
    ran = peered.run("arp", "ce--msee1", "--json")
    assert (ran.returncode, {row["state"] for row in json.loads(ran.stdout)}) == (1, {"the line is down"})
    peered.ok("link", "ce--msee1", "up")
    until(lambda: len(kernel_hops(peered, "ce", "10.0.0.0/16")) == 2, "the mended link is not used")
    until(lambda: [e["event"] for e in events(peered)].count("bgp-lost") >= 2, "the loss was not told")
    seen = {event["event"]: datetime.fromisoformat(event["time"]) for event in reversed(events(peered))}
    # BFD gives up after 0.9 s and BGP's hold time is 9 s: whatever the machine's speed, it was BFD.
    assert (seen["bgp-lost"] - seen["link-down"]).total_seconds() < 8
    assert not [event for event in events(peered) if event["event"].endswith("-failed")]


def test_preference_moves_routes_at_once(peered: Bench) -> None:
    peered.ok("bgp", "prefer", "ce", "msee2", "200")
    until(lambda: kernel_hops(peered, "ce", "10.0.0.0/16") == ["172.16.0.6"], "msee2 is not preferred")
    peered.ok("bgp", "prefer", "ce", "msee1", "300")
    until(lambda: kernel_hops(peered, "ce", "10.0.0.0/16") == ["172.16.0.2"], "msee1 is not preferred")
    peered.ok("bgp", "session", "ce", "msee1", "down")
    until(lambda: kernel_hops(peered, "ce", "10.0.0.0/16") == ["172.16.0.6"], "the session that is down is used")
    for arguments, words in (
        (("prefer", "ce", "workload", "1"), "workload is no neighbor of ce; there are msee1, msee2"),
        (("prefer", "workload", "ce", "1"), "workload speaks no BGP; there are ce, msee1, msee2, vnet-gateway"),
        (("prefer", "ce", "msee1", "-1"), "no such option"),
        (("peers", "workload"), "workload speaks no BGP"),
    ):
        ran = peered.run("bgp", *arguments)
        assert (ran.returncode, words.lower() in ran.stderr.lower()) == (3, True), ran.stderr


def test_a_bird_that_ends_is_told_of(peered: Bench) -> None:
    def birds() -> list[int]:
        found = []
        for pid in peered.processes():
            if Path(f"/proc/{pid}/comm").read_text().strip() == "bird":
                found.append(pid)
        return found

    assert len(birds()) == 4
    os.kill(birds()[0], 9)
    until(lambda: any(event["event"] == "bird-failed" for event in events(peered)), "nobody told of it")
    failed = next(event for event in events(peered) if event["event"] == "bird-failed")
    assert failed["end"] == "killed by SIGKILL"
    ran = peered.run("status", "--json")
    assert (ran.returncode, json.loads(ran.stdout)["failed"]) == (1, [f"bird of {failed['node']}"])


def test_no_bgp_no_bird(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    ran = bench.run("bgp", "peers")
    assert (ran.returncode, "no node of this lab speaks BGP" in ran.stderr) == (3, True), ran.stderr
    ran = bench.run("link", "n0--n1", "sideways")
    assert ran.returncode == 3
    bench.ok("link", "n0--n1", "down")
    assert bench.run("exec", "n0", "--", "ping", "-c", "1", "-W", "1", "10.0.0.2").returncode == 1
    bench.ok("link", "n0--n1", "up")
    until(
        lambda: bench.run("exec", "n0", "--", "ping", "-c", "1", "-W", "1", "10.0.0.2").returncode == 0, "still cut"
    )  # fmt: skip


def test_no_password_is_left_on_disk(peered: Bench) -> None:
    listed = peered.ok("exec", "ce", "--", "ls", "/run/wireproof-bird").split()
    assert [name for name in listed if name.endswith(".conf")] == []
    peered.ok("bgp", "prefer", "ce", "msee2", "200")
    listed = peered.ok("exec", "ce", "--", "ls", "/run/wireproof-bird").split()
    assert [name for name in listed if name.endswith(".conf")] == []
