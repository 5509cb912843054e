"""Looking at a lab that runs as Azure's portal looks at a network: ports, circuits, ARP, effective routes and filters.

What can be measured is measured, in the node that it is about; the rest is what the topology says.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from lab.errors import InputError
from lab.holder.client import Client
from lab.holder.inside import do_inside
from lab.host.entering import Entrance
from lab.host.tables import arp_table
from lab.model.link import Interface, Link
from lab.model.resources import Circuit, Port
from lab.model.roles import Role
from lab.model.topology import Topology

Row = dict[str, Any]
_MAIN_TABLE = 254


def ports(client: Client, topology: Topology, name: str | None) -> list[Row]:
    """Each link of each port pair: whether it is switched on, and whether its line is up at Microsoft's end."""
    chosen = _chosen(topology.resources.ports, name, "port pair")
    ends = {segment: _microsofts(topology.link(segment), topology) for port in chosen for segment in port.segments}
    lines = _measure(client, ends)
    return [
        _port_link(port, i, topology.link(segment), lines) for port in chosen for i, segment in enumerate(port.segments)
    ]


def _port_link(port: Port, index: int, link: Link, lines: Mapping[str, Row]) -> Row:
    return {
        "port": port.name,
        "link": f"link{index + 1}",
        "segment": link.segment,
        "bandwidth_gbps": port.bandwidth_gbps,
        "encapsulation": port.encapsulation,
        "admin_state": "Enabled" if port.enabled[index] else "Disabled",
        "line_protocol": "Up" if lines[link.segment]["line"] else "Down",
        "macsec_cipher": None if link.macsec is None else link.macsec.cipher_suite,
        "provisioning_state": "Succeeded",
    }


def circuits(client: Client, topology: Topology, name: str | None) -> list[Row]:
    """Each circuit: which connection type it is, and how each of its links is."""
    chosen = _chosen(topology.resources.circuits, name, "circuit")
    ends = {s: _microsofts(topology.link(s), topology) for circuit in chosen for s in circuit.segments}
    lines = _measure(client, ends)
    return [_circuit(circuit, topology, lines) for circuit in chosen]


def _circuit(circuit: Circuit, topology: Topology, lines: Mapping[str, Row]) -> Row:
    up = [lines[segment]["line"] for segment in circuit.segments]
    enabled = [topology.resources.is_enabled(segment) for segment in circuit.segments]
    return {
        "circuit": circuit.name,
        "connection_type": "ExpressRoute Direct" if circuit.port else "Circuit of a provider",
        "port": circuit.port,
        "provider": circuit.provider,
        "bandwidth_mbps": circuit.bandwidth_mbps,
        "sku": f"{circuit.tier}_{circuit.family}",
        "circuit_provisioning_state": "Enabled",
        # A provider has done its part when a line of the circuit's is up.
        "provider_provisioning_state": "Provisioned" if any(up) else "NotProvisioned",
        "peering": None if circuit.peering is None else ", ".join(map(str, circuit.peering.subnets)),
        "vlan_id": None if circuit.peering is None else circuit.peering.vlan_id,
        "links": [
            {
                "path": path,
                "segment": segment,
                "admin_state": "Enabled" if on else "Disabled",
                "line_protocol": "Up" if lines[segment]["line"] else "Down",
                "arp": "Resolved" if lines[segment]["arp"] else "Incomplete",
                "macsec": topology.link(segment).macsec is not None,
            }
            for path, segment, on in zip(("primary", "secondary"), circuit.segments, enabled, strict=False)
        ],
    }


def _chosen(known: Sequence[Any], name: str | None, what: str) -> list[Any]:
    names = ", ".join(each.name for each in known)
    if not known:
        raise InputError(f"this topology has no {what}; it would be under `azure:`")
    chosen = [each for each in known if name in (None, each.name)]
    if not chosen:
        raise InputError(f"there is no {what} {name!r}; there are {names}")
    return chosen


def _microsofts(link: Link, topology: Topology) -> Interface:
    """Microsoft's end of a link, else the second one."""
    return next((end for end in link.ends if topology.node(end.node).role is Role.MSEE), link.b)


