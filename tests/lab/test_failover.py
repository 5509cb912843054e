"""A link that dies under traffic: the other one takes over, and no datagram is lost that nobody can tell of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.capture.frame import Direction
from lab.capture.source import open_capture
from lab.host.programs import BIRD, NFT
from tests.lab.conftest import Bench
from tests.lab.failover import cut_under_traffic

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(BIRD.find() is None, reason=f"bird is not installed: {BIRD.fix}"),
    pytest.mark.skipif(NFT.find() is None, reason=f"nft is not installed: {NFT.fix}"),
]


def outbound(path: Path) -> int:
    with open_capture(path) as capture:
        return sum(frame.direction is Direction.OUTBOUND for frame in capture)


def test_every_datagram_of_the_switch_is_accounted_for(bench: Bench) -> None:
    bench.ok("up", "expressroute-bgp")
    bench.ok("prove")
    captures = bench.folder("expressroute-bgp") / "captures"
    found = cut_under_traffic(bench.start, bench.ok, captures, "ce--msee1", 6.0)
    seen = found.seen
    assert found.received > found.sent // 2
    assert found.lost > 0, "the link was idle when it was cut"
    assert seen["onprem--vpn-device"] == seen["vpn-device--ce"] == found.sent
    # Each went out by one of the links, or was given to the wire that was cut, which takes frames and carries none: the
    # driver's count less what the tap saw.
    status = json.loads(bench.ok("status", "--json"))
    ce = next(node for node in status["nodes"] if node["node"] == "ce")
    given = ce["driver"]["segments"]["ce--msee1"]["common"]["sent"]
    vanished = seen["ce--msee1"] - seen["msee1--vnet-gateway"]
    unseen = found.sent - seen["ce--msee1"] - seen["ce--msee2"]
    assert found.lost == unseen + vanished
    assert unseen <= given - outbound(captures / "ce--msee1.pcapng") <= unseen + 60, "some are BFD's and BGP's own"
    assert seen["ce--msee2"] == seen["msee2--vnet-gateway"]
    assert seen["vnet-gateway--workload"] == found.received
    # BFD ends it long before BGP's hold time of 9 s would.
    assert found.gap < 6
