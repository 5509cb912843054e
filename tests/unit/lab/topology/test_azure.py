"""Azure's resources of a topology: what they are resolved to, and what they ask of the nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from lab.azure.vpn_gateway import SKUS
from lab.model.filters import Direction, Packet
from lab.model.topology import Topology
from lab.topology.enforcement import learning_tables
from lab.topology.load import load, loads
from lab.topology.network_operations import AddRule, AddTableRoute, ApplyFilter, LimitBandwidth, RouteKind
from lab.topology.operations import BringUp
from lab.topology.plan import plan

FILE = Path(__file__).parents[4] / "tests/golden/plans/azure.yaml"


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load(FILE)


def test_the_resources(topology: Topology) -> None:
    found = topology.resources
    (port,), (circuit,) = found.ports, found.circuits
    assert (port.segments, port.enabled) == (("ce--msee1", "ce--msee2"), (True, False))
    assert (circuit.port, circuit.segments, circuit.bandwidth_mbps) == ("er-direct", port.segments, 1000)
    assert circuit.peering is not None
    assert circuit.peering.subnets == (IPNetwork("172.16.0.0/30"), IPNetwork("172.16.0.4/30"))
    assert [found.is_enabled(segment) for segment in ("ce--msee1", "ce--msee2", "onprem--ce")] == [True, False, True]
    subnet = found.subnet_of(IPAddress("10.0.2.4"))
    assert subnet is not None
    assert (subnet.name, subnet.route_table) == ("workloads", "rt-workloads")
    assert found.subnet_of(IPAddress("10.0.77.1")) is None
    assert found.gateways[0].mbps == 1000
    assert not topology.warnings


def test_a_link_that_is_disabled_stays_down(topology: Topology) -> None:
    up = {(o.node, o.device) for o in plan(topology) if isinstance(o, BringUp)}
    assert ("msee2", "link2") not in up
    assert {("ce", "link2"), ("ce", "link1"), ("msee1", "link1")} <= up


def test_a_new_port_pair_is_disabled_and_says_so() -> None:
    text = FILE.read_text().replace("      admin_state: {link1: Enabled, link2: Disabled}\n", "")
    off = loads(text)
    assert off.resources.ports[0].enabled == (False, False)
    assert "link1 and link2 of er-direct will carry nothing" in str(off.warnings[0])


def test_the_table_of_a_subnet(topology: Topology) -> None:
    routes = {str(o.destination): o for o in plan(topology) if isinstance(o, AddTableRoute)}
    assert {(o.node, o.table) for o in routes.values()} == {("vnet-gateway", 100)}
    assert routes["10.9.0.0/16"].via == (IPAddress("10.0.3.5"),)
    assert routes["192.168.77.0/24"].route is RouteKind.BLACKHOLE
    assert routes["10.0.0.0/16"].route is RouteKind.THROW
    assert routes["10.0.2.0/24"].device == "vnet"
    assert len(routes["192.168.0.0/16"].via) == 2, "what the gateway knows is in the table, too"
    rules = [o for o in plan(topology) if isinstance(o, AddRule)]
    assert [(o.node, o.source, o.table) for o in rules] == [("vnet-gateway", IPNetwork("10.0.2.0/24"), 100)]
    own = [IPNetwork(text) for text in ("10.9.0.0/16", "192.168.77.0/24", "10.0.0.0/16")]
    assert learning_tables(topology, "vnet-gateway") == {100: own}
    assert learning_tables(topology, "ce") == {}


def test_a_table_without_propagation_has_nothing_of_gateways() -> None:
    off = loads(FILE.read_text().replace("    rt-workloads:\n", "    rt-workloads:\n      bgp_propagation: false\n"))
    routes = {str(o.destination): o for o in plan(off) if isinstance(o, AddTableRoute)}
    assert "192.168.0.0/16" not in routes
    assert routes["0.0.0.0/0"].route is RouteKind.UNREACHABLE
    assert learning_tables(off, "vnet-gateway") == {}


def test_filters_and_bandwidths(topology: Topology) -> None:
    operations = plan(topology)
    assert [(o.node, o.device, o.group.name) for o in operations if isinstance(o, ApplyFilter)] == [
        ("workload", "eth0", "nsg-workloads")
    ]
    assert [(o.node, o.device, o.mbps) for o in operations if isinstance(o, LimitBandwidth)] == [
        ("msee1", "link1.tag", 1000),
        ("msee2", "link2.tag", 1000),
    ]
    assert not [o for o in plan(topology, limits=False) if isinstance(o, LimitBandwidth)]


@pytest.mark.parametrize(
    ("direction", "protocol", "source", "destination", "rule"),
    [
        (Direction.INBOUND, 6, "192.168.1.10:4000", "10.0.2.4:23", "no-telnet"),
        (Direction.INBOUND, 6, "192.168.1.10:4000", "10.0.2.4:2330", "no-telnet"),
        (Direction.INBOUND, 17, "192.168.1.10:4000", "10.0.2.4:23", "AllowVnetInBound"),
        (Direction.INBOUND, 6, "192.168.66.1:4000", "10.0.2.4:443", "only-lan"),
        (Direction.INBOUND, 6, "8.8.8.8:4000", "10.0.2.4:443", "DenyAllInBound"),
        (Direction.INBOUND, 6, "168.63.129.16:4000", "10.0.2.4:443", "AllowAzureLoadBalancerInBound"),
        (Direction.OUTBOUND, 50, "10.0.2.4:0", "192.168.1.1:0", "no-esp"),
        (Direction.OUTBOUND, 6, "10.0.2.4:1", "8.8.8.8:443", "AllowInternetOutBound"),
        (Direction.OUTBOUND, 6, "10.0.2.4:1", "192.168.1.1:443", "AllowVnetOutBound"),
    ],
)
def test_which_rule_decides(
    topology: Topology, direction: Direction, protocol: int, source: str, destination: str, rule: str
) -> None:
    (from_, from_port), (to, to_port) = (text.split(":") for text in (source, destination))
    packet = Packet(
        direction=direction,
        protocol=protocol,
        source=IPAddress(from_),
        destination=IPAddress(to),
        source_port=int(from_port),
        destination_port=int(to_port),
    )
    assert topology.resources.security_group("nsg-workloads").decide(packet).name == rule


def test_the_sizes_of_vpn_gateways() -> None:
    assert {name: (sku.tunnels, sku.aggregate_mbps) for name, sku in SKUS.items() if sku.open_to_new} == {
        "Basic": (10, 100),
        "VpnGw1AZ": (30, 650),
        "VpnGw2AZ": (30, 1000),
        "VpnGw3AZ": (30, 1250),
        "VpnGw4AZ": (100, 5000),
        "VpnGw5AZ": (100, 10000),
    }
    assert SKUS["VpnGw2AZ"].tunnel_mbps("GCMAES256") == 1000
    assert SKUS["VpnGw2AZ"].tunnel_mbps("AES256") == 650
    assert SKUS["VpnGw2AZ"].tunnel_mbps("DES3") == 140
    assert SKUS["VpnGw1AZ"].zone_redundant
    assert not SKUS["VpnGw1"].zone_redundant
