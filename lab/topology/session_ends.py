"""Between which addresses a BGP session goes: over a link, in a tunnel, or from one node's own address to another's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netaddr import INET_PTON, IPAddress, IPNetwork, valid_ipv4

from lab.model.bgp import HostRoute
from lab.model.connection import Connection, ConnectionEnd
from lab.model.link import Link
from lab.model.roles import Role
from lab.topology.addresses import Addressing
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw_bgp import RawBgp, RawNeighbor

# Who holds the host route to a neighbour that is not on a link: BIRD, or the kernel alone, of which BIRD knows nothing.
_HOST_ROUTES = ("bird", "kernel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Speakers:
    """What is needed of everybody to read the sessions of one."""

    raws: Mapping[str, RawBgp]
    roles: Mapping[str, Role | None]
    links: Sequence[Link]
    connections: Sequence[Connection]
    addressing: Addressing
    problems: Problems

    def shared(self, a: str, b: str) -> list[Link]:
        """The links between two nodes."""
        return [link for link in self.links if {link.a.node, link.b.node} == {a, b}]

    def own_address(self, node: str) -> IPAddress | None:
        """The address of a node's sessions with neighbours that are not at the other end of a link."""
        written = self.raws[node].peering_address
        if written is not None:
            return IPAddress(written) if valid_ipv4(written, INET_PTON) else None
        loopbacks = [address.ip for address in self.addressing.loopbacks.get(node, ()) if address.version == 4]
        return loopbacks[0] if loopbacks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The ends of a session, as one of them sees it; what is not there is None."""

    local: IPAddress
    remote: IPAddress
    segment: str | None = None
    tunnel: str | None = None
    device: str | None = None


def find_between(name: str, raw: RawNeighbor, path: Path, speakers: Speakers) -> Between | None:
    """Where a node's session with a neighbour goes; None when it cannot go anywhere, which is then reported."""
    if raw.tunnel is not None:
        return _in_tunnel(name, raw, (*path, "tunnel"), speakers)
    link = _link(name, raw, path, speakers)
    if link is None:
        return _between_loopbacks(name, raw.node, path, speakers)
    ends = [_ipv4(link.end(node).addresses) for node in (name, raw.node)]
    if not all(ends):
        if not speakers.addressing.unsure & {name, raw.node}:
            speakers.problems.add(path, f"{link.segment} has no IPv4 addresses; a session needs one at each end")
        return None
    device = link.end(name).addressed_device
    return Between(local=ends[0][0], remote=ends[1][0], segment=link.segment, device=device)


def _ipv4(addresses: Sequence[IPNetwork]) -> list[IPAddress]:
    return [address.ip for address in addresses if address.version == 4]


def _in_tunnel(name: str, raw: RawNeighbor, path: Path, speakers: Speakers) -> Between | None:
    """In a tunnel whose ends have addresses of their own the session is between those, else between the nodes' own."""
    end = _tunnel_end(name, raw, path, speakers)
    if end is None:
        return None
    connection = next(each for each in speakers.connections if each.name == raw.tunnel)
    local, remote = _ipv4(end.tunnel_addresses), _ipv4(connection.other_end(name).tunnel_addresses)
    if not (local and remote):
        return _between_loopbacks(name, raw.node, path[:-1], speakers)
    return Between(local=local[0], remote=remote[0], tunnel=raw.tunnel, device=end.device)


def _tunnel_end(name: str, raw: RawNeighbor, path: Path, speakers: Speakers) -> ConnectionEnd | None:
    between = [each for each in speakers.connections if {end.node for end in each.ends} == {name, raw.node}]
    for connection in between:
        if connection.name == raw.tunnel:
            return connection.end(name)
    known = near(str(raw.tunnel), [connection.name for connection in between])
    speakers.problems.add(path, f"{raw.tunnel!r} is no connection between {name} and {raw.node}; {known}")
    return None


def _between_loopbacks(name: str, other: str, path: Path, speakers: Speakers) -> Between | None:
    mine, theirs = (speakers.own_address(node) for node in (name, other))
    if mine is None or theirs is None:
        lacking = name if mine is None else other
        text = (
            f"{name} and {other} share no link, so their session is between addresses of their own: give {lacking} "
            "`addresses:`, and where it has several `peering_address:`"
        )
        speakers.problems.add(path, text)
        return None
    return Between(local=mine, remote=theirs)


def _link(name: str, raw: RawNeighbor, path: Path, speakers: Speakers) -> Link | None:
    shared = speakers.shared(name, raw.node)
    if raw.segment is None:
        if len(shared) > 1:
            names = ", ".join(link.segment for link in shared)
            speakers.problems.add(path, f"{name} and {raw.node} share {names}; say by `segment:` which one is meant")
        return shared[0] if shared else None
    for link in shared:
        if link.segment == raw.segment:
            return link
    known = near(raw.segment, [link.segment for link in shared])
    text = f"{raw.segment!r} is not a link between {name} and {raw.node}; {known}"
    speakers.problems.add((*path, "segment"), text)
    return None


def host_route(name: str, between: Between, raw: RawNeighbor, path: Path, speakers: Speakers) -> list[HostRoute]:
    """The route to a neighbour that is not on a link: into a tunnel, or by a next hop."""
    problems = speakers.problems
    if raw.host_route not in _HOST_ROUTES:
        text = f"unknown host_route {raw.host_route!r}; {near(raw.host_route, _HOST_ROUTES)}"
        problems.add((*path, "host_route"), text)
    if raw.tunnel is not None and raw.via is not None:
        problems.add(path, "'tunnel' and 'via' both say where the neighbor is reached; take one of them away")
    if between.segment is not None and raw.via is not None:
        text = f"{raw.node} is at the other end of {between.segment}; take `via:` away"
        problems.add((*path, "via"), text)
    elif between.device is None and raw.tunnel is not None:
        end = _tunnel_end(name, raw, (*path, "tunnel"), speakers)
        device = None if end is None else end.device
        return [_route(between, raw, device=device)]
    elif between.device is None and raw.via is not None:
        if valid_ipv4(raw.via, INET_PTON):
            return [_route(between, raw, via=IPAddress(raw.via))]
        problems.add((*path, "via"), f"{raw.via!r} is not an IPv4 address, as in 203.0.113.2")
    return []


def _route(between: Between, raw: RawNeighbor, *, via: IPAddress | None = None, device: str | None = None) -> HostRoute:
    return HostRoute(destination=between.remote, via=via, device=device, in_kernel=raw.host_route == "kernel")
