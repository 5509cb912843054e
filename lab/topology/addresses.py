"""Addresses and routes: text -> netaddr, and the rules by which they fit together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork, valid_ipv4, valid_ipv6

from lab.model.topology import Route
from lab.topology.document import Path
from lab.topology.problems import Problems
from lab.topology.raw import RawNode, RawRoute
from lab.topology.wires import End, Wire


@dataclass(slots=True)
class Addressing:
    """Every address of a topology, by what bears it. `unsure` are nodes of which not every address could be read."""

    ends: dict[End, tuple[IPNetwork, ...]] = field(default_factory=dict)
    loopbacks: dict[str, tuple[IPNetwork, ...]] = field(default_factory=dict)
    routes: dict[str, tuple[Route, ...]] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)


def read_addresses(
    nodes: Mapping[str, RawNode | None], wires: Sequence[Wire], all_wires: bool, problems: Problems
) -> Addressing:
    """Read and check every address and route. Without `all_wires`, some link could not be read."""
    addressing = Addressing(unsure=set() if all_wires else set(nodes))
    taken: dict[IPAddress, tuple[str, Path]] = {}
    for wire in wires:
        before = len(problems.wrong)
        _read_link(wire, addressing, taken, problems)
        if len(problems.wrong) > before:
            addressing.unsure.update(end.node for end in wire.ends)
    _check_overlaps(wires, addressing, problems)
    for name, node in nodes.items():
        path = ("nodes", name, "addresses")
        written = node.addresses if node else []
        found = [(i, read_interface(text, (*path, i), problems)) for i, text in enumerate(written)]
        addressing.loopbacks[name] = tuple(a for i, a in found if a and _claim(a, name, (*path, i), taken, problems))
    for name, node in nodes.items():
        if node is not None:
            neighbours = None if name in addressing.unsure else _Neighbours(name, wires, addressing)
            addressing.routes[name] = _read_routes(name, node.routes, neighbours, problems)
    return addressing


def _read_link(
    wire: Wire, addressing: Addressing, taken: dict[IPAddress, tuple[str, Path]], problems: Problems
) -> None:
    path = (*wire.path, "addresses")
    written = wire.raw.addresses
    if written and len(written) != 2:
        text = f"'addresses' has {len(written)} of two items; write those of {wire.a}, then those of {wire.b}"
        problems.add(path, text)
        return
    before = len(problems.wrong)
    for i, (end, texts) in enumerate(zip(wire.ends, written or [[], []], strict=True)):
        where = (*path, i)
        found = [read_interface(text, where, problems) for text in texts or []]
        addressing.ends[end] = tuple(a for a in found if a and _claim(a, str(end), where, taken, problems))
    if len(problems.wrong) == before:
        _check_same_networks(wire, addressing, path, problems)


def _check_same_networks(wire: Wire, addressing: Addressing, path: Path, problems: Problems) -> None:
    a, b = ({address.cidr for address in addressing.ends[end]} for end in wire.ends)
    if a != b:
        ours, theirs = (", ".join(map(str, sorted(networks))) or "none" for networks in (a, b))
        text = f"{wire.a} is in {ours} and {wire.b} in {theirs}; both ends of a link share its networks"
        problems.add(path, text)


def read_interface(text: str | None, path: Path, problems: Problems) -> IPNetwork | None:
    """An address of a device, with its prefix length."""
    if text is None:
        return None
    address = _parse(text, path, problems)
    if address is not None and (kind := _not_a_hosts(address.ip)):
        problems.add(path, f"{text} is {kind} and cannot be a node's; write a unicast address")
        return None
    if address is None or address.prefixlen >= (31 if address.version == 4 else 127):
        return address
    # RFC 4291 2.6.1: the first address of an IPv6 subnet is the routers' anycast address.
    if address.ip == address.network or address.ip == address.broadcast:
        which = "a network itself" if address.ip == address.network else "the broadcast address of its network"
        first = f"{IPAddress(address.first + 1, address.version)}/{address.prefixlen}"
        problems.add(path, f"{text} is {which}; the first host is {first}")
        return None
    return address


def _not_a_hosts(address: IPAddress) -> str | None:
    """Of which kind an address is that no interface can have; None if it is an ordinary one."""
    if address.is_multicast():
        return "a multicast address"
    if address.is_loopback():
        return "a loopback address"
    # RFC 1122 3.2.1.3: 0/8 is this network; RFC 1112 4: 240/4 is reserved. RFC 4291 2.5.2: :: is no address.
    if address.version == 4 and not 1 <= address.words[0] < 240:
        return "reserved"
    return "the unspecified address" if int(address) == 0 else None


def _parse(text: str, path: Path, problems: Problems) -> IPNetwork | None:
    try:
        if re.search(r"/[0-9]{1,3}\Z", text):
            return IPNetwork(text)
    except AddrFormatError:
        pass
    problems.add(path, f"{text!r} is not an address with its prefix length, as in 172.16.0.1/30 or fd00::1/64")
    return None


def _claim(
    address: IPNetwork, owner: str, path: Path, taken: dict[IPAddress, tuple[str, Path]], problems: Problems
) -> bool:
    """Note who has an address; False when another has it."""
    known, where = taken.setdefault(address.ip, (owner, path))
    if where == path:
        return True
    line = problems.document.line(where)
    problems.add(path, f"{address.ip} of {owner} is the address of {known} already, on line {line}")
    return False


def _check_overlaps(wires: Sequence[Wire], addressing: Addressing, problems: Problems) -> None:
    """No network of one link lies in a network of another: a node could not tell where an address is."""
    networks = {
        (address.version, address.first, -address.last, i): (address.cidr, wire)
        for i, wire in enumerate(wires)
        for end in wire.ends
        for address in addressing.ends.get(end, ())
    }
    widest: tuple[IPNetwork, Wire] | None = None
    for key in sorted(networks):
        network, wire = networks[key]
        if widest is not None and network in widest[0]:
            (other, owner), later = widest, wire
            if owner.path > wire.path:
                (other, owner), (network, later) = (network, wire), widest
            line = problems.document.line(owner.path)
            text = f"{network} overlaps with {other} of {owner.segment}, line {line}; each link needs its own network"
            problems.add((*later.path, "addresses"), text)
        else:
            widest = (network, wire)


class _Neighbours:
    """Who can be a next hop of a node: whoever is at the other end of one of its links."""

    def __init__(self, node: str, wires: Sequence[Wire], addressing: Addressing) -> None:
        self.own: set[IPAddress] = set()
        self.connected: list[IPNetwork] = []
        self.others: dict[IPAddress, str] = {}
        for wire in wires:
            for end, other in ((wire.a, wire.b), (wire.b, wire.a)):
                if end.node == node:
                    self.own.update(address.ip for address in addressing.ends.get(end, ()))
                    self.connected.extend(address.cidr for address in addressing.ends.get(end, ()))
                    self.others |= {address.ip: other.node for address in addressing.ends.get(other, ())}

    def wrong(self, node: str, via: IPAddress) -> str | None:
        """Why `via` cannot be a next hop of the node."""
        if via in self.others:
            return None
        right = ", ".join(
            f"{address} ({name})" for address, name in self.others.items() if address.version == via.version
        )
        behind = f"neighbours are {right}" if right else f"it has no IPv{via.version} neighbour"
        if via in self.own:
            return f"gateway {via} is {node} itself; {behind}"
        if any(via in network for network in self.connected):
            return f"gateway {via} is nobody's address on {node}'s links; {behind}"
        return f"gateway {via} is not on a network that {node} is connected to; {behind}"


def _read_routes(
    node: str, routes: Sequence[RawRoute | None], neighbours: _Neighbours | None, problems: Problems
) -> tuple[Route, ...]:
    read: dict[IPNetwork, Route] = {}
    for i, route in enumerate(routes):
        if route is None:
            continue
        path = ("nodes", node, "routes", i)
        destination = read_prefix(route.to, (*path, "to"), problems)
        if destination is None:
            continue
        if destination in read:
            text = f"{node} has a route to {destination} already; write all its next hops in one `via: [...]`"
            problems.add(path, text)
            continue
        if not route.via:
            text = f"the route to {destination} has no gateway; write at least one, as in `via: [172.16.0.2]`"
            problems.add((*path, "via"), text)
        if len(set(route.via)) < len(route.via):
            problems.add((*path, "via"), f"the route to {destination} names a gateway twice; once is enough")
        for j, written in enumerate(route.via):
            _check_via(node, written, destination, (*path, "via", j), neighbours, problems)
        via = tuple(IPAddress(text) for text in route.via if text is not None and is_address(text))
        read[destination] = Route(destination=destination, via=via)
    return tuple(read.values())


def read_prefix(text: str, path: Path, problems: Problems) -> IPNetwork | None:
    """A network, with no bits set behind its prefix."""
    network = _parse(text, path, problems)
    if network is not None and network.ip != network.network:
        problems.add(path, f"{text} has bits set behind its prefix; the network is {network.cidr}")
        return None
    return network


def _check_via(
    node: str, text: str | None, destination: IPNetwork, path: Path, neighbours: _Neighbours | None, problems: Problems
) -> None:
    if text is None:
        return
    if not is_address(text):
        problems.add(path, f"{text!r} is not an address, as in 172.16.0.2")
    elif (via := IPAddress(text)).version != destination.version:
        problems.add(path, f"gateway {via} is IPv{via.version} and {destination} is IPv{destination.version}")
    elif neighbours is not None and (wrong := neighbours.wrong(node, via)):
        problems.add(path, wrong)


def is_address(text: str) -> bool:
    """Whether the text is an address, of either version, without a prefix length."""
    return valid_ipv4(text, INET_PTON) or valid_ipv6(text)
