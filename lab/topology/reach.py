"""Where a packet between two nodes would stop, by static routes: said before a lab is stood up in vain."""

from __future__ import annotations

from collections.abc import Iterator

from netaddr import IPAddress

from lab.model.connection import Connection
from lab.model.topology import Topology

# Linux's default for both families.
_TTL = 64


def stops(topology: Topology, a: str, b: str) -> Iterator[str]:
    """Say why packets from `a` to `b` or back do not arrive; nothing if they do."""
    for source, target in ((a, b), (b, a)):
        address = topology.address_of(target)
        if address is None:
            yield f"{target} has no address, so {source} cannot send to it"
        elif why := _Walk(topology, address).stop(source, ()):
            yield f"what {source} sends to {target} ({address}) stops: {why}"


def tunnel_stops(topology: Topology, connection: Connection) -> Iterator[str]:
    """Say why packets of a connection's ends do not arrive at each other's outer addresses; nothing if they do."""
    for end in connection.ends:
        target = connection.other_end(end.node).address
        if why := _Walk(topology, target, through_tunnels=False).stop(end.node, ()):
            yield f"what {end.node} sends to the other end of {connection.name} ({target}) stops: {why}"


class _Walk:
    """Follows every next hop towards one address."""

    def __init__(self, topology: Topology, target: IPAddress, *, through_tunnels: bool = True) -> None:
        self._topology = topology
        self._through_tunnels = through_tunnels
        self._target = target
        self._arrives: set[str] = set()
        self._owner = {a.ip: node.name for node in topology.nodes for a in node.loopback_addresses}
        self._owner |= {a.ip: end.node for link in topology.links for end in link.ends for a in end.addresses}
        tunnels = [end for connection in topology.connections for end in connection.ends]
        self._owner |= {a.ip: end.node for end in tunnels for a in end.tunnel_addresses}

    def stop(self, node: str, before: tuple[str, ...]) -> str | None:
        """Why some packet that has come to `node`, by way of those before, does not arrive."""
        if self._owner[self._target] == node or node in self._arrives:
            return None
        if node in before:
            return f"it goes round: {', '.join((*before[before.index(node) :], node))}"
        if len(before) >= _TTL:
            return f"{node} is the {_TTL}th node to forward it, and packets start with a TTL of {_TTL}"
        if before and not self._topology.node(node).role.forwards:
            return f"{node} is of role {self._topology.node(node).role}, which does not forward"
        hops = self._next_hops(node)
        if not hops and self._topology.node(node).bgp is not None:
            return None  # whether BGP brings a route is not said here
        if not hops:
            return f"{node} has no route to it"
        for hop in hops:
            if why := self.stop(self._owner[hop], (*before, node)):
                return why
        self._arrives.add(node)
        return None

    def _next_hops(self, node: str) -> tuple[IPAddress, ...]:
        """The target itself where it is on one of the node's links, else the gateways of the longest prefix."""
        for link, _ in self._topology.interfaces(node):
            if any(self._target == address.ip for address in link.other_end(node).addresses):
                return (self._target,)
        routes = [
            (route.destination.prefixlen, route.via)
            for route in self._topology.node(node).routes
            if self._target in route.destination
        ]
        return max(routes + self._tunnels(node), key=lambda route: route[0], default=(0, ()))[1]

    def _tunnels(self, node: str) -> list[tuple[int, tuple[IPAddress, ...]]]:
        """The prefixes that lead into tunnels, with who is at their other ends."""
        leading: dict[int, list[IPAddress]] = {}
        for connection, end in self._topology.tunnels(node) if self._through_tunnels else ():
            for prefix in end.peer_prefixes:
                if self._target in prefix:
                    leading.setdefault(prefix.prefixlen, []).append(connection.other_end(node).address)
        return [(length, tuple(peers)) for length, peers in leading.items()]
