"""Azure's resources as a topology has them: what Azure knows, beside the nodes and links that do the work."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from lab.model.filters import SecurityGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A port pair of ExpressRoute Direct: two segments, each switched on or off. `bandwidth_gbps` is that of one."""

    name: str
    segments: tuple[str, ...]
    bandwidth_gbps: int
    encapsulation: str
    enabled: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peering:
    """A circuit's private peering: a /30 for each of its links, the primary's first."""

    peer_asn: int
    vlan_id: int
    subnets: tuple[IPNetwork, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A circuit, on a port pair or of a provider; each of its segments carries up to its bandwidth each way."""

    name: str
    port: str | None
    provider: str | None
    segments: tuple[str, ...]
    bandwidth_mbps: int
    tier: str
    family: str
    peering: Peering | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A subnet, with the names of what is attached to it."""

    name: str
    prefix: IPNetwork
    route_table: str | None
    security_group: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNetwork:
    """A virtual network."""

    name: str
    address_space: tuple[IPNetwork, ...]
    subnets: tuple[Subnet, ...]


class GatewayKind(enum.StrEnum):
    """What a virtual network gateway is for."""

    VPN = "Vpn"
    EXPRESSROUTE = "ExpressRoute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A virtual network gateway, and the node that does its work.

    `mbps` and `tunnels` are its size's; `tunnel_mbps` is what one tunnel carries with an AEAD cipher, and with another
    one. 0: no limit.
    """

    name: str
    kind: GatewayKind
    sku: str
    node: str
    network: str
    private_ip: bool
    mbps: int
    tunnels: int
    tunnel_mbps: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalGateway:
    """What Azure knows of an on-premises VPN device."""

    name: str
    address: IPAddress
    prefixes: tuple[IPNetwork, ...]
    asn: int | None
    bgp_peering_address: IPAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A connection of a gateway, with a circuit or with a local network gateway."""

    name: str
    kind: str
    gateway: str
    circuit: str | None
    local_gateway: str | None
    bgp: bool
    private: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRoute:
    """A route of a route table. `address` is a virtual appliance's."""

    name: str
    prefix: IPNetwork
    next_hop: str
    address: IPAddress | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """A route table, which is the kernel's table of that `number`.

    `propagates` says whether it has what gateways learned, too.
    """

    name: str
    number: int
    routes: tuple[UserRoute, ...]
    propagates: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """All of a topology."""

    ports: tuple[Port, ...] = ()
    circuits: tuple[Circuit, ...] = ()
    networks: tuple[VirtualNetwork, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    local_gateways: tuple[LocalGateway, ...] = ()
    connections: tuple[Connection, ...] = ()
    route_tables: tuple[RouteTable, ...] = ()
    security_groups: tuple[SecurityGroup, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the topology says nothing of Azure."""
        return self == Resources()

    def vpn_gateway_at(self, node: str) -> Gateway | None:
        """The VPN gateway whose work a node does."""
        return next((each for each in self.gateways if each.node == node and each.kind is GatewayKind.VPN), None)

    def port_of(self, segment: str) -> Port | None:
        """The port pair of which a segment is a link."""
        return next((port for port in self.ports if segment in port.segments), None)

    def circuits_of(self, segment: str) -> tuple[Circuit, ...]:
        """The circuits that go over a segment."""
        return tuple(circuit for circuit in self.circuits if segment in circuit.segments)

    def is_enabled(self, segment: str) -> bool:
        """Whether a segment is on: it is, unless it is a link of a port and switched off there."""
        port = self.port_of(segment)
        return port is None or port.enabled[port.segments.index(segment)]

    def subnet_of(self, address: IPAddress) -> Subnet | None:
        """The subnet in which an address lies."""
        subnets = (subnet for network in self.networks for subnet in network.subnets)
        return next((subnet for subnet in subnets if address in subnet.prefix), None)

    def route_table(self, name: str) -> RouteTable:
        """The route table of that name."""
        return next(table for table in self.route_tables if table.name == name)

    def security_group(self, name: str) -> SecurityGroup:
        """The network security group of that name."""
        return next(group for group in self.security_groups if group.name == name)
