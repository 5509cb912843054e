"""Connections: an IPsec tunnel between two gateways, in the standards' terms; Azure's spelling stays in lab.azure."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from dataplane.ipsec.proposals import Proposal
from lab.model.secret import SecretReference


class Initiative(enum.StrEnum):
    """Who may begin: this end alone, the other end alone, or whoever comes first."""

    BOTH = "both"
    INITIATOR = "initiator"
    RESPONDER = "responder"


class Encapsulation(enum.StrEnum):
    """How ESP travels: as it is unless there is a NAT, or in UDP in any case (RFC 3948)."""

    AUTO = "auto"
    UDP = "udp"


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsecPolicy:
    """What an end offers and accepts for IKE and for ESP, best first, and how long its SAs live.

    `esp_accepted` is what it accepts when the other end begins. `is_custom`: somebody chose it, it is no default.
    """

    ike: tuple[Proposal, ...]
    esp: tuple[Proposal, ...]
    esp_accepted: tuple[Proposal, ...]
    ike_seconds: int
    seconds: int
    kilobytes: int
    allow_insecure: bool
    is_custom: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEnd:
    """One end of a connection, as its own administrator has it.

    `address` is the outer one, `device` the TUN behind which the tunnel begins. `prefixes` are behind this end,
    `peer_prefixes` what it believes to be behind the other one, and routes into the tunnel. `dpd_seconds` is how long
    the peer may be silent, and is asked meanwhile, before it counts as dead.
    """

    node: str
    address: IPAddress
    device: str
    tunnel_addresses: tuple[IPNetwork, ...]
    prefixes: tuple[IPNetwork, ...]
    peer_prefixes: tuple[IPNetwork, ...]
    psk: SecretReference
    policy: IpsecPolicy
    initiative: Initiative
    dpd_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """A tunnel between two gateways.

    `policy_based`: an SA for each pair of prefixes, else one for any traffic that is routed into the tunnel. `mtu` is
    the TUN's, `path_mtu` the greatest outer packet. `mss` None leaves TCP's MSS alone. `on_premises` is
    the end that is not Azure's or, between two of Azure's, the first. `line` is where the topology's file has it.
    """

    name: str
    a: ConnectionEnd
    b: ConnectionEnd
    policy_based: bool
    encapsulation: Encapsulation
    mtu: int
    mss: int | None
    path_mtu: int
    replay_window: int
    on_premises: ConnectionEnd
    line: int | None = None

    @property
    def ends(self) -> tuple[ConnectionEnd, ConnectionEnd]:
        """Both ends."""
        return (self.a, self.b)

    def end(self, node: str) -> ConnectionEnd:
        """The end at `node`.

        Raises:
            KeyError: the connection does not touch that node.
        """
        for end in self.ends:
            if end.node == node:
                return end
        raise KeyError(node)

    def other_end(self, node: str) -> ConnectionEnd:
        """The end that faces `node`."""
        return self.b if self.a.node == node else self.a
