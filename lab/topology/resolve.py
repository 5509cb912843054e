"""Raw -> the resolved model. Gives every name, address and word its meaning, or says why it has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lab.model.bgp import Bgp
from lab.model.expectation import Expectation
from lab.model.link import Interface, Link
from lab.model.macsec import MacsecPolicy
from lab.model.resources import Resources
from lab.model.roles import Role
from lab.model.topology import Node, Topology
from lab.topology import naming
from lab.topology.addresses import Addressing, read_addresses
from lab.topology.connections import read_connections
from lab.topology.expectations import CLEAR, EVERY_OTHER, compare_tunnels, read_expectations, read_traffic
from lab.topology.impairments import read_impairments
from lab.topology.mistakes import read_mistakes
from lab.topology.problems import Problems, near
from lab.topology.protection import check_circuits, inner_mtu, read_bandwidth, read_macsec, read_tag
from lab.topology.raw import RawNode, RawTopology
from lab.topology.resources.read import read_resources
from lab.topology.resources.reading import Reading
from lab.topology.secrets import check_passwords, check_uses, read_vaults
from lab.topology.sessions import read_bgp
from lab.topology.tunnels import check_connections
from lab.topology.wires import Wire, read_wires


def resolve(raw: RawTopology, problems: Problems) -> Topology:
    """Resolve everything that can be, so that every problem is found; the result is sound if there is none."""
    if wrong := naming.LAB.wrong(raw.name):
        problems.add(("name",), wrong)
    roles = _read_roles(raw.nodes, problems)
    wires, all_wires = read_wires(raw.links, roles, problems)
    addressing = read_addresses(raw.nodes, wires, all_wires, problems)
    made = read_vaults(raw.vaults, problems)
    policies = {wire.path: policy for wire in wires if (policy := read_macsec(wire, roles, problems))}
    check_circuits(wires, roles, problems)
    mistakes = {wire.path: read_mistakes(wire, policies.get(wire.path), problems) for wire in wires}
    used = [(wire, policies[wire.path], mistakes[wire.path]) for wire in wires if wire.path in policies]
    check_uses(used, raw.vaults, made, problems)
    expected = read_expectations(raw.expect, wires, all_wires, problems)
    links = tuple(
        replace(
            _link(raw, wire, addressing, policies.get(wire.path), expected.get(wire.segment, CLEAR), problems),
            mistakes=mistakes[wire.path],
        )
        for wire in wires
    )
    path_mtu = min([1500, *(link.a.mtu for link in links)])
    connections = read_connections(raw.connections, roles, wires, addressing, path_mtu, problems)
    check_connections(connections, addressing.routes, _told_by_bgp(raw.nodes), raw.vaults, made, problems)
    compare_tunnels(links, bool(raw.connections), problems)
    speakers = read_bgp(raw.nodes, roles, links, connections, addressing, problems)
    check_passwords(speakers, raw.vaults, made, problems)
    resources = Resources()
    if raw.azure is not None:
        resources = read_resources(
            Reading(
                raw=raw.azure,
                roles=roles,
                links=links,
                connections=connections,
                loopbacks=addressing.loopbacks,
                speakers=speakers,
                problems=problems,
            )
        )
    traffic = read_traffic(raw.traffic, roles, problems)
    if not traffic and raw.traffic is None:
        problems.warn((), "no traffic: there is no pair of onprem and workload; name pairs under `traffic:`")
    return Topology(
        name=raw.name,
        source=problems.document.file,
        description=raw.description,
        identity=raw.identity,
        nodes=tuple(
            _node(name, role, addressing, speakers.get(name)) for name, role in roles.items() if role is not None
        ),
        links=links,
        connections=connections,
        traffic=traffic,
        generated_secrets=made,
        resources=resources,
    )


def _read_roles(nodes: Mapping[str, RawNode | None], problems: Problems) -> dict[str, Role | None]:
    """Every node that is named, with its role, or None where that could not be read."""
    roles: dict[str, Role | None] = {}
    for name, node in nodes.items():
        if wrong := naming.NODE.wrong(name):
            problems.add(("nodes", name), wrong)
        roles[name] = None
        if node is None:
            continue
        if node.role in tuple(Role):
            roles[name] = Role(node.role)
        else:
            problems.add(("nodes", name, "role"), f"unknown role {node.role!r}; {near(node.role, Role)}")
    if not nodes:
        problems.add(("nodes",), "there are no nodes; a topology has at least one, as in `nodes: {ce: {role: ce}}`")
    return roles


def _told_by_bgp(nodes: Mapping[str, RawNode | None]) -> set[str]:
    """The connections over which BGP says what is behind their ends."""
    speakers = (node.bgp for node in nodes.values() if node is not None and node.bgp is not None)
    neighbors = (neighbor for bgp in speakers for neighbor in bgp.neighbors if neighbor is not None)
    return {neighbor.tunnel for neighbor in neighbors if neighbor.tunnel is not None}


def _node(name: str, role: Role, addressing: Addressing, bgp: Bgp | None) -> Node:
    return Node(
        name=name,
        role=role,
        loopback_addresses=addressing.loopbacks.get(name, ()),
        routes=addressing.routes.get(name, ()),
        bgp=bgp,
    )


def _link(
    raw: RawTopology,
    wire: Wire,
    addressing: Addressing,
    macsec: MacsecPolicy | None,
    expect: Expectation,
    problems: Problems,
) -> Link:
    tag = read_tag(wire.raw.tag, wire.path, problems)
    mtu = inner_mtu(wire, tag, [a for end in wire.ends for a in addressing.ends.get(end, ())], problems)
    suffix = ".sec" if macsec else ".tag" if tag.vids else None
    a, b = (
        Interface(
            node=end.node,
            device=end.device,
            controlled_device=end.device + suffix if suffix else None,
            mac=naming.mac_address(raw.name, end.node, end.device),
            addresses=addressing.ends.get(end, ()),
            mtu=mtu,
            wire_mtu=wire.raw.mtu,
        )
        for end in wire.ends
    )
    return Link(
        segment=wire.segment,
        a=a,
        b=b,
        tag=tag,
        bandwidth_gbps=read_bandwidth(wire.raw.bandwidth, wire.path, problems),
        macsec=macsec,
        expect=_with_routing(raw, wire, expect, (a, b)),
        impairments=read_impairments(wire.raw.impairments, wire.path, problems),
        line=problems.document.line(wire.path),
    )


def _with_routing(raw: RawTopology, wire: Wire, expect: Expectation, ends: tuple[Interface, Interface]) -> Expectation:
    """The expectation, with the addresses between which routing may be in clear, if it may."""
    written = raw.expect.get(wire.segment) or raw.expect.get(EVERY_OTHER)
    if written is None or not written.clear_routing:
        return expect
    a, b = ([address.ip for address in end.addresses] for end in ends)
    between = tuple((one, other) for one in a for other in b if one.version == other.version == 4)
    return replace(expect, routing_between=between)
