"""All of Azure's resources that a topology has, in the order in which one needs another."""

from __future__ import annotations

from lab.model.resources import Resources
from lab.topology.resources.circuits import read_circuits
from lab.topology.resources.connections import read_connections, read_local_gateways
from lab.topology.resources.gateways import read_gateways
from lab.topology.resources.networks import read_networks
from lab.topology.resources.ports import read_ports
from lab.topology.resources.reading import Reading
from lab.topology.resources.route_tables import read_route_tables
from lab.topology.resources.security_groups import read_security_groups


def read_resources(reading: Reading) -> Resources:
    """Everything under `azure:`."""
    ports = read_ports(reading)
    circuits = read_circuits(reading, {port.name: port for port in ports})
    networks = read_networks(reading)
    gateways = read_gateways(reading, {network.name: network for network in networks})
    local_gateways = read_local_gateways(reading, networks)
    connections = read_connections(
        reading,
        {gateway.name: gateway for gateway in gateways},
        {gateway.name: gateway for gateway in local_gateways},
    )
    return Resources(
        ports=ports,
        circuits=circuits,
        networks=networks,
        gateways=gateways,
        local_gateways=local_gateways,
        connections=connections,
        route_tables=read_route_tables(reading, networks, gateways),
        security_groups=read_security_groups(reading, networks, local_gateways),
    )
