"""Tunnels beside ExpressRoute: which way traffic goes, what the verdict says of each direction, and how it moves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.host.programs import BIRD, NFT
from tests.lab.conftest import ROOT, Bench

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(BIRD.find() is None, reason=f"bird is not installed: {BIRD.fix}"),
    pytest.mark.skipif(NFT.find() is None, reason=f"nft is not installed: {NFT.fix}"),
]
PATIENCE = 30.0
# Segments between the tunnels' ends, with the label of the direction towards Azure: the taps are at their first ends.
BETWEEN = ("vpn-device--ce", "ce--msee1", "ce--msee2", "msee1--vnet-gateway", "msee2--vnet-gateway")
TO_AZURE, TO_ONPREM = "out", "in"


def until(look: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def proof(bench: Bench) -> dict[str, Any]:
    ran = bench.run("prove", "--json", timeout=120)
    assert ran.returncode in (0, 1, 2), ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def clear(report: dict[str, Any], direction: str) -> bool:
    """Whether data of a direction went in clear somewhere between the tunnels' ends."""
    ways = [way for each in report["segments"] if each["segment"] in BETWEEN for way in each["directions"]]
    return any(way["data"] > way["authenticated"] for way in ways if way["label"] == direction)


def protected(report: dict[str, Any], direction: str) -> bool:
    """Whether canaries of a direction were found inside IPsec on the way."""
    ways = [way for each in report["segments"] if each["segment"] in BETWEEN for way in each["directions"]]
    return all(way["token_frames"] for way in ways if way["label"] == direction)


def hops(report: dict[str, Any], source: str, target: str) -> set[str]:
    """In what canaries from one node to another were, on their way between the tunnels' ends; none came back by it."""
    sent = [path for path in report["canaries"]["paths"] if (path["source"], path["target"]) == (source, target)]
    there = [path["hops"] for path in sent if path["transport"] != "icmp"]
    assert there
    for way in there:
        assert len({hop["segment"] for hop in way}) == 5, "it crosses the path once, by one of the two links"
    return {hop["form"] for way in there for hop in way if hop["segment"] in BETWEEN}


def watched(bench: Bench, rounds: int) -> list[dict[str, Any]]:
    ran = bench.run("prove", "--watch", "--rounds", str(rounds), "--json", timeout=120)
    assert ran.returncode in (0, 1, 2), ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def goes_clear(each: dict[str, Any], direction: str) -> bool:
    """Whether in a round that was watched data of a direction went in clear between the tunnels' ends."""
    return clear({"segments": [segment for segment in each["segments"] if segment["segment"] in BETWEEN]}, direction)


def device(bench: Bench, node: str, address: str) -> str:
    """By which device a node sends to an address."""
    (route,) = json.loads(bench.ok("exec", node, "--", "ip", "-j", "route", "get", address))
    return str(route["dev"])


def connected(bench: Bench) -> bool:
    ran = bench.run("vpn", "status", "--json")
    return ran.returncode == 0 and ran.stdout.count("Connected") >= 2 and "NotConnected" not in ran.stdout


def check(bench: Bench, verdict: str, *, to_azure_clear: bool, to_onprem_clear: bool) -> None:
    """What holds of a topology as it is shipped: everything is up, and the verdict is this, each way."""
    assert connected(bench)
    assert bench.run("bgp", "peers").returncode == 0
    report = proof(bench)
    assert report["verdict"] == verdict, [(each["segment"], each["reasons"]) for each in report["segments"]]
    assert (clear(report, TO_AZURE), clear(report, TO_ONPREM)) == (to_azure_clear, to_onprem_clear)
    for direction, went_clear in ((TO_AZURE, to_azure_clear), (TO_ONPREM, to_onprem_clear)):
        assert went_clear or protected(report, direction)
    forms = {True: {"in clear"}, False: {"inside IPsec"}}
    assert hops(report, "onprem", "workload") == forms[to_azure_clear]
    assert hops(report, "workload", "onprem") == forms[to_onprem_clear]
    by_name = {each["segment"]: each["verdict"] for each in report["segments"]}
    assert by_name["onprem--vpn-device"] == by_name["vnet-gateway--workload"] == "proven"
    routing = [f for each in report["segments"] for f in each["findings"] if f["code"] == "routing"]
    assert len(routing) == len(BETWEEN)


def test_preferred_at_one_end_alone(bench: Bench) -> None:
    bench.ok("up", "coexist-asymmetric")
    check(bench, "violated", to_azure_clear=False, to_onprem_clear=True)


