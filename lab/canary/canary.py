"""What a canary is, and which canaries a topology gets. Pure data; nothing is sent here."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from netaddr import IPAddress

from lab.errors import InputError
from lab.model.connection import Connection
from lab.model.link import Link
from lab.model.topology import Topology

TOKEN_OCTETS = 32  # 16 random octets, in hexadecimal: readable in any capture, guessed by nobody
_IP_AND_HEADER = {"icmp": 28, "udp": 28, "tcp": 40}


class Transport(enum.StrEnum):
    """What carries a canary."""

    ICMP = "icmp"
    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A node and the address that it uses."""

    node: str
    address: IPAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One canary, from `source` to `target`.

    `number` is unique in a run, below 30,000: it makes the source port or the ICMP identifier. A payload of at least
    TOKEN_OCTETS carries the whole token, again and again up to `payload_octets`; a shorter one only its beginning:
    such a canary shows that short frames pass and are protected, and is not searched for.
    """

    number: int
    token: bytes
    transport: Transport
    source: Endpoint
    target: Endpoint
    payload_octets: int

    @property
    def payload(self) -> bytes:
        """The octets that travel."""
        return (self.token * (self.payload_octets // TOKEN_OCTETS + 1))[: self.payload_octets]

    @property
    def is_searchable(self) -> bool:
        """Whether the whole token is in the payload."""
        return self.payload_octets >= TOKEN_OCTETS


def plan_canaries(topology: Topology, random: Callable[[int], bytes]) -> tuple[Canary, ...]:
    """The canaries of a topology: between its ends over the whole path, and across each link and tunnel by itself.

    The ones across a link or a tunnel prove one that load sharing may leave idle. Across a link they are sent only
    where nothing from further away is expected to protect the link's own traffic: an IPsec tunnel carries what its ends
    route into it, not this.

    Raises:
        InputError: the topology has no pair of nodes to send between.
    """
    if not topology.traffic and not topology.links:
        raise InputError(f"{topology.source}: no traffic and no links: there is nothing to prove")
    legs = [*_paths(topology), *(leg for link in topology.links for leg in _across(link))]
    legs += [leg for connection in topology.connections for leg in _through(connection)]
    canaries: list[Canary] = []
    for source, target, transport, octets in legs:
        token = random(TOKEN_OCTETS // 2).hex().encode()
        canaries.append(
            Canary(
                number=len(canaries),
                token=token,
                transport=transport,
                source=source,
                target=target,
                payload_octets=octets,
            )
        )
    return tuple(canaries)


_Leg = tuple[Endpoint, Endpoint, Transport, int]


def _paths(topology: Topology) -> Iterator[_Leg]:
    mtus = [end.mtu for link in topology.links for end in link.ends]
    mtu = min([*mtus, *(connection.mtu for connection in topology.connections)], default=1500)
    for a, b in topology.traffic:
        ends = (_endpoint(topology, a), _endpoint(topology, b))
        for source, target in (ends, ends[::-1]):
            for transport in Transport:
                for octets in _sizes(transport, mtu):
                    yield source, target, transport, octets


def _across(link: Link) -> Iterator[_Leg]:
    if link.expect is not None and "ipsec" in link.expect.layers:
        return
    if not (link.a.addresses and link.b.addresses):
        return
    ends = tuple(Endpoint(node=end.node, address=end.addresses[0].ip) for end in link.ends)
    for source, target in (ends, ends[::-1]):
        for octets in _sizes(Transport.ICMP, min(link.a.mtu, link.b.mtu)):
            yield source, target, Transport.ICMP, octets


def _through(connection: Connection) -> Iterator[_Leg]:
    """Between the tunnel's own addresses, which its two ends reach through it alone."""
    a, b = connection.ends
    if not (a.tunnel_addresses and b.tunnel_addresses):
        return
    ends = tuple(Endpoint(node=end.node, address=end.tunnel_addresses[0].ip) for end in (a, b))
    for source, target in (ends, ends[::-1]):
        for octets in _sizes(Transport.ICMP, connection.mtu):
            yield source, target, Transport.ICMP, octets


def _sizes(transport: Transport, mtu: int) -> tuple[int, ...]:
    """From the smallest payload to the one that fills the MTU; TCP beyond it, in several segments."""
    largest = mtu - _IP_AND_HEADER[transport]
    if transport is Transport.TCP:
        return (TOKEN_OCTETS, 512, largest * 3)
    return (1, 20, TOKEN_OCTETS, 56, 200, 512, 1000, largest)


def _endpoint(topology: Topology, name: str) -> Endpoint:
    node = topology.node(name)
    if node.loopback_addresses:
        return Endpoint(node=name, address=node.loopback_addresses[0].ip)
    for _, interface in topology.interfaces(name):
        if interface.addresses:
            return Endpoint(node=name, address=interface.addresses[0].ip)
    raise InputError(f"{topology.source}: {name} has no address, so no canary can be sent from it or to it")
