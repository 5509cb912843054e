"""Azure's resources, enforced in a lab, and seen by its commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.host.programs import NFT
from tests.lab.conftest import ROOT, Bench

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(NFT.find() is None, reason=f"nft is not installed: {NFT.fix}"),
]
FILE = ROOT / "tests/golden/plans/azure.yaml"


def shown(bench: Bench, *arguments: str, code: int = 0) -> Any:
    ran = bench.run(*arguments, "--json")
    assert ran.returncode == code, ran.stderr
    return json.loads(ran.stdout)


def ping(bench: Bench, node: str, target: str, *arguments: str) -> bool:
    return bench.run("exec", node, "--", "ping", "-c", "1", "-W", "2", *arguments, target).returncode == 0


def test_what_a_topology_says_of_azure_is_so(bench: Bench) -> None:
    # Without the link that is Disabled nothing is routed by it.
    text = (
        FILE.read_text()
        .replace("[172.16.0.2, 172.16.0.6]", "172.16.0.2")
        .replace("[100.64.0.1, 100.64.0.5]", "100.64.0.1")
    )
    path = bench.topologies / "azure.yaml"
    path.write_text(text)
    bench.ok("up", str(path))

    links = shown(bench, "port")
    assert [(link["admin_state"], link["line_protocol"]) for link in links] == [("Enabled", "Up"), ("Disabled", "Down")]
    (circuit,) = shown(bench, "circuit", "er-circuit")
    assert (circuit["connection_type"], circuit["bandwidth_mbps"]) == ("ExpressRoute Direct", 1000)

    assert ping(bench, "onprem", "10.0.2.4")
    table = {(row["of"], row["node"]): row["state"] for row in shown(bench, "arp", "ce--msee1")}
    assert table == {("msee1", "ce"): "resolved", ("ce", "msee1"): "resolved"}
    (circuit,) = shown(bench, "circuit")
    assert [link["arp"] for link in circuit["links"]] == ["Resolved", "Incomplete"]

    # The route table: an appliance is the way to 10.9.0.0/16 for who is in the subnet, and a prefix leads nowhere.
    assert ping(bench, "workload", "10.9.9.9")
    assert not ping(bench, "workload", "192.168.77.1")
    rows = {row["prefix"]: row for row in shown(bench, "routes", "workload")}
    assert (rows["10.9.0.0/16"]["source"], rows["10.9.0.0/16"]["next_hop_type"]) == ("User", "VirtualAppliance")
    assert rows["192.168.77.0/24"]["next_hop_type"] == "None"
    assert rows["192.168.0.0/16"]["source"] == "VirtualNetworkGateway"
    assert rows["10.0.2.0/24"]["next_hop_type"] == "VnetLocal"
    assert {row["prefix"]: row["source"] for row in shown(bench, "routes", "ce")}["10.0.0.0/16"] == "Static"

    # The security group: ICMP of the network passes, telnet does not.
    before = {row["rule"]: row["packets"] for row in shown(bench, "filters", "workload")}
    assert before["AllowVnetInBound"] > 0
    assert before["no-telnet"] == 0
    bench.run("exec", "onprem", "--", "python3", "-c", _KNOCK)
    after = {row["rule"]: row["packets"] for row in shown(bench, "filters", "workload")}
    assert after["no-telnet"] > 0
    packet = ("inbound", "tcp", "192.168.1.10:4000", "10.0.2.4:23")
    (decided,) = shown(bench, "filters", "workload", "--test", *packet, code=1)
    assert (decided["access"], decided["rule"]) == ("Deny", "no-telnet")
    assert "Allow: nothing is filtered at ce" in bench.run("filters", "ce", "--test", *packet).stderr

    # The circuit's bandwidth is kept at Microsoft's end.
    rules = bench.ok("exec", "msee1", "--", "nft", "list", "ruleset")
    assert rules.count("limit rate over 125000 kbytes/second") == 2


_KNOCK = "import socket; s = socket.socket(); s.settimeout(1); s.connect_ex(('10.0.2.4', 23))"


def test_without_limits(bench: Bench) -> None:
    bench.ok("up", str(FILE), "--no-limits")
    assert "limit rate" not in bench.ok("exec", "msee1", "--", "nft", "list", "ruleset")


def test_commands_say_what_is_not_there(bench: Bench) -> None:
    bench.ok("up", bench.chain(2))
    for arguments, words in (
        (("port",), "this topology has no port pair"),
        (("circuit",), "this topology has no circuit"),
        (("routes", "nobody"), "there is no node 'nobody'"),
        (("filters", "nobody"), "there is no node 'nobody'"),
        (("filters", "n0", "--test", "sideways", "tcp", "10.0.0.1", "10.0.0.2"), "inbound or outbound"),
        (("filters", "n0", "--test", "inbound", "sctp", "10.0.0.1", "10.0.0.2"), "unknown protocol 'sctp'"),
        (("filters", "n0", "--test", "inbound", "tcp", "10.0.0.1:99999", "10.0.0.2"), "is not ADDRESS or ADDRESS:PORT"),
        (("arp", "nowhere"), "there is no segment 'nowhere'"),
    ):
        ran = bench.run(*arguments)
        assert (ran.returncode, words in ran.stderr) == (3, True), ran.stderr
    ran = bench.run("filters", "n0")
    assert (ran.returncode, "nothing is filtered at n0" in ran.stderr) == (0, True)
