"""What may be written of Azure's resources in a topology file, in Azure's words."""

from __future__ import annotations

from pydantic import Field

from lab.topology.written import Texts, Written


class RawPort(Written):
    """A port pair of ExpressRoute Direct."""

    links: list[str | None] = Field(examples=["links: [ce--msee1, ce--msee2]"])
    bandwidth: int = Field(examples=["bandwidth: 100"])
    encapsulation: str = Field(examples=["encapsulation: QinQ"])
    admin_state: dict[str, str] = Field(default={}, examples=["admin_state: {link1: Enabled, link2: Enabled}"])


class RawPeering(Written):
    """A circuit's private peering."""

    peer_asn: int = Field(examples=["peer_asn: 65001"])
    vlan_id: int = Field(examples=["vlan_id: 100"])
    primary: str = Field(examples=["primary: 172.16.0.0/30"])
    secondary: str = Field(examples=["secondary: 172.16.0.4/30"])
    shared_key: str | None = Field(default=None, examples=["shared_key: https://VAULT.vault.azure.net/secrets/SECRET"])


class RawCircuit(Written):
    """An ExpressRoute circuit."""

    port: str | None = Field(default=None, examples=["port: er-direct-ports"])
    provider: str | None = Field(default=None, examples=["provider: Equinix"])
    links: list[str | None] | None = Field(default=None, examples=["links: [provider1--msee1, provider2--msee2]"])
    bandwidth: int = Field(examples=["bandwidth: 1000"])
    sku_tier: str = Field(default="Standard", examples=["sku_tier: Standard"])
    sku_family: str = Field(default="MeteredData", examples=["sku_family: MeteredData"])
    peering: RawPeering | None = Field(default=None, examples=["peering: {peer_asn: 65001, vlan_id: 100, ...}"])


class RawSubnet(Written):
    """A subnet of a virtual network."""

    prefix: str = Field(examples=["prefix: 10.0.2.0/24"])
    route_table: str | None = Field(default=None, examples=["route_table: rt-vpn-traffic"])
    network_security_group: str | None = Field(default=None, examples=["network_security_group: nsg-workloads"])


class RawNetwork(Written):
    """A virtual network."""

    address_space: Texts = Field(examples=["address_space: [10.0.0.0/16]"])
    subnets: dict[str, RawSubnet | None] = Field(examples=["subnets: {GatewaySubnet: {prefix: 10.0.1.0/27}}"])


class RawGateway(Written):
    """A virtual network gateway."""

    type: str = Field(examples=["type: Vpn"])
    sku: str = Field(examples=["sku: VpnGw2AZ"])
    node: str = Field(examples=["node: vnet-gateway"])
    virtual_network: str = Field(examples=["virtual_network: vnet-hub"])
    vpn_type: str = Field(default="RouteBased", examples=["vpn_type: RouteBased"])
    private_ip: bool = Field(default=False, examples=["private_ip: true"])


class RawLocalGateway(Written):
    """A local network gateway: what Azure knows of the on-premises device."""

    address: str = Field(examples=["address: 203.0.113.1"])
    prefixes: Texts = Field(default=[], examples=["prefixes: [192.168.0.0/16]"])
    asn: int | None = Field(default=None, examples=["asn: 65001"])
    bgp_peering_address: str | None = Field(default=None, examples=["bgp_peering_address: 192.168.1.1"])


class RawConnection(Written):
    """A connection of a gateway."""

    type: str = Field(examples=["type: IPsec"])
    gateway: str = Field(examples=["gateway: vpn-gateway-hub"])
    circuit: str | None = Field(default=None, examples=["circuit: er-circuit"])
    local_network_gateway: str | None = Field(default=None, examples=["local_network_gateway: lng-onpremises"])
    enable_bgp: bool = Field(default=False, examples=["enable_bgp: true"])
    use_local_azure_ip_address: bool = Field(default=False, examples=["use_local_azure_ip_address: true"])


class RawUserRoute(Written):
    """A user-defined route."""

    prefix: str = Field(examples=["prefix: 192.168.0.0/16"])
    next_hop: str = Field(examples=["next_hop: VirtualAppliance"])
    next_hop_ip: str | None = Field(default=None, examples=["next_hop_ip: 10.0.2.5"])


class RawRouteTable(Written):
    """A route table."""

    routes: dict[str, RawUserRoute | None] = Field(
        default={}, examples=["routes: {NAME: {prefix: ..., next_hop: ...}}"]
    )
    bgp_propagation: bool = Field(default=True, examples=["bgp_propagation: true"])


class RawFilterRule(Written):
    """A rule of a network security group."""

    priority: int = Field(examples=["priority: 100"])
    direction: str = Field(examples=["direction: Inbound"])
    access: str = Field(examples=["access: Allow"])
    protocol: str = Field(default="*", examples=["protocol: Tcp"])
    source: Texts = Field(default=["*"], examples=["source: VirtualNetwork"])
    source_ports: list[str | int | None] = Field(default=["*"], examples=["source_ports: [1024-65535]"])
    destination: Texts = Field(default=["*"], examples=["destination: 10.0.2.0/24"])
    destination_ports: list[str | int | None] = Field(default=["*"], examples=["destination_ports: [443]"])


class RawSecurityGroup(Written):
    """A network security group."""

    rules: dict[str, RawFilterRule | None] = Field(default={}, examples=["rules: {NAME: {priority: 100, ...}}"])


class RawAzure(Written):
    """Azure's resources."""

    ports: dict[str, RawPort | None] = Field(default={}, examples=["ports: {er-direct-ports: {...}}"])
    circuits: dict[str, RawCircuit | None] = Field(default={}, examples=["circuits: {er-circuit: {...}}"])
    virtual_networks: dict[str, RawNetwork | None] = Field(default={}, examples=["virtual_networks: {vnet-hub: {...}}"])
    gateways: dict[str, RawGateway | None] = Field(default={}, examples=["gateways: {vpn-gateway-hub: {...}}"])
    local_network_gateways: dict[str, RawLocalGateway | None] = Field(
        default={}, examples=["local_network_gateways: {lng-onpremises: {...}}"]
    )
    connections: dict[str, RawConnection | None] = Field(default={}, examples=["connections: {er-connection: {...}}"])
    route_tables: dict[str, RawRouteTable | None] = Field(default={}, examples=["route_tables: {rt-1: {...}}"])
    network_security_groups: dict[str, RawSecurityGroup | None] = Field(
        default={}, examples=["network_security_groups: {nsg-1: {...}}"]
    )
