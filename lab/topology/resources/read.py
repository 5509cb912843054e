"""All of Azure's resources that a topology has, in the order in which one needs another."""

from __future__ import annotations

from lab.model.resources import Resources
from lab.topology.document import Path
from lab.topology.naming import RESOURCE
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
    _check_names(reading)
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


def _check_names(reading: Reading) -> None:
    for kind in type(reading.raw).model_fields:
        for name, raw in getattr(reading.raw, kind).items():
            path: Path = ("azure", kind, name)
            _check_name(name, path, reading)
            for inner in ("subnets", "routes", "rules"):
                for within in getattr(raw, inner, {}):
                    _check_name(within, (*path, inner, within), reading)


def _check_name(name: str, path: Path, reading: Reading) -> None:
    if wrong := RESOURCE.wrong(name):
        reading.problems.add(path, wrong)