def _measure(client: Client, ends: Mapping[str, Interface]) -> dict[str, Row]:
    """Of each end: whether its line is up, and whether somebody at the other one has answered."""
    nodes = sorted({end.node for end in ends.values()})
    measured: dict[str, Row] = do_inside(client, nodes, functools.partial(_ends, ends))
    return measured


def _ends(ends: Mapping[str, Interface], entrance: Entrance) -> dict[str, Row]:
    from lab.host.devices import has_link

    found = {}
    for segment, end in ends.items():
        with entrance.nodes[end.node].visit(entrance.home):
            resolved = [each for each in arp_table() if each.device == end.addressed_device and each.mac]
            line = has_link(end.device)
            # What was learned stays in the kernel's table when a wire is cut, and is of no use.
            found[segment] = {"line": line, "arp": line and bool(resolved)}
    return found


def arp(client: Client, topology: Topology, segment: str | None) -> list[Row]:
    """The ARP table of both ends of each link."""
    links = {link.segment: link for link in topology.links}
    if segment is not None and segment not in links:
        raise InputError(f"there is no segment {segment!r}; there are {', '.join(links)}")
    chosen = [link for name, link in links.items() if segment in (None, name)]
    ends = [end for link in chosen for end in link.ends]
    nodes = sorted({end.node for end in ends})
    tables = do_inside(client, nodes, functools.partial(_arp_tables, nodes))
    lines = _measure(client, {f"{end.node}:{end.device}": end for end in ends})
    rows = []
    for link in chosen:
        for end in link.ends:
            other = link.other_end(end.node)
            known = {
                each["address"]: each["mac"] for each in tables[end.node] if each["device"] == end.addressed_device
            }
            for address in other.addresses:
                if address.version == 4:
                    is_up = lines[f"{end.node}:{end.device}"]["line"]
                    rows.append(_arp(link, end, other, str(address.ip), known, is_up=is_up))
    return rows


def _arp_tables(nodes: Sequence[str], entrance: Entrance) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for node in nodes:
        with entrance.nodes[node].visit(entrance.home):
            found[node] = [{"device": each.device, "address": each.address, "mac": each.mac} for each in arp_table()]
    return found


def _arp(
    link: Link, end: Interface, other: Interface, address: str, known: Mapping[str, str | None], *, is_up: bool
) -> Row:
    mac = known.get(address)
    expected = str(other.mac)
    state = "not asked for" if address not in known else "incomplete" if mac is None else "resolved"
    if not is_up:
        state = "the line is down"
    elif mac is not None and mac.lower() != expected.lower():
        state = f"answered by somebody else; {other.node} has {expected}"
    return {
        "segment": link.segment,
        "node": end.node,
        "device": end.addressed_device,
        "address": address,
        "of": other.node,
        "mac": mac,
        "state": state,
    }


def routes(client: Client, topology: Topology, node: str) -> list[Row]:
    """The routes that decide where a node's packets go: for a workload those of its subnet, at the subnet's router."""
    _node(topology, node)
    where, table, users = _deciding(topology, node)
    work = functools.partial(_kernel_routes, where, sorted({table, _MAIN_TABLE}))
    tables = do_inside(client, [where], work)
    rows = [_effective(row, where, topology, users) for row in tables[str(table)]]
    if table != _MAIN_TABLE:
        overridden = {row["prefix"] for row in rows if row["source"] == "User"}
        for row in tables[str(_MAIN_TABLE)]:
            if row["prefix"] in overridden:
                rows.append({**_effective(row, where, topology, {}), "state": "Invalid"})
    return rows


def _node(topology: Topology, node: str) -> None:
    names = [each.name for each in topology.nodes]
    if node not in names:
        raise InputError(f"there is no node {node!r}; there are {', '.join(names)}")


