"""Virtual networks and their subnets."""

from __future__ import annotations

from netaddr import IPNetwork

from lab.azure.network import (
    GATEWAY_SUBNET,
    GATEWAY_SUBNET_LONGEST_PREFIX,
    LONGEST_PREFIX,
    RESERVED_FIRST,
)
from lab.azure.security_group import NOT_AT_GATEWAYS
from lab.model.resources import Subnet, VirtualNetwork
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.raw_azure import RawNetwork, RawSubnet
from lab.topology.resources.reading import Reading


def read_networks(reading: Reading) -> tuple[VirtualNetwork, ...]:
    """Every virtual network."""
    networks = tuple(_read(name, raw, reading) for name, raw in reading.raw.virtual_networks.items() if raw is not None)
    _check_overlaps(networks, reading)
    for network in networks:
        _check_hosts(network, reading)
    return networks


def _read(name: str, raw: RawNetwork, reading: Reading) -> VirtualNetwork:
    path: Path = ("azure", "virtual_networks", name)
    space = [reading.prefix(text, (*path, "address_space", i)) for i, text in enumerate(raw.address_space)]
    if not raw.address_space:
        reading.problems.add((*path, "address_space"), f"{name} has no addresses; write `address_space: [10.0.0.0/16]`")
    known = tuple(prefix for prefix in space if prefix is not None)
    subnets: list[Subnet] = []
    for subnet_name, subnet in raw.subnets.items():
        where = (*path, "subnets", subnet_name)
        if subnet is None or (read := _subnet(subnet_name, subnet, where, reading)) is None:
            continue
        if known and not any(read.prefix in prefix for prefix in known):
            text = f"{read.prefix} is not in the address space of {name}, {', '.join(map(str, known))}"
            reading.problems.add((*where, "prefix"), text)
        for other in subnets:
            if read.prefix in other.prefix or other.prefix in read.prefix:
                text = f"{read.prefix} overlaps with {other.prefix} of {other.name}; each subnet has its own addresses"
                reading.problems.add((*where, "prefix"), text)
        subnets.append(read)
    return VirtualNetwork(name=name, address_space=known, subnets=tuple(subnets))


def _subnet(name: str, raw: RawSubnet, path: Path, reading: Reading) -> Subnet | None:
    problems = reading.problems
    prefix = reading.prefix(raw.prefix, (*path, "prefix"))
    table = reading.named(raw.route_table, reading.raw.route_tables, "route table", (*path, "route_table"))
    group = reading.named(
        raw.network_security_group,
        reading.raw.network_security_groups,
        "network security group",
        (*path, "network_security_group"),
    )
    if name.lower() == GATEWAY_SUBNET.lower():
        _check_gateway_subnet(name, raw, path, reading)
    if prefix is None:
        return None
    if prefix.prefixlen > LONGEST_PREFIX:
        problems.add((*path, "prefix"), f"{prefix} is too small; a subnet is a /{LONGEST_PREFIX} or larger")
    return Subnet(name=name, prefix=prefix, route_table=table, security_group=group)


def _check_gateway_subnet(name: str, raw: RawSubnet, path: Path, reading: Reading) -> None:
    problems = reading.problems
    if name != GATEWAY_SUBNET:
        problems.add(path, f"gateways go into a subnet that is called {GATEWAY_SUBNET}, not {name}")
    if raw.network_security_group is not None:
        text = f"no network security group goes to the {GATEWAY_SUBNET} (Azure: {NOT_AT_GATEWAYS}); take it away"
        problems.add((*path, "network_security_group"), text)
    table = reading.raw.route_tables.get(raw.route_table or "")
    if table is None:
        return
    if not table.bgp_propagation:
        text = f"the {GATEWAY_SUBNET} needs what its gateways learn; {raw.route_table} has `bgp_propagation: false`"
        problems.add((*path, "route_table"), text)
    if any(route is not None and route.prefix == "0.0.0.0/0" for route in table.routes.values()):
        text = f"the {GATEWAY_SUBNET} takes no route for 0.0.0.0/0: {raw.route_table} has one, which would cut it off"
        problems.add((*path, "route_table"), text)


def check_gateway_subnet_size(network: VirtualNetwork, reading: Reading) -> None:
    """A VPN gateway and an ExpressRoute gateway beside each other need room."""
    for subnet in network.subnets:
        if subnet.name == GATEWAY_SUBNET and subnet.prefix.prefixlen > GATEWAY_SUBNET_LONGEST_PREFIX:
            text = (
                f"{subnet.prefix} is too small for a VPN gateway beside an ExpressRoute gateway; a {GATEWAY_SUBNET} "
                f"for both is a /{GATEWAY_SUBNET_LONGEST_PREFIX} or larger"
            )
            path = ("azure", "virtual_networks", network.name, "subnets", GATEWAY_SUBNET, "prefix")
            reading.problems.add(path, text)


def _check_overlaps(networks: tuple[VirtualNetwork, ...], reading: Reading) -> None:
    seen: list[tuple[IPNetwork, VirtualNetwork]] = []
    for network in networks:
        for prefix in network.address_space:
            for other, owner in seen:
                if owner is not network and (prefix in other or other in prefix):
                    text = f"{prefix} overlaps with {other} of {owner.name}; networks that are connected may not"
                    reading.problems.add(("azure", "virtual_networks", network.name, "address_space"), text)
            seen.append((prefix, network))


def _check_hosts(network: VirtualNetwork, reading: Reading) -> None:
    """Workloads lie in a subnet, and have none of the addresses that are Azure's own."""
    for node, role in reading.roles.items():
        for address in reading.own_addresses(node) if role is Role.WORKLOAD else ():
            subnet = next((each for each in network.subnets if address.ip in each.prefix), None)
            if subnet is None:
                if any(address.ip in prefix for prefix in network.address_space):
                    text = f"{address.ip} of {node} lies in no subnet of {network.name}; write the subnet"
                    reading.problems.add(("azure", "virtual_networks", network.name, "subnets"), text)
                continue
            offset = int(address.ip) - subnet.prefix.first
            if offset < RESERVED_FIRST or int(address.ip) == subnet.prefix.last:
                first = subnet.prefix[RESERVED_FIRST]
                text = (
                    f"{address.ip} of {node} is Azure's own: of {subnet.prefix} the first {RESERVED_FIRST} addresses "
                    f"and the last are; the first host is {first}"
                )
                reading.problems.add(("nodes", node), text)
