"""What Azure's resources make of a node: routes of subnets, filters, bandwidths; as operations.

Azure's fabric does these things at each virtual machine. Here the node that a subnet's router is (of role vnet-gateway)
looks up what comes from the subnet in the subnet's own table, and each end filters at its own device.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from netaddr import IPNetwork

from lab.model.link import Interface, Link
from lab.model.resources import RouteTable, Subnet, UserRoute
from lab.model.roles import Role
from lab.model.topology import Topology
from lab.topology.network_operations import AddRule, AddTableRoute, ApplyFilter, LimitBandwidth, RouteKind
from lab.topology.operations import Operation

_EVERYTHING = IPNetwork("0.0.0.0/0")
# A next hop that leaves it to the network itself is looked up as if there were no such route.
_KINDS = {
    "None": RouteKind.BLACKHOLE,
    "Internet": RouteKind.BLACKHOLE,  # there is none here
    "VnetLocal": RouteKind.THROW,
    "VirtualNetworkGateway": RouteKind.THROW,
    "VirtualAppliance": RouteKind.UNICAST,
}


def enforce(topology: Topology, *, limits: bool) -> Iterator[Operation]:
    """Everything that the resources of a topology ask of its nodes; without `limits`, no bandwidth is limited."""
    for node, subnet in routed_subnets(topology):
        yield from _subnet_table(topology, node, subnet)
    yield from _filters(topology)
    if limits:
        yield from _bandwidths(topology)


def routed_subnets(topology: Topology) -> Iterator[tuple[str, Subnet]]:
    """The subnets that have a route table, each with the node that is its router."""
    for network in topology.resources.networks:
        for subnet in network.subnets:
            if subnet.route_table is not None:
                for node in _routers(topology, subnet):
                    yield node, subnet


def learning_tables(topology: Topology, node: str) -> Mapping[int, Sequence[IPNetwork]]:
    """The tables at a node that get what BGP learns, each with the prefixes of its own routes."""
    tables = {}
    for router, subnet in routed_subnets(topology):
        table = topology.resources.route_table(str(subnet.route_table))
        if router == node and table.propagates:
            tables[table.number] = [route.prefix for route in table.routes]
    return tables


def _routers(topology: Topology, subnet: Subnet) -> list[str]:
    return [
        node.name
        for node in topology.nodes
        if node.role is Role.VNET_GATEWAY
        and any(address.ip in subnet.prefix for _, end in topology.interfaces(node.name) for address in end.addresses)
    ]


def _subnet_table(topology: Topology, node: str, subnet: Subnet) -> Iterator[Operation]:
    table = topology.resources.route_table(str(subnet.route_table))
    own = {route.prefix for route in table.routes}
    for _, end in topology.interfaces(node):
        for network in {address.cidr for address in end.addresses if address.version == 4} - own:
            yield AddTableRoute(node=node, table=table.number, destination=network, device=end.addressed_device)
    for route in topology.node(node).routes if table.propagates else ():
        if route.destination not in own and route.destination.version == 4:
            yield AddTableRoute(node=node, table=table.number, destination=route.destination, via=route.via)
    yield from (_user_route(node, table, route) for route in table.routes)
    if not table.propagates and _EVERYTHING not in own:
        yield AddTableRoute(node=node, table=table.number, destination=_EVERYTHING, route=RouteKind.UNREACHABLE)
    yield AddRule(node=node, source=subnet.prefix, table=table.number)


def _user_route(node: str, table: RouteTable, route: UserRoute) -> Operation:
    via = () if route.address is None else (route.address,)
    kind = _KINDS[route.next_hop]
    return AddTableRoute(node=node, table=table.number, destination=route.prefix, route=kind, via=via)


def _filters(topology: Topology) -> Iterator[Operation]:
    for end, subnet in filtered_ends(topology):
        group = topology.resources.security_group(str(subnet.security_group))
        yield ApplyFilter(node=end.node, device=end.addressed_device, group=group)


def filtered_ends(topology: Topology) -> Iterator[tuple[Interface, Subnet]]:
    """The devices in subnets that have a network security group; the router's is the fabric's, and has none."""
    for link in topology.links:
        for end in link.ends:
            if topology.node(end.node).role is Role.VNET_GATEWAY:
                continue
            subnets = (topology.resources.subnet_of(address.ip) for address in end.addresses)
            subnet = next((subnet for subnet in subnets if subnet is not None), None)
            if subnet is not None and subnet.security_group is not None:
                yield end, subnet


def _bandwidths(topology: Topology) -> Iterator[Operation]:
    """A circuit's bandwidth is kept at Microsoft's end of each of its links; several on a link have their sum."""
    for link in topology.links:
        circuits = topology.resources.circuits_of(link.segment)
        end = _microsofts(link, topology)
        if circuits and end is not None:
            yield LimitBandwidth(
                node=end.node,
                device=end.addressed_device,
                mbps=sum(circuit.bandwidth_mbps for circuit in circuits),
                circuit=" and ".join(circuit.name for circuit in circuits),
            )


def _microsofts(link: Link, topology: Topology) -> Interface | None:
    return next((end for end in link.ends if topology.node(end.node).role is Role.MSEE), None)


def without_limits(topology: Topology) -> Topology:
    """The same with gateways of any size."""
    gateways = tuple(replace(gateway, mbps=0, tunnel_mbps=(0, 0)) for gateway in topology.resources.gateways)
    return replace(topology, resources=replace(topology.resources, gateways=gateways))
