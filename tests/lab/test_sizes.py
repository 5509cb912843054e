"""A gateway of Azure's has a size: how many tunnels it takes, and what they carry."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from lab.errors import InputError
from lab.topology.load import loads
from tests.lab.conftest import Bench

pytestmark = pytest.mark.lab


def many_tunnels(count: int, sku: str = "VpnGw2AZ") -> str:
    """An on-premises device and a gateway on one wire, with so many tunnels between them."""
    mine = [f"172.20.{i // 250}.{i % 250 + 1}" for i in range(count)]
    theirs = [f"10.0.{i // 250 + 1}.{i % 250 + 4}" for i in range(count)]
    lines = [
        "name: many-tunnels",
        f"vaults: {{kv-lab: {{{', '.join(f'psk{i}: {{random: 32}}' for i in range(count))}}}}}",
        "nodes:",
        "  vpn-device:",
        "    role: vpn-device",
        f"    addresses: [{', '.join(f'{address}/32' for address in mine)}]",
        "    routes: [{to: 10.0.0.0/16, via: 203.0.113.2}]",
        "  vnet-gateway:",
        "    role: vnet-gateway",
        f"    addresses: [{', '.join(f'{address}/32' for address in theirs)}]",
        "    routes: [{to: 172.20.0.0/16, via: 203.0.113.1}]",
        "links:",
        "  - {ends: [vpn-device:wan, vnet-gateway:er], addresses: [203.0.113.1/30, 203.0.113.2/30]}",
        "connections:",
    ]
    for i, (one, other) in enumerate(zip(mine, theirs, strict=True)):
        inner = [f"169.254.{21 + i // 60}.{i % 60 * 4 + host}/30" for host in (1, 2)]
        lines += [
            f"  - name: tunnel{i}",
            "    ends:",
            f"      vpn-device: {{address: {one}, tunnel_addresses: {inner[0]}, prefixes: 192.168.{i}.0/24}}",
            f"      vnet-gateway: {{address: {other}, tunnel_addresses: {inner[1]}}}",
            f"    psk: https://kv-lab.vault.azure.net/secrets/psk{i}",
        ]
    lines += [
        "expect: {vpn-device--vnet-gateway: ipsec}",
        "traffic: []",
        "azure:",
        "  virtual_networks: {vnet: {address_space: [10.0.0.0/16], subnets: {GatewaySubnet: {prefix: 10.0.1.0/24}}}}",
        f"  gateways: {{gw: {{type: Vpn, sku: {sku}, node: vnet-gateway, virtual_network: vnet}}}}",
    ]
    return "\n".join(lines) + "\n"


def test_the_thirtieth_tunnel_is_taken_and_the_next_one_is_not() -> None:
    assert len(loads(many_tunnels(30)).connections) == 30
    with pytest.raises(
        InputError, match="gw is a VpnGw2AZ, which takes 30 tunnels, and vnet-gateway has 31: take tunnel30"
    ):
        loads(many_tunnels(31))
    assert len(loads(many_tunnels(31, "VpnGw4AZ")).connections) == 31


def test_thirty_tunnels_are_all_proven(bench: Bench) -> None:
    path = bench.topologies / "many-tunnels.yaml"
    path.write_text(many_tunnels(30))
    bench.ok("up", str(path), timeout=120)
    rows: list[dict[str, Any]] = json.loads(bench.ok("vpn", "status", "--json"))
    assert len(rows) == 60
    assert {row["state"] for row in rows} == {"Connected"}
    report = json.loads(bench.ok("prove", "--json", timeout=120))
    assert report["verdict"] == "proven"
    assert not report["canaries"]["lost"]
    (segment,) = report["segments"]
    assert segment["esp"]["authenticated"] > 60
    assert (segment["esp"]["failed"], segment["esp"]["no_key"]) == (0, 0)
    used = [
        row for row in json.loads(bench.ok("vpn", "stats", "--json")) if row["ingress_octets"] and row["egress_octets"]
    ]
    assert len(used) == 60, "a canary went through each tunnel, each way"


FLOOD = """
import socket, time
port, end, count = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), time.monotonic() + 3, 0
while time.monotonic() < end:
    for _ in range(100):
        port.sendto(bytes(1300), ("169.254.21.{host}", 9000))
    count += 100
print(count)
"""
_MOST_SECONDS = 30.0


@pytest.mark.parametrize("outward", [True, False], ids=["from-azure", "to-azure"])
def test_no_more_passes_than_the_size_lets_through(bench: Bench, outward: bool) -> None:
    """The least size there is, so that a slow machine sends more than it lets through."""
    path = bench.topologies / "many-tunnels.yaml"
    path.write_text(many_tunnels(1, "Basic"))
    bench.ok("up", str(path))
    began = time.monotonic()
    sender, host = ("vnet-gateway", "1") if outward else ("vpn-device", "2")
    sent = int(bench.ok("exec", sender, "--", "python3", "-c", FLOOD.replace("{host}", host)))
    rows = {row["node"]: row for row in json.loads(bench.ok("vpn", "stats", "--json"))}
    seconds = time.monotonic() - began
    assert seconds < _MOST_SECONDS
    most = 100e6 / 8 * seconds * 1.02 + 700_000
    if outward:
        assert rows["vnet-gateway"]["egress_octets"] < most
        assert sent * 1328 > most, "the machine sends less than the size lets through, so nothing is shown"
    else:
        passed = rows["vnet-gateway"]["device_counters"]["sent_octets"]
        assert rows["vnet-gateway"]["over_limit"] > 0
        assert passed < most
