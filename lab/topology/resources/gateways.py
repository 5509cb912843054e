"""Virtual network gateways: sizes, what each kind may be, and what two beside each other may not."""

from __future__ import annotations

from collections.abc import Mapping

from netaddr import IPAddress, IPRange

from lab.azure import expressroute_gateway
from lab.azure.bgp import APIPA
from lab.azure.network import GATEWAY_SUBNET, RESERVED_FIRST
from lab.azure.vpn_gateway import SKUS, VPN_TYPES
from lab.model.resources import Gateway, GatewayKind, VirtualNetwork
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.problems import near
from lab.topology.raw_azure import RawGateway
from lab.topology.resources.networks import check_gateway_subnet_size
from lab.topology.resources.reading import Reading


def read_gateways(reading: Reading, networks: Mapping[str, VirtualNetwork]) -> tuple[Gateway, ...]:
    """Every gateway."""
    gateways = [
        gateway
        for name, raw in reading.raw.gateways.items()
        if raw is not None and (gateway := _read(name, raw, reading, networks))
    ]
    for network in networks.values():
        _check_beside(network, [gateway for gateway in gateways if gateway.network == network.name], reading)
    return tuple(gateways)


def _read(name: str, raw: RawGateway, reading: Reading, networks: Mapping[str, VirtualNetwork]) -> Gateway | None:
    path: Path = ("azure", "gateways", name)
    kind = reading.word(raw.type, tuple(GatewayKind), (*path, "type"))
    _check_node(raw, path, reading)
    network = networks.get(
        reading.named(raw.virtual_network, reading.raw.virtual_networks, "network", (*path, "virtual_network")) or ""
    )
    if network is not None:
        _check_subnet(name, raw, network, path, reading)
    if kind is None:
        return None
    sized = _vpn(name, raw, path, reading) if kind == GatewayKind.VPN else _expressroute(name, raw, path, reading)
    if sized is None or network is None:
        return None
    mbps, tunnels = sized
    sku = SKUS[raw.sku] if kind == GatewayKind.VPN else None
    return Gateway(
        name=name,
        kind=GatewayKind(kind),
        sku=raw.sku,
        node=raw.node,
        network=network.name,
        private_ip=raw.private_ip,
        mbps=mbps,
        tunnels=tunnels,
        tunnel_mbps=(sku.gcm_mbps, sku.cbc_mbps) if sku else (0, 0),
    )


def _check_node(raw: RawGateway, path: Path, reading: Reading) -> None:
    role = reading.roles.get(raw.node)
    if raw.node not in reading.roles:
        reading.problems.add((*path, "node"), f"there is no node {raw.node!r}; {near(raw.node, reading.roles)}")
    elif role is not None and role is not Role.VNET_GATEWAY:
        text = f"{raw.node} is of role {role}; a gateway's work is done by a node of role vnet-gateway"
        reading.problems.add((*path, "node"), text)


def _check_subnet(name: str, raw: RawGateway, network: VirtualNetwork, path: Path, reading: Reading) -> None:
    subnet = next((each for each in network.subnets if each.name == GATEWAY_SUBNET), None)
    if subnet is None:
        if not any(each.name.lower() == GATEWAY_SUBNET.lower() for each in network.subnets):
            text = f"{network.name} has no subnet {GATEWAY_SUBNET}, and {name} can be nowhere else; write one, a /27"
            reading.problems.add((*path, "virtual_network"), text)
        return
    own = [address.ip for address in reading.own_addresses(raw.node)]
    inside = [address for address in own if address in subnet.prefix]
    if own and not inside:
        text = f"{raw.node} has no address in the {GATEWAY_SUBNET}, {subnet.prefix}; give it one, as {subnet.prefix[4]}"
        reading.problems.add((*path, "node"), text)
    speaker = reading.speakers.get(raw.node)
    peering = None if speaker is None else speaker.peering_address
    if peering is None:
        return
    if raw.type != GatewayKind.VPN:
        return
    custom = peering in IPRange(*APIPA)
    if not custom and not _is_allocated(peering, subnet.prefix.first, subnet.prefix.last):
        text = (
            f"{peering} cannot be the BGP address of {name}: Azure takes one of its {GATEWAY_SUBNET}, {subnet.prefix}, "
            f"itself, and a custom one is of {APIPA[0]} to {APIPA[1]}"
        )
        reading.problems.add(("nodes", raw.node, "bgp", "peering_address"), text)


