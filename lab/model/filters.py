"""Packet filters: rules in the order of their priorities, of which the first that fits decides.

They are enforced by nftables at the node; `decide` says by the same rules what becomes of a packet that opens a flow.
Answers belong to the flow that they answer, and pass.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork


class Direction(enum.StrEnum):
    """Seen from the subnet."""

    INBOUND = "Inbound"
    OUTBOUND = "Outbound"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """What a filter looks at. Ports are 0 where the protocol has none."""

    direction: Direction
    protocol: int
    source: IPAddress
    destination: IPAddress
    source_port: int = 0
    destination_port: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterRule:
    """A rule. None stands for any protocol, any address, any port; ports are pairs of the first and the last.

    `written` has source and destination as they were written, which may be service tags.
    """

    name: str
    priority: int
    direction: Direction
    allow: bool
    protocol: int | None
    sources: tuple[IPNetwork, ...] | None
    destinations: tuple[IPNetwork, ...] | None
    source_ports: tuple[tuple[int, int], ...] | None
    destination_ports: tuple[tuple[int, int], ...] | None
    written: tuple[str, str] = ("*", "*")

    def fits(self, packet: Packet) -> bool:
        """Whether the rule is about the packet."""
        return (
            packet.direction is self.direction
            and self.protocol in (None, packet.protocol)
            and _among(packet.source, self.sources)
            and _among(packet.destination, self.destinations)
            and self._ports_fit(packet)
        )

    def _ports_fit(self, packet: Packet) -> bool:
        if self.source_ports is None and self.destination_ports is None:
            return True
        if packet.protocol not in (6, 17):
            return False
        return _between(packet.source_port, self.source_ports) and _between(
            packet.destination_port, self.destination_ports
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A network security group, with the rules that every group has; in the order in which they are tried."""

    name: str
    rules: tuple[FilterRule, ...]

    def decide(self, packet: Packet) -> FilterRule:
        """The rule by which the packet passes or is dropped: the last one fits everything."""
        return next(rule for rule in self.rules if rule.fits(packet))


def _among(address: IPAddress, networks: Iterable[IPNetwork] | None) -> bool:
    return networks is None or any(address in network for network in networks)


def _between(port: int, ranges: Iterable[tuple[int, int]] | None) -> bool:
    return ranges is None or any(low <= port <= high for low, high in ranges)
