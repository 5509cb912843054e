"""The operations for what BGP, Azure's resources and tunnels ask of nodes, as data; `operations` has all others.

Each says in one line what it does, and in words what undoes it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar

from netaddr import IPAddress, IPNetwork

from lab.model.filters import SecurityGroup


class RouteKind(enum.StrEnum):
    """What becomes of a packet that a route fits: it goes on, is dropped, or is looked up in the next table."""

    UNICAST = "unicast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    THROW = "throw"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTableRoute:
    """Add a route to the table of a subnet; by gateways, or by a device that its addresses are on."""

    kind: ClassVar[str] = "add-table-route"
    node: str
    table: int
    destination: IPNetwork
    route: RouteKind = RouteKind.UNICAST
    via: tuple[IPAddress, ...] = ()
    device: str | None = None

    def __str__(self) -> str:
        by = f" via {' and '.join(map(str, self.via))}" if self.via else f" by {self.device}" if self.device else ""
        what = "route" if self.route is RouteKind.UNICAST else str(self.route)
        return f"{self.node}: table {self.table}: {what} {self.destination}{by}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete the route of {self.node} to {self.destination} in table {self.table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRule:
    """Look up what comes from a subnet in the subnet's own table first."""

    kind: ClassVar[str] = "add-rule"
    node: str
    source: IPNetwork
    table: int

    def __str__(self) -> str:
        return f"{self.node}: what comes from {self.source} is looked up in table {self.table}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete the rule of {self.node} for {self.source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseClear:
    """Discard what comes in by a device in clear, to be passed on, although a tunnel is to bring it (RFC 4301 5.2)."""

    kind: ClassVar[str] = "refuse-clear"
    node: str
    device: str
    source: IPNetwork
    destination: IPNetwork

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: discard what comes from {self.source} to {self.destination} past the tunnel"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete the rule of {self.node} for what comes from {self.source} by {self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyFilter:
    """Let pass by a device what a network security group lets pass."""

    kind: ClassVar[str] = "apply-filter"
    node: str
    device: str
    group: SecurityGroup

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: filter by {self.group.name}, {len(self.group.rules)} rules"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"goes with the namespace of {self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitBandwidth:
    """Pass on no more than so much, in Mb/s, of what comes in by a device, and of what leaves by it."""

    kind: ClassVar[str] = "limit-bandwidth"
    node: str
    device: str
    mbps: int
    circuit: str

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: pass on {self.mbps} Mb/s each way, as circuit {self.circuit} has"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"goes with the namespace of {self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartBgp:
    """Start a node's BIRD. `sessions` are its neighbours, each with its AS."""

    kind: ClassVar[str] = "start-bgp"
    node: str
    asn: int
    sessions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.node}: start BIRD, AS {self.asn}, with {', '.join(self.sessions) or 'nobody'}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"end BIRD of {self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitSessions:
    """Wait until BGP sessions are established, for at most so many seconds; then go on in any case.

    `late`: those that may go through tunnels, else those of neighbours on a link.
    """

    kind: ClassVar[str] = "await-sessions"
    seconds: int
    late: bool

    def __str__(self) -> str:
        which = "through tunnels" if self.late else "over links"
        return f"wait up to {self.seconds} s for BGP sessions {which}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return "nothing to undo"


NetworkOperation = AddTableRoute | AddRule | RefuseClear | ApplyFilter | LimitBandwidth | StartBgp | AwaitSessions
