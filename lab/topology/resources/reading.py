"""What every resource's reader needs: what was written, the path that it is about, and where problems go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork, valid_ipv4

from lab.model.bgp import Bgp
from lab.model.connection import Connection
from lab.model.link import Link
from lab.model.roles import Role
from lab.topology.document import Path
from lab.topology.problems import Problems, near
from lab.topology.raw_azure import RawAzure


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A topology whose nodes, links and BGP are read, and the resources as they are written."""

    raw: RawAzure
    roles: Mapping[str, Role | None]
    links: Sequence[Link]
    connections: Sequence[Connection]
    loopbacks: Mapping[str, tuple[IPNetwork, ...]]
    speakers: Mapping[str, Bgp]
    problems: Problems

    def link(self, segment: str | None, path: Path) -> Link | None:
        """The link that is this segment."""
        for link in self.links:
            if link.segment == segment:
                return link
        if segment is not None:
            known = near(segment, [link.segment for link in self.links])
            self.problems.add(path, f"there is no segment {segment!r}; {known}")
        return None

    def word(self, written: str, known: Iterable[str], path: Path) -> str | None:
        """One of some words of Azure's; spelling and case count, since scripts are compared by eye."""
        known = tuple(known)
        if written in known:
            return written
        self.problems.add(path, f"unknown {path[-1]} {written!r}; {near(written, known)}")
        return None

    def named(self, written: str | None, known: Iterable[str], what: str, path: Path) -> str | None:
        """The name of another resource."""
        if written is None or written in (known := tuple(known)):
            return written
        self.problems.add(path, f"there is no {what} {written!r}; {near(written, known)}")
        return None

    def prefix(self, text: str | None, path: Path) -> IPNetwork | None:
        """A prefix, with no bits set behind it."""
        if text is None:
            return None
        try:
            prefix = IPNetwork(text) if "/" in text else None
        except AddrFormatError:
            prefix = None
        if prefix is None or prefix.version != 4:
            self.problems.add(path, f"{text!r} is not an IPv4 prefix, as in 10.0.0.0/16")
        elif prefix.ip != prefix.network:
            self.problems.add(path, f"{text} has bits set behind its prefix; the network is {prefix.cidr}")
        else:
            return prefix
        return None

    def address(self, text: str | None, path: Path) -> IPAddress | None:
        """An IPv4 address."""
        if text is None:
            return None
        if valid_ipv4(text, INET_PTON):
            return IPAddress(text)
        self.problems.add(path, f"{text!r} is not an IPv4 address, as in 10.0.1.4")
        return None

    def own_addresses(self, node: str) -> tuple[IPNetwork, ...]:
        """All of a node's, its loopback's first."""
        linked = [address for link in self.links for end in link.ends if end.node == node for address in end.addresses]
        return (*self.loopbacks.get(node, ()), *linked)
