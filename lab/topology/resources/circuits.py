"""ExpressRoute circuits and their private peering."""

from __future__ import annotations

from collections.abc import Mapping

from netaddr import IPNetwork

from lab.azure.bgp import why_reserved
from lab.azure.circuit import FAMILIES, MOST_SOLD, PORT_GBPS, PROVIDER_MBPS, TIERS
from lab.model.resources import Circuit, Peering, Port
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.raw_azure import RawCircuit, RawPeering
from lab.topology.resources.reading import Reading

_ENDS = (Role.CE, Role.PROVIDER)


def read_circuits(reading: Reading, ports: Mapping[str, Port]) -> tuple[Circuit, ...]:
    """Every circuit."""
    circuits = [
        circuit
        for name, raw in reading.raw.circuits.items()
        if raw is not None and (circuit := _read(name, raw, reading, ports))
    ]
    _check_sums(circuits, ports, reading)
    _check_vlans(circuits, ports, reading)
    return tuple(circuits)


def _read(name: str, raw: RawCircuit, reading: Reading, ports: Mapping[str, Port]) -> Circuit | None:
    path: Path = ("azure", "circuits", name)
    problems = reading.problems
    tier = reading.word(raw.sku_tier, TIERS, (*path, "sku_tier"))
    family = reading.word(raw.sku_family, FAMILIES, (*path, "sku_family"))
    if (raw.port is None) == (raw.provider is None):
        text = (
            "a circuit is on a port pair of ExpressRoute Direct (`port:`) or of a provider (`provider:`), one of them"
        )
        problems.add(path, text)
        return None
    segments = _on_port(raw, path, reading, ports) if raw.port else _of_provider(raw, path, reading)
    if tier is None or family is None or segments is None:
        return None
    return Circuit(
        name=name,
        port=raw.port,
        provider=raw.provider,
        segments=segments,
        bandwidth_mbps=raw.bandwidth,
        tier=tier,
        family=family,
        peering=_peering(name, raw.peering, segments, (*path, "peering"), reading),
    )


def _on_port(raw: RawCircuit, path: Path, reading: Reading, ports: Mapping[str, Port]) -> tuple[str, ...] | None:
    problems = reading.problems
    if raw.links is not None:
        problems.add((*path, "links"), f"the links are those of port pair {raw.port}; take `links:` away")
    port = ports.get(reading.named(raw.port, reading.raw.ports, "port pair", (*path, "port")) or "")
    if port is None:
        return None
    known = PORT_GBPS.get(port.bandwidth_gbps, ())
    if known and raw.bandwidth not in {gbps * 1000 for gbps in known}:
        right = ", ".join(str(gbps * 1000) for gbps in known)
        text = f"{raw.bandwidth} Mb/s is not a circuit of a {port.bandwidth_gbps} Gb/s port pair; there are {right}"
        problems.add((*path, "bandwidth"), text)
    return port.segments


def _of_provider(raw: RawCircuit, path: Path, reading: Reading) -> tuple[str, ...] | None:
    problems = reading.problems
    if raw.bandwidth not in PROVIDER_MBPS:
        right = ", ".join(map(str, PROVIDER_MBPS))
        problems.add((*path, "bandwidth"), f"{raw.bandwidth} Mb/s is not a provider's circuit; there are {right}")
    if raw.links is None or len(raw.links) != 2:
        text = "a circuit has a primary and a secondary link: name two segments, `links: [PRIMARY, SECONDARY]`"
        problems.add((*path, "links"), text)
        return None
    found = []
    for i, segment in enumerate(raw.links):
        link = reading.link(segment, (*path, "links", i))
        if link is None:
            continue
        found.append(link.segment)
        roles = {reading.roles.get(end.node) for end in link.ends}
        if Role.MSEE not in roles or not roles & {*_ENDS}:
            text = f"{link.segment} does not end at a Microsoft edge (msee); a circuit's links do"
            problems.add((*path, "links", i), text)
        if link.macsec is not None:
            text = (
                f"{link.segment} has `macsec:` and {raw.provider} is a provider; MACsec is offered on the ports of "
                "ExpressRoute Direct alone"
            )
            problems.add((*path, "provider"), text)
    return tuple(found) if len(found) == 2 else None


