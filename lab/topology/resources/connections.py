"""Local network gateways, and connections: with a circuit, or with an on-premises device."""

from __future__ import annotations

from collections.abc import Mapping

from lab.azure.bgp import why_reserved
from lab.azure.vpn_gateway import SKUS
from lab.model.resources import Connection, Gateway, GatewayKind, LocalGateway, VirtualNetwork
from lab.topology.document import Path
from lab.topology.problems import near
from lab.topology.raw_azure import RawConnection, RawLocalGateway
from lab.topology.resources.reading import Reading

_KINDS = {"IPsec": GatewayKind.VPN, "ExpressRoute": GatewayKind.EXPRESSROUTE}


def read_local_gateways(reading: Reading, networks: tuple[VirtualNetwork, ...]) -> tuple[LocalGateway, ...]:
    """Every local network gateway."""
    return tuple(
        gateway
        for name, raw in reading.raw.local_network_gateways.items()
        if raw is not None and (gateway := _local(name, raw, reading, networks))
    )


def _local(
    name: str, raw: RawLocalGateway, reading: Reading, networks: tuple[VirtualNetwork, ...]
) -> LocalGateway | None:
    path: Path = ("azure", "local_network_gateways", name)
    problems = reading.problems
    address = reading.address(raw.address, (*path, "address"))
    peer = reading.address(raw.bgp_peering_address, (*path, "bgp_peering_address"))
    read = [reading.prefix(text, (*path, "prefixes", i)) for i, text in enumerate(raw.prefixes)]
    prefixes = tuple(prefix for prefix in read if prefix is not None)
    for prefix in prefixes:
        for network in networks:
            if any(prefix in own or own in prefix for own in network.address_space):
                text = f"{prefix} overlaps with the address space of {network.name}; what is on-premises is not in it"
                problems.add((*path, "prefixes"), text)
    if (raw.asn is None) != (raw.bgp_peering_address is None):
        problems.add(path, "BGP needs both, `asn:` and `bgp_peering_address:`, or neither")
    if raw.asn is not None and (why := why_reserved(raw.asn)):
        problems.add((*path, "asn"), why)
    if peer is not None and peer == address:
        text = f"{peer} is the device's tunnel address, too; the BGP peer is another one, inside the tunnel"
        problems.add((*path, "bgp_peering_address"), text)
    if peer is not None and prefixes and not any(p.prefixlen == 32 and p.ip == peer for p in prefixes):
        text = f"the BGP peer {peer} is reached through the tunnel only as a prefix of its own; add {peer}/32"
        problems.add((*path, "prefixes"), text)
    if address is None:
        return None
    return LocalGateway(name=name, address=address, prefixes=prefixes, asn=raw.asn, bgp_peering_address=peer)


def read_connections(
    reading: Reading,
    gateways: Mapping[str, Gateway],
    local_gateways: Mapping[str, LocalGateway],
) -> tuple[Connection, ...]:
    """Every connection."""
    return tuple(
        connection
        for name, raw in reading.raw.connections.items()
        if raw is not None and (connection := _read(name, raw, reading, gateways, local_gateways))
    )


def _read(
    name: str,
    raw: RawConnection,
    reading: Reading,
    gateways: Mapping[str, Gateway],
    local_gateways: Mapping[str, LocalGateway],
) -> Connection | None:
    path: Path = ("azure", "connections", name)
    problems = reading.problems
    kind = reading.word(raw.type, _KINDS, (*path, "type"))
    gateway = gateways.get(reading.named(raw.gateway, reading.raw.gateways, "gateway", (*path, "gateway")) or "")
    if kind is None or gateway is None:
        return None
    if gateway.kind is not _KINDS[kind]:
        text = f"{raw.gateway} is of type {gateway.kind}; a connection of type {kind} takes one of type {_KINDS[kind]}"
        problems.add((*path, "gateway"), text)
    if kind == "ExpressRoute":
        _check_expressroute(raw, path, reading)
    else:
        _check_ipsec(raw, gateway, path, reading, gateways, local_gateways)
    return Connection(
        name=name,
        kind=kind,
        gateway=gateway.name,
        circuit=raw.circuit,
        local_gateway=raw.local_network_gateway,
        bgp=raw.enable_bgp,
        private=raw.use_local_azure_ip_address,
    )