def test_the_same_prefix_goes_in_clear_until_a_preference_moves_it(bench: Bench) -> None:
    bench.ok("up", "coexist-same-prefix")
    check(bench, "violated", to_azure_clear=True, to_onprem_clear=True)
    until(lambda: device(bench, "vpn-device", "10.0.2.4") == "wan", "on-premises does not send by ExpressRoute")
    bench.ok("bgp", "prefer", "vpn-device", "vnet-gateway", "200")
    until(lambda: device(bench, "vpn-device", "10.0.2.4").startswith("ipsec"), "on-premises does not use the tunnels")
    assert device(bench, "vnet-gateway", "192.168.1.10").startswith("er"), "Azure still sends by ExpressRoute"
    (one_way,) = watched(bench, 1)
    assert one_way["verdict"] == "violated"
    assert (goes_clear(one_way, TO_AZURE), goes_clear(one_way, TO_ONPREM)) == (False, True)
    bench.ok("bgp", "prefer", "vnet-gateway", "vpn-device", "300")
    until(lambda: device(bench, "vnet-gateway", "192.168.1.10").startswith("ipsec"), "Azure does not use the tunnels")
    assert [each["verdict"] for each in watched(bench, 2)] == ["proven", "proven"], "by the newest frames alone"
    bench.ok("bgp", "prefer", "vpn-device", "vnet-gateway/tunnel1", "50")
    bench.ok("bgp", "prefer", "vpn-device", "vnet-gateway/tunnel2", "50")
    until(lambda: device(bench, "vpn-device", "10.0.2.4") == "wan", "on-premises did not go back")


def test_more_specific_prefixes_go_by_tunnels_while_there_are_any(bench: Bench) -> None:
    """A link that dies takes no tunnel with it. When tunnels die traffic goes in clear, and the verdict says so."""
    bench.ok("up", "coexist-more-specific")
    check(bench, "proven", to_azure_clear=False, to_onprem_clear=False)

    assert device(bench, "ce", "10.0.1.4") == "link1"
    bench.ok("link", "ce--msee1", "down")
    until(lambda: device(bench, "ce", "10.0.1.4") == "link2", "the tunnel's end is not reached by the other link")
    ping = ("exec", "onprem", "--", "ping", "-c", "1", "-W", "1", "10.0.2.4")
    until(lambda: bench.run(*ping).returncode == 0, "no way left")
    report = proof(bench)
    assert {each["segment"]: each["verdict"] for each in report["segments"]}["ce--msee2"] == "proven"
    assert not clear(report, TO_AZURE)
    assert not clear(report, TO_ONPREM)

    for tunnel in ("tunnel1", "tunnel2"):
        bench.ok("vpn", "down", tunnel)
    # BGP notices by its hold time, and ExpressRoute knows the prefix, too.
    until(lambda: device(bench, "vpn-device", "10.0.2.4") == "wan", "BGP in the tunnels did not end")
    until(lambda: device(bench, "vnet-gateway", "192.168.1.10").startswith("er"), "Azure did not notice")
    report = proof(bench)
    assert report["verdict"] == "violated"
    assert clear(report, TO_AZURE)
    assert clear(report, TO_ONPREM)


def loopbacks(path: Path, host_route: str) -> Path:
    """The same-prefix topology with one session, between the nodes' own addresses, that prefers the tunnel."""
    text = (ROOT / "topologies/coexist-same-prefix.yaml").read_text()
    text = text.replace("name: coexist-same-prefix", "name: loopbacks").replace(", preference: 150}", "}")
    text = text.replace("[172.20.0.1/32, 172.20.0.2/32]", "[172.20.0.1/32, 172.20.0.2/32, 192.168.255.1/32]")
    text = text.replace("[10.0.1.4/32, 10.0.1.5/32]", "[10.0.1.4/32, 10.0.1.5/32, 10.0.1.30/32]")
    text = text.replace("asn: 65001\n", "asn: 65001\n      peering_address: 192.168.255.1\n", 1)
    text = text.replace("asn: 65515\n", "asn: 65515\n      peering_address: 10.0.1.30\n", 1)
    for end in ("1", "2", "5", "6"):
        text = text.replace(f", tunnel_addresses: 169.254.21.{end}/30", "")
    text = text.replace("        - {node: vnet-gateway, tunnel: tunnel2, advertise: 192.168.0.0/16}\n", "")
    text = text.replace("        - {node: vpn-device, tunnel: tunnel2, advertise: 10.0.0.0/16}\n", "")
    how = f"preference: 300, host_route: {host_route}, "
    text = text.replace("{node: vnet-gateway, tunnel: tunnel1, ", f"{{node: vnet-gateway, tunnel: tunnel1, {how}")
    path.write_text(text)
    return path


def test_established_and_of_no_use(bench: Bench) -> None:
    """Between addresses of the nodes' own, BIRD itself has to know the way, or what it learns stays unreachable."""
    bench.ok("up", str(loopbacks(bench.topologies / "loopbacks.yaml", "bird")))
    until(lambda: device(bench, "vpn-device", "10.0.2.4") == "ipsec0", "the tunnel is not used")
    assert bench.run("bgp", "peers").returncode == 0
    bench.ok("down")

    bench.ok("up", str(loopbacks(bench.topologies / "loopbacks.yaml", "kernel")))

    def row() -> dict[str, Any]:
        rows = json.loads(bench.run("bgp", "peers", "vpn-device", "--json").stdout)
        found: dict[str, Any] = next(each for each in rows if each["neighbor"] == "vnet-gateway")
        return found

    until(lambda: row()["state"] == "Established" and row()["learned"], "the session is not established")
    assert row()["unreachable"] == ["10.0.0.0/16"]
    assert "established, but 10.0.0.0/16 unreachable" in row()["note"]
    ran = bench.run("bgp", "peers", "vpn-device")
    assert (ran.returncode, "unreachable" in ran.stderr) == (1, True), ran.stderr
    assert device(bench, "vpn-device", "10.0.2.4") == "wan", "and packets take the clear way"
