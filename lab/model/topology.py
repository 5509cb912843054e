"""Nodes, and the whole: what `up` builds and what `prove` judges against."""

from __future__ import annotations

from dataclasses import dataclass, field

from netaddr import IPAddress, IPNetwork

from lab.errors import Problem
from lab.model.bgp import Bgp
from lab.model.connection import Connection, ConnectionEnd
from lab.model.link import Interface, Link
from lab.model.resources import Resources
from lab.model.roles import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A static route; several next hops share the load."""

    destination: IPNetwork
    via: tuple[IPAddress, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node: one network namespace. `loopback_addresses` belong to the node, not to one of its links."""

    name: str
    role: Role
    loopback_addresses: tuple[IPNetwork, ...]
    routes: tuple[Route, ...]
    bgp: Bgp | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedSecret:
    """A secret made anew, at random, for each `up`, in a vault of the lab's own that goes when the lab goes."""

    vault: str
    secret: str
    octets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A resolved topology.

    `traffic` holds the pairs of nodes between which canaries travel, both ways. `source` is the file it came from.
    `identity` is who reads the vaults. `warnings` are what is allowed and probably not meant.
    """

    name: str
    source: str
    description: str
    identity: str = "lab"
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    connections: tuple[Connection, ...] = ()
    traffic: tuple[tuple[str, str], ...]
    generated_secrets: tuple[GeneratedSecret, ...]
    resources: Resources = field(default_factory=Resources)
    warnings: tuple[Problem, ...] = ()

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            KeyError: there is none.
        """
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def link(self, segment: str) -> Link:
        """The link that is this segment.

        Raises:
            KeyError: there is none.
        """
        for link in self.links:
            if link.segment == segment:
                return link
        raise KeyError(segment)

    def address_of(self, node: str) -> IPAddress | None:
        """The address by which others speak to a node: its own first one, else the first of its links'."""
        own = self.node(node).loopback_addresses
        linked = [address for _, end in self.interfaces(node) for address in end.addresses]
        return next((address.ip for address in (*own, *linked)), None)

    def interfaces(self, node: str) -> tuple[tuple[Link, Interface], ...]:
        """The links of a node with the node's own end of each."""
        return tuple((link, end) for link in self.links for end in link.ends if end.node == node)

    def tunnels(self, node: str) -> tuple[tuple[Connection, ConnectionEnd], ...]:
        """The connections of a node with the node's own end of each."""
        return tuple((each, end) for each in self.connections for end in each.ends if end.node == node)