def _check_expressroute(raw: RawConnection, path: Path, reading: Reading) -> None:
    problems = reading.problems
    for name in ("local_network_gateway", "enable_bgp", "use_local_azure_ip_address"):
        if getattr(raw, name):
            problems.add((*path, name), f"{name!r} is for connections of type IPsec; take it away")
    if raw.circuit is None:
        problems.add(path, "a connection of type ExpressRoute needs `circuit:`")
    elif reading.named(raw.circuit, reading.raw.circuits, "circuit", (*path, "circuit")):
        written = reading.raw.circuits[raw.circuit]
        if written is not None and written.peering is None:
            text = f"{raw.circuit} has no private peering, and a gateway needs one; write `peering:` at the circuit"
            problems.add((*path, "circuit"), text)


def _check_ipsec(
    raw: RawConnection,
    gateway: Gateway,
    path: Path,
    reading: Reading,
    gateways: Mapping[str, Gateway],
    local_gateways: Mapping[str, LocalGateway],
) -> None:
    problems = reading.problems
    if raw.circuit is not None:
        problems.add((*path, "circuit"), "'circuit' is for connections of type ExpressRoute; take it away")
    if raw.local_network_gateway is None:
        problems.add(path, "a connection of type IPsec needs `local_network_gateway:`")
    known = reading.raw.local_network_gateways
    name = reading.named(raw.local_network_gateway, known, "local network gateway", (*path, "local_network_gateway"))
    local = local_gateways.get(name or "")
    if raw.enable_bgp and local is not None and local.asn is None:
        text = f"with `enable_bgp: true` {local.name} needs `asn:` and `bgp_peering_address:`"
        problems.add((*path, "enable_bgp"), text)
    if raw.enable_bgp and not SKUS[gateway.sku].bgp:
        problems.add((*path, "enable_bgp"), f"{gateway.name} is a {gateway.sku}, which speaks no BGP")
    speaker = reading.speakers.get(gateway.node)
    if raw.enable_bgp and local is not None and speaker is not None and local.asn == speaker.asn:
        text = f"{local.name} and {gateway.name} are both AS {local.asn}; on-premises differs from Azure"
        problems.add((*path, "enable_bgp"), text)
    _check_private(raw, gateway, path, reading, gateways)
    _check_tunnel(gateway, local, path, reading)


def _check_tunnel(gateway: Gateway, local: LocalGateway | None, path: Path, reading: Reading) -> None:
    """The tunnel itself is a connection of the same name, between the same two."""
    name, problems = str(path[-1]), reading.problems
    tunnel = next((each for each in reading.connections if each.name == name), None)
    if tunnel is None:
        known = near(name, [each.name for each in reading.connections])
        problems.add(path, f"no tunnel is called {name!r} under `connections:`, which makes it; {known}")
        return
    if gateway.node not in [end.node for end in tunnel.ends]:
        text = f"{name} does not end at {gateway.node}, which does the work of {gateway.name}"
        problems.add((*path, "gateway"), text)
    elif local is not None and tunnel.other_end(gateway.node).address != local.address:
        other = tunnel.other_end(gateway.node)
        text = f"{local.name} has address {local.address}, and {name} goes to {other.address} of {other.node}"
        problems.add((*path, "local_network_gateway"), text)


def _check_private(
    raw: RawConnection, gateway: Gateway, path: Path, reading: Reading, gateways: Mapping[str, Gateway]
) -> None:
    """Over private peering both switches are on: the gateway's private address, and its use by the connection."""
    problems = reading.problems
    beside = any(
        other.kind is GatewayKind.EXPRESSROUTE and other.network == gateway.network for other in gateways.values()
    )
    if raw.use_local_azure_ip_address and not gateway.private_ip:
        text = f"{gateway.name} has no private address to use; write `private_ip: true` there"
        problems.add((*path, "use_local_azure_ip_address"), text)
    elif raw.use_local_azure_ip_address and not beside:
        text = (
            f"nothing leads to the private address of {gateway.name}: its network has no ExpressRoute gateway, so "
            "there is no private peering"
        )
        problems.add((*path, "use_local_azure_ip_address"), text)
    elif not raw.use_local_azure_ip_address and beside:
        text = (
            "without `use_local_azure_ip_address: true` (and `private_ip: true` at the gateway) the tunnel goes over "
            "the Internet, past ExpressRoute, and there is no Internet here"
        )
        problems.add(path, text)