def _check_sums(circuits: list[Circuit], ports: Mapping[str, Port], reading: Reading) -> None:
    for port in ports.values():
        sold = [circuit for circuit in circuits if circuit.port == port.name]
        total, most = sum(circuit.bandwidth_mbps for circuit in sold), port.bandwidth_gbps * MOST_SOLD * 1000
        if total > most:
            names = ", ".join(circuit.name for circuit in sold)
            text = f"{names} have {total} Mb/s in sum; a {port.bandwidth_gbps} Gb/s port pair takes up to {most}"
            reading.problems.add(("azure", "ports", port.name), text)


def _check_vlans(circuits: list[Circuit], ports: Mapping[str, Port], reading: Reading) -> None:
    """With one tag, that tag alone tells circuits apart; with two, the outer one does, which Azure chooses."""
    first: dict[tuple[str, int], str] = {}
    for circuit in circuits:
        if circuit.port is None or circuit.peering is None or ports[circuit.port].encapsulation != "Dot1Q":
            continue
        other = first.setdefault((circuit.port, circuit.peering.vlan_id), circuit.name)
        if other != circuit.name:
            text = (
                f"VLAN {circuit.peering.vlan_id} is {other}'s already; with Dot1Q it is unique on the port pair, with "
                "QinQ it need not be"
            )
            reading.problems.add(("azure", "circuits", circuit.name, "peering", "vlan_id"), text)


def _peering(
    name: str, raw: RawPeering | None, segments: tuple[str, ...], path: Path, reading: Reading
) -> Peering | None:
    if raw is None:
        return None
    problems = reading.problems
    if why := why_reserved(raw.peer_asn):
        problems.add((*path, "peer_asn"), why)
    if not 1 <= raw.vlan_id <= 4094:
        problems.add((*path, "vlan_id"), f"{raw.vlan_id} is not a VLAN identifier; they go from 1 to 4094")
    subnets = []
    for which, text, segment in zip(("primary", "secondary"), (raw.primary, raw.secondary), segments, strict=False):
        subnet = reading.prefix(text, (*path, which))
        if subnet is None:
            continue
        subnets.append(subnet)
        if subnet.prefixlen != 30:
            problems.add((*path, which), f"a peering takes a /30 a link, not {subnet}")
        _check_subnet(subnet, which, segment, path, reading)
    _check_session(name, raw, segments, path, reading)
    return Peering(peer_asn=raw.peer_asn, vlan_id=raw.vlan_id, subnets=tuple(subnets)) if len(subnets) == 2 else None


def _check_subnet(subnet: IPNetwork, which: str, segment: str, path: Path, reading: Reading) -> None:
    link = next(link for link in reading.links if link.segment == segment)
    networks = {address.cidr for end in link.ends for address in end.addresses if address.version == 4}
    if networks and subnet not in networks:
        text = f"the {which} subnet is {subnet} and {segment} is in {', '.join(map(str, sorted(networks)))}"
        reading.problems.add((*path, which), f"{text}; they are the same")
    vids = link.tag.vids
    raw = reading.raw.circuits[str(path[2])]
    if raw is not None and raw.peering is not None and vids and vids[-1] != raw.peering.vlan_id:
        text = f"vlan_id is {raw.peering.vlan_id} and the inner tag of {segment} is {vids[-1]}; they are the same"
        reading.problems.add((*path, "vlan_id"), text)


def _check_session(name: str, raw: RawPeering, segments: tuple[str, ...], path: Path, reading: Reading) -> None:
    """What the peering says is what the nodes' sessions over its links are told."""
    for node, bgp in reading.speakers.items():
        if reading.roles.get(node) not in _ENDS:
            continue
        for neighbor in bgp.neighbors:
            if neighbor.segment not in segments:
                continue
            if bgp.asn != raw.peer_asn:
                text = f"peer_asn is {raw.peer_asn} and {node} is AS {bgp.asn}; they are the same"
                reading.problems.add((*path, "peer_asn"), text)
            given = "" if neighbor.password is None else str(neighbor.password)
            if (raw.shared_key or "").lower() != given.lower():
                text = (
                    f"shared_key of {name} and `password:` of {node} towards {neighbor.node} are the same secret, or "
                    "neither is written"
                )
                reading.problems.add((*path, "shared_key"), text)
