"""`wireproof port`, `circuit`, `arp`, `routes`, `filters`: what Azure's portal shows of a network, of a lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lab.cli.console import note, print_json, print_table
from lab.cli.observe import json_option, lab_option
from lab.errors import ExitCode, InputError

if TYPE_CHECKING:
    from lab.host.state import LabFolder
    from lab.model.filters import FilterRule
    from lab.model.topology import Topology

_PROTOCOLS = {None: "*", 1: "Icmp", 6: "Tcp", 17: "Udp", 50: "Esp", 51: "Ah"}


@click.command("port")
@click.argument("name", required=False)
@lab_option
@json_option
def port_command(name: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Show each link of the port pair NAME, or of all: admin state, line protocol, provisioning state.

    Exits with 1 when a line that is Enabled is down.
    """
    from lab.holder.client import Client
    from lab.holder.looking import ports

    folder, topology = _lab(lab_name)
    with Client(folder) as client:
        rows = ports(client, topology, name)
    if as_json:
        print_json(rows)
    else:
        columns = (
            "port",
            "link",
            "segment",
            "Gb/s",
            "encapsulation",
            "admin state",
            "line protocol",
            "MACsec",
            "state",
        )
        print_table(columns, [tuple(row.values()) for row in rows])
    down = [row for row in rows if row["admin_state"] == "Enabled" and row["line_protocol"] == "Down"]
    return ExitCode.VIOLATED if down else ExitCode.OK


