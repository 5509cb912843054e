"""The order of a plan, and that it says everything once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.model.topology import Topology
from lab.topology.load import load, loads
from lab.topology.network_operations import RefuseClear
from lab.topology.operations import (
    AddAddress,
    AddBackstop,
    AddRoute,
    AddTunnelRoute,
    BringUp,
    CreateControlledPort,
    CreateNamespace,
    CreateTunnelDevice,
    CreateWire,
    GenerateSecret,
    Operation,
    SetSysctl,
    StartCapture,
    StartDriver,
    StartTunnels,
)
from lab.topology.plan import plan
from lab.topology.render import as_document, as_text

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests/golden/plans"
FILES = [*sorted((ROOT / "topologies").glob("*.yaml")), GOLDEN / "dual-stack.yaml", GOLDEN / "impaired.yaml"]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def topology(request: pytest.FixtureRequest) -> Topology:
    return load(request.param)


def index(operations: tuple[Operation, ...], kind: type[Operation]) -> list[int]:
    return [i for i, operation in enumerate(operations) if isinstance(operation, kind)]


def test_whatever_an_operation_touches_was_made_before_it(topology: Topology) -> None:
    nodes: set[str] = set()
    devices: set[tuple[str, str]] = set()
    driven: set[str] = set()
    for operation in plan(topology):
        match operation:
            case CreateNamespace(node=node):
                assert node not in nodes
                nodes.add(node)
                devices.add((node, "lo"))
            case CreateWire(a=a, b=b):
                for end in (a, b):
                    assert end.node in nodes
                    assert (end.node, end.device) not in devices
                    devices.add((end.node, end.device))
            case CreateControlledPort(node=node, device=device, wire=wire):
                assert (node, wire) in devices
                devices.add((node, device))
            case CreateTunnelDevice(node=node, device=device):
                assert node in nodes
                assert (node, device) not in devices
                devices.add((node, device))
            case AddTunnelRoute(node=node, devices=into):
                assert {(node, device) for device in into} <= devices
            case StartTunnels(node=node):
                assert node in driven
            case AddAddress() | BringUp() | StartCapture() | RefuseClear():
                assert (operation.node, operation.device) in devices
            case StartDriver(node=node):
                assert node in nodes
                driven.add(node)
            case SetSysctl() | AddRoute() | AddBackstop():
                assert operation.node in nodes


def test_every_capture_runs_before_a_wire_comes_up(topology: Topology) -> None:
    operations = plan(topology)
    wires = {(end.node, end.device) for link in topology.links for end in link.ends}
    raised = [i for i, o in enumerate(operations) if isinstance(o, BringUp) and (o.node, o.device) in wires]
    assert max(index(operations, StartCapture)) < min(raised)
    assert len(raised) == 2 * len(topology.links)
    captured = [o.segment for o in operations if isinstance(o, StartCapture)]
    assert captured == [link.segment for link in topology.links]


def test_ipv6_is_off_before_anything_comes_up(topology: Topology) -> None:
    operations = plan(topology)
    for node in topology.nodes:
        switches = [f"net/ipv6/conf/{which}/disable_ipv6" for which in ("all", "default")]
        off = [
            i
            for i, o in enumerate(operations)
            if isinstance(o, SetSysctl) and o.node == node.name and o.path in switches
        ]
        up = [i for i, o in enumerate(operations) if isinstance(o, BringUp) and o.node == node.name]
        assert len(off) == 2
        assert max(off) < min(up)


def test_everything_of_the_model_is_in_the_plan(topology: Topology) -> None:
    operations = plan(topology)
    addresses = [(o.node, o.device, o.address) for o in operations if isinstance(o, AddAddress)]
    wanted = [(node.name, "lo", address) for node in topology.nodes for address in node.loopback_addresses]
    for link in topology.links:
        wanted += [(end.node, end.addressed_device, address) for end in link.ends for address in end.addresses]
    for connection in topology.connections:
        wanted += [(end.node, end.device, address) for end in connection.ends for address in end.tunnel_addresses]
    assert sorted(map(str, addresses)) == sorted(map(str, wanted))
    assert len(index(operations, AddRoute)) == sum(len(node.routes) for node in topology.nodes)
    made = [(o.vault, o.secret, o.octets) for o in operations if isinstance(o, GenerateSecret)]
    assert made == [(secret.vault, secret.secret, secret.octets) for secret in topology.generated_secrets]


def test_what_is_meant_for_a_tunnel_is_routed_into_it_before_a_wire_comes_up(topology: Topology) -> None:
    operations = plan(topology)
    wires = {(end.node, end.device) for link in topology.links for end in link.ends}
    raised = [i for i, o in enumerate(operations) if isinstance(o, BringUp) and (o.node, o.device) in wires]
    assert max(index(operations, AddTunnelRoute), default=-1) < min(raised)
    routed = {
        (o.node, o.destination, device) for o in operations if isinstance(o, AddTunnelRoute) for device in o.devices
    }
    ends = [end for connection in topology.connections for end in connection.ends]
    shared = {(o.node, o.destination) for o in operations if isinstance(o, AddTunnelRoute) and len(o.devices) > 1}
    assert {(o.node, o.destination) for o in operations if isinstance(o, AddBackstop)} == shared
    assert routed == {(end.node, prefix, end.device) for end in ends for prefix in end.peer_prefixes}


def refused(text: str) -> set[tuple[str, str, str, str]]:
    """What is not taken in clear: at which node, by which device, from where, to where."""
    planned = plan(loads(text, "topology.yaml"))
    return {(o.node, o.device, str(o.source), str(o.destination)) for o in planned if isinstance(o, RefuseClear)}


def test_what_a_tunnel_is_to_bring_is_not_taken_from_a_wire_of_the_outer_side() -> None:
    text = (ROOT / "topologies/expressroute-circuit.yaml").read_text()
    at_gateway = {("vnet-gateway", device, "192.168.0.0/16", "10.0.0.0/16") for device in ("er1", "er2")}
    assert refused(text) == {("vpn-device", "wan", "10.0.0.0/16", "192.168.0.0/16"), *at_gateway}

    # With everything behind the VPN device, its outer wire is still known by the way to its peers.
    everything = text.replace("prefixes: 192.168.0.0/16", "prefixes: 0.0.0.0/0")
    assert ("vpn-device", "wan", "10.0.0.0/16", "0.0.0.0/0") in refused(everything)
    assert not any(device == "lan" for _, device, _, _ in refused(everything))

    # A part that is routed past the tunnel comes in clear, as it goes.
    routes = "      - {to: 10.0.1.4/32, via: 203.0.113.2}\n"
    assert routes in text
    past = text.replace(routes, routes + "      - {to: 10.0.7.0/24, via: 203.0.113.2}\n", 1)
    assert refused(past) == at_gateway


def test_what_comes_by_bgp_is_not_known_beforehand_and_so_not_refused() -> None:
    assert not refused((ROOT / "topologies/coexist-same-prefix.yaml").read_text())


def test_drivers_start_for_what_is_tagged_or_protected_and_nothing_else(topology: Topology) -> None:
    driven = {o.node: (o.segments, o.connections) for o in plan(topology) if isinstance(o, StartDriver)}
    begun = {o.node: o.connections for o in plan(topology) if isinstance(o, StartTunnels)}
    for node in topology.nodes:
        wanted = tuple(link.segment for link, end in topology.interfaces(node.name) if end.controlled_device)
        tunnels = tuple(connection.name for connection, _ in topology.tunnels(node.name))
        assert driven.get(node.name, ((), ())) == (wanted, tunnels)
        assert begun.get(node.name, ()) == tunnels


def test_operations_of_a_kind_come_in_few_runs(topology: Topology) -> None:
    """Whoever applies them can do a whole run at once: wires, captures, drivers and routes are one run each."""
    operations = plan(topology)
    for kind in (GenerateSecret, StartCapture, StartDriver, AddRoute):
        found = index(operations, kind)
        assert found == list(range(found[0], found[0] + len(found))) if found else True


def test_each_step_is_one_line_with_its_undo(topology: Topology) -> None:
    operations = plan(topology)
    lines = as_text(operations).splitlines()
    assert len(lines) == len(operations)
    assert all("  # undo: " in line for line in lines)
    document = json.loads(as_document(topology, operations))
    assert [step["text"] for step in document["operations"]] == [str(operation) for operation in operations]
    assert document["topology"] == topology.name


def test_hosts_do_not_forward() -> None:
    topology = loads("name: t\nnodes: {h: {role: host}, r: {role: router}, o: {role: onprem}}\nlinks: []\n")
    forwards = {o.node for o in plan(topology) if isinstance(o, SetSysctl) and o.path == "net/ipv4/ip_forward"}
    assert forwards == {"r"}


def test_a_topology_without_links_or_nodes_to_print_is_no_trouble() -> None:
    assert as_text(plan(loads("name: t\nnodes: {h: {role: host}}\nlinks: []\n"))).startswith("h: create")