def _is_allocated(address: IPAddress, first: int, last: int) -> bool:
    return first + RESERVED_FIRST <= int(address) < last


def _vpn(name: str, raw: RawGateway, path: Path, reading: Reading) -> tuple[int, int] | None:
    problems = reading.problems
    reading.word(raw.vpn_type, VPN_TYPES, (*path, "vpn_type"))
    sku = SKUS.get(raw.sku)
    if sku is None:
        problems.add((*path, "sku"), f"unknown sku {raw.sku!r} of a VPN gateway; {near(raw.sku, SKUS)}")
        return None
    if not sku.open_to_new:
        text = f"no {raw.sku} can be made any more; take {raw.sku}AZ, which is the same in all zones"
        problems.add((*path, "sku"), text)
    if raw.private_ip and not sku.zone_redundant:
        text = f"a {raw.sku} has no private address for tunnels; one with AZ has, as VpnGw2AZ"
        problems.add((*path, "private_ip"), text)
    if not sku.bgp and raw.node in reading.speakers:
        text = f"a {raw.sku} gateway speaks no BGP, and {raw.node} has `bgp:`; take VpnGw1AZ or more"
        problems.add((*path, "sku"), text)
    tunnels = [each.name for each in reading.connections if raw.node in [end.node for end in each.ends]]
    if len(tunnels) > sku.tunnels:
        text = (
            f"{name} is a {raw.sku}, which takes {sku.tunnels} tunnels, and {raw.node} has {len(tunnels)}: take "
            f"{tunnels[sku.tunnels]} away, or a larger sku"
        )
        problems.add((*path, "sku"), text)
    return sku.aggregate_mbps, sku.tunnels


def _expressroute(name: str, raw: RawGateway, path: Path, reading: Reading) -> tuple[int, int] | None:
    known = expressroute_gateway.SKUS
    if raw.private_ip:
        text = f"{name} is an ExpressRoute gateway and has no tunnels; `private_ip:` goes to the VPN gateway"
        reading.problems.add((*path, "private_ip"), text)
    if raw.sku not in known:
        text = f"unknown sku {raw.sku!r} of an ExpressRoute gateway; {near(raw.sku, known)}"
        reading.problems.add((*path, "sku"), text)
        return None
    return known[raw.sku], 0


def _check_beside(network: VirtualNetwork, gateways: list[Gateway], reading: Reading) -> None:
    """A virtual network has one gateway of each kind at most."""
    problems = reading.problems
    first: dict[GatewayKind, str] = {}
    for gateway in gateways:
        other = first.setdefault(gateway.kind, gateway.name)
        if other != gateway.name:
            text = f"{network.name} has a gateway of type {gateway.kind} already, {other}; it takes one of each type"
            problems.add(("azure", "gateways", gateway.name), text)
    if len(first) < len(GatewayKind):
        return
    check_gateway_subnet_size(network, reading)
    vpn = first[GatewayKind.VPN]
    raw = reading.raw.gateways[vpn]
    assert raw is not None
    path = ("azure", "gateways", vpn)
    beside = f"beside {first[GatewayKind.EXPRESSROUTE]}"
    if raw.sku == "Basic":
        problems.add((*path, "sku"), f"a Basic VPN gateway cannot be {beside}; take VpnGw1AZ or more")
    if raw.vpn_type == "PolicyBased":
        problems.add((*path, "vpn_type"), f"a PolicyBased VPN gateway cannot be {beside}; write RouteBased")