@click.command("circuit")
@click.argument("name", required=False)
@lab_option
@json_option
def circuit_command(name: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Show the circuit NAME, or all: Direct or a provider's, its bandwidth and peering, and how its links are.

    Exits with 1 when a line that is Enabled is down.
    """
    from lab.holder.client import Client
    from lab.holder.looking import circuits

    folder, topology = _lab(lab_name)
    with Client(folder) as client:
        rows = circuits(client, topology, name)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("circuit", "connection type", "of", "Mb/s", "sku", "circuit", "provider", "peering", "VLAN"),
            [(row["circuit"], row["connection_type"], row["port"] or row["provider"], row["bandwidth_mbps"], row["sku"],
              row["circuit_provisioning_state"], row["provider_provisioning_state"], row["peering"], row["vlan_id"])
             for row in rows],
        )  # fmt: skip
        print_table(
            ("circuit", "path", "segment", "admin state", "line protocol", "ARP", "MACsec"),
            [(row["circuit"], link["path"], link["segment"], link["admin_state"], link["line_protocol"], link["arp"],
              "yes" if link["macsec"] else "no") for row in rows for link in row["links"]],
        )  # fmt: skip
    links = [link for row in rows for link in row["links"]]
    down = [link for link in links if link["admin_state"] == "Enabled" and link["line_protocol"] == "Down"]
    return ExitCode.VIOLATED if down else ExitCode.OK


@click.command("arp")
@click.argument("segment", required=False)
@lab_option
@json_option
def arp_command(segment: str | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Show whom each end of SEGMENT, or of every link, knows at the other one.

    Exits with 1 when somebody has asked and got no answer, or an answer of somebody else.
    """
    from lab.holder.client import Client
    from lab.holder.looking import arp

    folder, topology = _lab(lab_name)
    with Client(folder) as client:
        rows = arp(client, topology, segment)
    if as_json:
        print_json(rows)
    else:
        columns = ("segment", "at", "device", "address", "of", "MAC address", "state")
        print_table(columns, [tuple(row.values()) for row in rows])
    wrong = [row for row in rows if row["state"] not in ("resolved", "not asked for")]
    return ExitCode.VIOLATED if wrong else ExitCode.OK


@click.command("routes")
@click.argument("node")
@lab_option
@json_option
def routes_command(node: str, lab_name: str | None, as_json: bool) -> None:
    """Show the routes that decide where NODE's packets go.

    For a workload those of its subnet, in Azure's words: what its route table has (User), what gateways learned
    (VirtualNetworkGateway), what is the network's own (Default).
    """
    from lab.holder.client import Client
    from lab.holder.looking import routes

    folder, topology = _lab(lab_name)
    with Client(folder) as client:
        rows = routes(client, topology, node)
    if as_json:
        print_json(rows)
    else:
        print_table(
            ("at", "source", "state", "prefix", "next hop type", "next hop", "device"),
            [(row["at"], row["source"], row["state"], row["prefix"], row["next_hop_type"],
              " ".join(map(str, row["next_hops"])), " ".join(map(str, row["devices"]))) for row in rows],
        )  # fmt: skip


@click.command("filters")
@click.argument("node")
@click.option(
    "--test",
    nargs=4,
    metavar="DIRECTION PROTOCOL FROM TO",
    help="Say which rule decides about a packet, as in: inbound tcp 192.168.1.10:40000 10.0.2.4:443",
)
@lab_option
@json_option
def filters_command(node: str, test: tuple[str, str, str, str] | None, lab_name: str | None, as_json: bool) -> ExitCode:
    """Show the rules by which NODE is filtered, with what each has decided so far.

    With --test, say which rule lets a packet that opens a flow pass, or drops it; exits with 1 when it is dropped.
    """
    from lab.holder.client import Client
    from lab.holder.looking import filters

    folder, topology = _lab(lab_name)
    if test is not None:
        return _decide(topology, node, test, as_json=as_json)
    with Client(folder) as client:
        rows = filters(client, topology, node)
    if as_json:
        print_json(rows)
    elif not rows:
        note(f"nothing is filtered at {node}: no subnet of it has a network security group")
    else:
        print_table(
            ("device", "group", "rule", "priority", "direction", "access", "protocol", "source", "ports", "destination",
             "ports", "packets"),
            [(row["device"], row["group"], row["rule"], row["priority"], row["direction"], row["access"],
              _PROTOCOLS.get(row["protocol"], row["protocol"]), row["source"], " ".join(row["source_ports"]),
              row["destination"], " ".join(row["destination_ports"]), row["packets"]) for row in rows],
        )  # fmt: skip
    return ExitCode.OK


def _decide(topology: Topology, node: str, test: tuple[str, str, str, str], *, as_json: bool) -> ExitCode:
    from lab.topology.enforcement import filtered_ends

    packet = _packet(*test)
    names = [each.name for each in topology.nodes]
    if node not in names:
        raise InputError(f"there is no node {node!r}; there are {', '.join(names)}")
    groups = [
        (end.addressed_device, topology.resources.security_group(str(subnet.security_group)))
        for end, subnet in filtered_ends(topology)
        if end.node == node
    ]
    decided: list[tuple[str, str, FilterRule]] = [
        (device, group.name, group.decide(packet)) for device, group in groups
    ]
    if as_json:
        print_json(
            [{"device": device, "group": group, "rule": rule.name, "priority": rule.priority,
              "access": "Allow" if rule.allow else "Deny"} for device, group, rule in decided]
        )  # fmt: skip
    elif not decided:
        note(f"Allow: nothing is filtered at {node}")
    for device, group, rule in () if as_json else decided:
        access = "Allow" if rule.allow else "Deny"
        click.echo(f"{access}: rule {rule.name} (priority {rule.priority}) of {group} at {node}:{device}")
    return ExitCode.OK if all(rule.allow for _, _, rule in decided) else ExitCode.VIOLATED


def _packet(direction: str, protocol: str, source: str, destination: str) -> Any:
    from lab.azure.security_group import PROTOCOLS
    from lab.model.filters import Direction, Packet

    directions = {str(each).lower(): each for each in Direction}
    numbers = {name.lower(): number for name, number in PROTOCOLS.items() if number is not None}
    if direction.lower() not in directions:
        raise InputError(f"a direction is inbound or outbound, not {direction!r}")
    if protocol.lower() not in numbers:
        raise InputError(f"unknown protocol {protocol!r}; known are {', '.join(numbers)}")
    (from_, from_port), (to, to_port) = _address(source), _address(destination)
    return Packet(
        direction=directions[direction.lower()],
        protocol=numbers[protocol.lower()],
        source=from_,
        destination=to,
        source_port=from_port,
        destination_port=to_port,
    )


def _address(text: str) -> tuple[Any, int]:
    from netaddr import INET_PTON, IPAddress, valid_ipv4

    address, colon, port = text.partition(":")
    if not valid_ipv4(address, INET_PTON) or (colon and not (port.isdigit() and int(port) <= 65535)):
        raise InputError(f"{text!r} is not ADDRESS or ADDRESS:PORT, as in 10.0.2.4:443")
    return IPAddress(address), int(port or 0)


def _lab(lab_name: str | None) -> tuple[LabFolder, Topology]:
    from lab.holder.labs import choose
    from lab.topology.load import load

    folder = choose(lab_name)
    return folder, load(folder.topology)