def _deciding(topology: Topology, node: str) -> tuple[str, int, dict[str, str]]:
    """Whose routes decide, in which table, and which next hops the route table has for which prefixes."""
    from lab.topology.enforcement import routed_subnets

    own = [address.ip for _, end in topology.interfaces(node) for address in end.addresses]
    for router, subnet in routed_subnets(topology):
        if topology.node(node).role is not Role.VNET_GATEWAY and any(address in subnet.prefix for address in own):
            table = topology.resources.route_table(str(subnet.route_table))
            return router, table.number, {str(route.prefix): route.next_hop for route in table.routes}
    if topology.node(node).role is Role.WORKLOAD:
        for link, end in topology.interfaces(node):
            other = link.other_end(end.node)
            if topology.node(other.node).role is Role.VNET_GATEWAY:
                return other.node, _MAIN_TABLE, {}
    return node, _MAIN_TABLE, {}


def _kernel_routes(node: str, tables: Sequence[int], entrance: Entrance) -> dict[str, list[Row]]:
    from dataclasses import asdict

    from lab.host.netlink import Netlink

    with entrance.nodes[node].visit(entrance.home):
        netlink = Netlink()
        return {str(table): [asdict(route) for route in netlink.routes(table)] for table in tables}


_SOURCES = {"kernel": "Default", "static": "Static", "bird": "BGP"}


def _effective(row: Row, node: str, topology: Topology, users: Mapping[str, str]) -> Row:
    """In Azure's words at a virtual network's router, else in plain ones."""
    is_azure = topology.node(node).role is Role.VNET_GATEWAY
    hops = [via or device for via, device in row["hops"]]
    devices = [device for _, device in row["hops"]]
    source, kind = _SOURCES.get(row["origin"], row["origin"]), row["kind"]
    if row["prefix"] in users:
        source, kind = "User", users[row["prefix"]]
    elif is_azure and row["kind"] == "unicast":
        by_gateway = any(via for via, _ in row["hops"])
        source, kind = ("VirtualNetworkGateway", "VirtualNetworkGateway") if by_gateway else ("Default", "VnetLocal")
    return {
        "at": node,
        "source": source,
        "state": "Invalid" if row["is_down"] else "Active",
        "prefix": row["prefix"],
        "next_hop_type": kind,
        "next_hops": hops,
        "devices": devices,
        "origin": row["origin"],
    }


def filters(client: Client, topology: Topology, node: str) -> list[Row]:
    """The rules by which a node's device is filtered, in the order in which they are tried, with what each decided."""
    from lab.topology.enforcement import filtered_ends

    _node(topology, node)
    ends = [(end, subnet) for end, subnet in filtered_ends(topology) if end.node == node]
    if not ends:
        return []
    counted = do_inside(client, [node], functools.partial(_counts, node))
    rows = []
    for end, subnet in ends:
        group = topology.resources.security_group(str(subnet.security_group))
        for rule in group.rules:
            count = counted.get(f"{end.addressed_device} {rule.direction} {rule.name}", [0, 0])
            rows.append(
                {
                    "device": end.addressed_device,
                    "subnet": subnet.name,
                    "group": group.name,
                    "rule": rule.name,
                    "priority": rule.priority,
                    "direction": str(rule.direction),
                    "access": "Allow" if rule.allow else "Deny",
                    "protocol": rule.protocol,
                    "source": rule.written[0],
                    "source_prefixes": _listed(rule.sources),
                    "source_ports": _ranges(rule.source_ports),
                    "destination": rule.written[1],
                    "destination_prefixes": _listed(rule.destinations),
                    "destination_ports": _ranges(rule.destination_ports),
                    "packets": count[0],
                    "octets": count[1],
                }
            )
    return sorted(rows, key=lambda row: (row["device"], row["direction"], row["priority"]))


def _counts(node: str, entrance: Entrance) -> dict[str, list[int]]:
    from lab.host.filters import counts

    with entrance.nodes[node].visit(entrance.home):
        return {f"{count.device} {count.direction} {count.rule}": [count.packets, count.octets] for count in counts()}


def _listed(networks: Sequence[object] | None) -> list[str]:
    return ["*"] if networks is None else [str(network) for network in networks]


def _ranges(ports: Sequence[tuple[int, int]] | None) -> list[str]:
    return ["*"] if ports is None else [str(low) if low == high else f"{low}-{high}" for low, high in ports]
