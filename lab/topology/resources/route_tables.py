"""Route tables of subnets."""

from __future__ import annotations

from collections.abc import Sequence

from netaddr import IPNetwork

from lab.azure.route_table import BY_GATEWAY, NEXT_HOPS, WITH_ADDRESS
from lab.model.resources import Gateway, GatewayKind, RouteTable, UserRoute, VirtualNetwork
from lab.topology.document import Path
from lab.topology.raw_azure import RawRouteTable, RawUserRoute
from lab.topology.resources.reading import Reading

FIRST_NUMBER = 100
"""Of the kernel's tables that are subnets'."""


def read_route_tables(
    reading: Reading, networks: Sequence[VirtualNetwork], gateways: Sequence[Gateway]
) -> tuple[RouteTable, ...]:
    """Every route table."""
    return tuple(
        _read(name, raw, FIRST_NUMBER + i, reading, networks, gateways)
        for i, (name, raw) in enumerate(reading.raw.route_tables.items())
        if raw is not None
    )


def _read(
    name: str,
    raw: RawRouteTable,
    number: int,
    reading: Reading,
    networks: Sequence[VirtualNetwork],
    gateways: Sequence[Gateway],
) -> RouteTable:
    path: Path = ("azure", "route_tables", name)
    users = [network for network in networks if any(subnet.route_table == name for subnet in network.subnets)]
    routes: dict[IPNetwork, UserRoute] = {}
    for route_name, route in raw.routes.items():
        where = (*path, "routes", route_name)
        if route is None or (read := _route(route_name, route, where, reading)) is None:
            continue
        _check_effect(read, users, gateways, where, reading)
        if read.prefix in routes:
            text = f"{name} has a route for {read.prefix} already, {routes[read.prefix].name}; a prefix has one"
            reading.problems.add((*where, "prefix"), text)
        routes[read.prefix] = read
    return RouteTable(name=name, number=number, routes=tuple(routes.values()), propagates=raw.bgp_propagation)


def _check_effect(
    route: UserRoute, users: Sequence[VirtualNetwork], gateways: Sequence[Gateway], path: Path, reading: Reading
) -> None:
    """A gateway is no next hop of a user-defined route where an ExpressRoute gateway is."""
    for network in users:
        beside = [each for each in gateways if each.network == network.name and each.kind is GatewayKind.EXPRESSROUTE]
        if route.next_hop == BY_GATEWAY and beside:
            text = (
                f"next hop {BY_GATEWAY} does nothing in {network.name}, which has an ExpressRoute gateway "
                f"({beside[0].name}): steer by BGP, with a more specific prefix told over the tunnel"
            )
            reading.problems.add((*path, "next_hop"), text)


def _route(name: str, raw: RawUserRoute, path: Path, reading: Reading) -> UserRoute | None:
    problems = reading.problems
    prefix = reading.prefix(raw.prefix, (*path, "prefix"))
    next_hop = reading.word(raw.next_hop, NEXT_HOPS, (*path, "next_hop"))
    address = reading.address(raw.next_hop_ip, (*path, "next_hop_ip"))
    if next_hop == WITH_ADDRESS and raw.next_hop_ip is None:
        problems.add(path, f"next hop {WITH_ADDRESS} needs `next_hop_ip:`, the appliance's address")
    elif next_hop not in (WITH_ADDRESS, None) and raw.next_hop_ip is not None:
        problems.add((*path, "next_hop_ip"), f"next hop {next_hop} has no address; only {WITH_ADDRESS} has")
    if next_hop == "Internet":
        problems.warn((*path, "next_hop"), f"there is no Internet here: what {name} sends there is dropped")
    if address is not None and next_hop == WITH_ADDRESS:
        _check_appliance(address, path, reading)
    if prefix is None or next_hop is None:
        return None
    return UserRoute(name=name, prefix=prefix, next_hop=next_hop, address=address)


def _check_appliance(address: object, path: Path, reading: Reading) -> None:
    owners = [link for link in reading.links for end in link.ends for own in end.addresses if own.ip == address]
    if not owners:
        reading.problems.add((*path, "next_hop_ip"), f"{address} is no node's address on a link; name the appliance's")
