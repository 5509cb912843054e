"""Traffic selectors: which packets belong to an SA, and how two sides' wishes meet (RFC 7296 2.9, RFC 4301 4.4.1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from typing import Final, Self, TypeAlias

from dataplane.errors import LocalError

Address: TypeAlias = IPv4Address | IPv6Address

ANY_PROTOCOL: Final = 0
ANY_PORTS: Final = (0, 65535)
OPAQUE_PORTS: Final = (65535, 0)

ICMP: Final = 1
ICMPV6: Final = 58


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficSelector:
    """Addresses from `start` to `end`, both included, with a protocol (0: any) and a range of ports.

    For ICMP a port is type * 256 + code (RFC 7296 3.13.1). OPAQUE_PORTS selects packets whose ports cannot be seen.
    A selector of a protocol without ports has ANY_PORTS.
    """

    start: Address
    end: Address
    protocol: int = ANY_PROTOCOL
    ports: tuple[int, int] = ANY_PORTS

    def __post_init__(self) -> None:
        if self.start.version != self.end.version or int(self.start) > int(self.end):
            raise LocalError(f"{self.start}-{self.end} is not a range of addresses")
        low, high = self.ports
        if self.ports != OPAQUE_PORTS and not 0 <= low <= high <= 65535:
            raise LocalError(f"{low}-{high} is not a range of ports")
        if not 0 <= self.protocol <= 255:
            raise LocalError(f"a protocol has 8 bits: {self.protocol} does not fit")
        if self.protocol == ANY_PROTOCOL and self.ports != ANY_PORTS:  # RFC 7296 3.13.1
            raise LocalError("a selector of any protocol has any ports")

    @classmethod
    def of(
        cls, network: str | IPv4Network | IPv6Network, *, protocol: int = 0, ports: tuple[int, int] = ANY_PORTS
    ) -> Self:
        """The selector of a prefix, as `of("10.0.0.0/16")`.

        Raises:
            LocalError: not a prefix, or ports that no selector has.
        """
        try:
            prefix = ip_network(network)
        except ValueError as error:
            raise LocalError(str(error)) from None
        return cls(start=prefix[0], end=prefix[-1], protocol=protocol, ports=ports)

    @classmethod
    def single(cls, address: str | Address, *, protocol: int = 0, ports: tuple[int, int] = ANY_PORTS) -> Self:
        """The selector of one address."""
        one = ip_address(str(address))
        return cls(start=one, end=one, protocol=protocol, ports=ports)

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.start.version

    def holds(self, address: Address, protocol: int, port: int | None) -> bool:
        """Whether a packet's end falls under the selector; `port` None: it has none, or it cannot be seen."""
        if address.version != self.version or not int(self.start) <= int(address) <= int(self.end):
            return False
        if self.protocol not in (ANY_PROTOCOL, protocol):
            return False
        if self.ports == ANY_PORTS:
            return True
        if port is None:  # RFC 4301 4.4.1.1: OPAQUE is for values that are not available
            return self.ports == OPAQUE_PORTS
        return self.ports[0] <= port <= self.ports[1]

    def __contains__(self, other: TrafficSelector) -> bool:
        """Whether everything that `other` selects is selected here too."""
        return self & other == other

    def __and__(self, other: TrafficSelector) -> TrafficSelector | None:
        """What both select; None when that is nothing."""
        if self.version != other.version:
            return None
        start = max(self.start, other.start, key=int)
        end = min(self.end, other.end, key=int)
        if int(start) > int(end):
            return None
        if ANY_PROTOCOL in (self.protocol, other.protocol):
            narrower = other if self.protocol == ANY_PROTOCOL else self
            return replace(narrower, start=start, end=end)
        if self.protocol != other.protocol:
            return None
        ports = _common_ports(self.ports, other.ports)
        return None if ports is None else replace(self, start=start, end=end, ports=ports)

    def __str__(self) -> str:
        prefixes = list(summarize_address_range(self.start, self.end))
        text = str(prefixes[0]) if len(prefixes) == 1 else f"{self.start}-{self.end}"
        if self.protocol != ANY_PROTOCOL:
            text += f"[{self.protocol}{_ports_text(self.ports)}]"
        return text


ANY_IPV4: Final = TrafficSelector.of("0.0.0.0/0")
ANY_IPV6: Final = TrafficSelector.of("::/0")


def narrow(proposed: Iterable[TrafficSelector], policy: Iterable[TrafficSelector]) -> tuple[TrafficSelector, ...]:
    """What of the proposal the policy allows, in the proposal's order; empty: TS_UNACCEPTABLE (RFC 7296 2.9).

    No selector of the result lies inside another one.
    """
    allowed = tuple(policy)
    found: list[TrafficSelector] = []
    for wish in proposed:
        for limit in allowed:
            both = wish & limit
            if both is not None and not any(both in kept for kept in found):
                found = [kept for kept in found if kept not in both]
                found.append(both)
    return tuple(found)


def covers(outer: Iterable[TrafficSelector], inner: Iterable[TrafficSelector]) -> bool:
    """Whether each selector of `inner` lies inside one of `outer`: what a narrowed answer must do."""
    limits = tuple(outer)
    return all(any(each in limit for limit in limits) for each in inner)


def _common_ports(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int] | None:
    if OPAQUE_PORTS in (a, b):
        # ANY includes OPAQUE (RFC 4301 4.4.1.1); a range of ports does not.
        return OPAQUE_PORTS if {a, b} <= {ANY_PORTS, OPAQUE_PORTS} else None
    low, high = max(a[0], b[0]), min(a[1], b[1])
    return (low, high) if low <= high else None


def _ports_text(ports: tuple[int, int]) -> str:
    if ports == ANY_PORTS:
        return ""
    if ports == OPAQUE_PORTS:
        return "/opaque"
    return f"/{ports[0]}" if ports[0] == ports[1] else f"/{ports[0]}-{ports[1]}"
