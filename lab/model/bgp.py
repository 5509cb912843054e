"""BGP at a node: its AS, its sessions, and the prefixes that it originates."""

from __future__ import annotations

from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from lab.model.secret import SecretReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbor:
    """A session of a node with another one, as this end sees it.

    `segment` and `device` are those of the link between, or `tunnel` and `device` those of a connection whose ends
    have addresses of their own in it; without a `device`, packets are routed (`multihop`). `preference` becomes the
    LOCAL_PREF of what is learned here. `advertise` is all that is told to this neighbour; None: what the node
    originates, and if it is one that passes routes on, what it has learned. `hidden_asns` are taken out of the paths
    that are told to it, as Microsoft's edge does with private ones. `most_prefixes` closes the session when the
    neighbour tells more.
    """

    node: str
    address: IPAddress
    local_address: IPAddress
    asn: int
    segment: str | None
    tunnel: str | None
    device: str | None
    password: SecretReference | None
    bfd: bool
    preference: int
    advertise: tuple[IPNetwork, ...] | None
    hidden_asns: tuple[int, ...]
    most_prefixes: int | None

    @property
    def multihop(self) -> bool:
        """Whether the neighbour is not at the other end of a link."""
        return self.device is None

    @property
    def name(self) -> str:
        """What the session is called: by the neighbour, and by the tunnel, of which there may be several."""
        return self.node if self.tunnel is None else f"{self.node}/{self.tunnel}"

    @property
    def is_late(self) -> bool:
        """Whether the session may go through a tunnel, which has to be there first."""
        return self.multihop or self.tunnel is not None

    def is_called(self, name: str) -> bool:
        """Whether this is the session of that name, or one of those with the node of that name."""
        return name in (self.name, self.node)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRoute:
    """How a node reaches a neighbour that is not at the other end of a link.

    `in_kernel` puts the route into the kernel alone: the session is then established, and whatever is learned by it
    stays unreachable to BGP, since BIRD resolves next hops by its own table.
    """

    destination: IPAddress
    via: IPAddress | None
    device: str | None
    in_kernel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bgp:
    """What a node's BGP speaker is told. `passes_on` says whether it tells neighbours what it learned from others."""

    asn: int
    router_id: IPAddress
    peering_address: IPAddress | None
    advertise: tuple[IPNetwork, ...]
    neighbors: tuple[Neighbor, ...]
    host_routes: tuple[HostRoute, ...]
    passes_on: bool

    @property
    def originated(self) -> tuple[IPNetwork, ...]:
        """Every prefix that the node tells as its own, to whomever."""
        told = {*self.advertise, *(p for neighbor in self.neighbors for p in neighbor.advertise or ())}
        return tuple(sorted(told))
