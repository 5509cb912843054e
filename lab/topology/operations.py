"""The operations that stand a topology up, as data. Each says in one line what it does, and in words what undoes it.

Nothing here touches the machine: `plan` orders them, the holder applies them. All happens in namespaces of the lab's
own, so what an undo names is also what the kernel does by itself when the lab's last process goes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from netaddr import EUI, IPAddress, IPNetwork

from lab.model.impairment import Impairment
from lab.topology.network_operations import NetworkOperation


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateSecret:
    """Make a secret of `octets` random octets, as hex digits, in a vault that lives in the lab's own folder."""

    kind: ClassVar[str] = "generate-secret"
    vault: str
    secret: str
    octets: int

    def __str__(self) -> str:
        return f"make secret {self.secret} of {self.octets} random octets in vault {self.vault} of the lab's own"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete vault {self.vault} with the lab's folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNamespace:
    """Make a node's network namespace."""

    kind: ClassVar[str] = "create-namespace"
    node: str

    def __str__(self) -> str:
        return f"{self.node}: create the network namespace"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete the network namespace of {self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSysctl:
    """Write a value under /proc/sys of a node; `path` is relative to it, as in `net/ipv4/ip_forward`."""

    kind: ClassVar[str] = "set-sysctl"
    node: str
    path: str
    value: str

    def __str__(self) -> str:
        return f"{self.node}: set {self.path} to {self.value}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"goes with the namespace of {self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireEnd:
    """One end of a veth pair."""

    node: str
    device: str
    mac: EUI

    def __str__(self) -> str:
        return f"{self.node}:{self.device} ({self.mac})"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWire:
    """Make a veth pair with an end in each of two namespaces, both ends down. `mtu` is that of both ends."""

    kind: ClassVar[str] = "create-wire"
    segment: str
    a: WireEnd
    b: WireEnd
    mtu: int

    def __str__(self) -> str:
        return f"{self.segment}: join {self.a} and {self.b} by a veth pair of MTU {self.mtu}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete {self.a.node}:{self.a.device}, and with it its other end"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisableOffloads:
    """Switch offloads off, so that a wire carries single frames with their checksums filled in."""

    kind: ClassVar[str] = "disable-offloads"
    node: str
    device: str
    offloads: tuple[str, ...] = ("tso", "gso", "gro", "tx-checksum")

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: switch off {', '.join(self.offloads)}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"goes with {self.node}:{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeArriving:
    """Let a node's kernel merge runs of frames once they have arrived (GRO): on the wire they are single ones."""

    kind: ClassVar[str] = "merge-arriving"
    node: str
    device: str

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: merge what has arrived (gro)"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"goes with {self.node}:{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartCapture:
    """Copy every frame that passes a segment, both ways, from the first one on, at one end of its wire.

    `at_far_end` says that this is the segment's second end; directions are told as the first one sees them.
    """

    kind: ClassVar[str] = "start-capture"
    segment: str
    node: str
    device: str
    at_far_end: bool

    def __str__(self) -> str:
        return f"{self.segment}: capture at {self.node}:{self.device} into captures/{self.segment}.pcapng"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return "stop the capture; the file stays in the lab's folder"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateControlledPort:
    """Make the TAP through which a node sends and receives what is tagged or protected on the wire below."""

    kind: ClassVar[str] = "create-controlled-port"
    node: str
    device: str
    wire: str
    mac: EUI
    mtu: int

    def __str__(self) -> str:
        return f"{self.node}: create TAP {self.device} ({self.mac}) of MTU {self.mtu} over {self.wire}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete {self.node}:{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress:
    """Give a device an address."""

    kind: ClassVar[str] = "add-address"
    node: str
    device: str
    address: IPNetwork

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: add address {self.address}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete address {self.address} of {self.node}:{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BringUp:
    """Set a device up."""

    kind: ClassVar[str] = "bring-up"
    node: str
    device: str

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: bring up"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"set {self.node}:{self.device} down"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTunnelDevice:
    """Make the TUN through which a gateway takes and gives what goes through a tunnel. Nothing in clear leaves it."""

    kind: ClassVar[str] = "create-tunnel-device"
    node: str
    device: str
    connection: str
    mtu: int

    def __str__(self) -> str:
        return f"{self.node}: create TUN {self.device} of MTU {self.mtu} for {self.connection}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete {self.node}:{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTunnelRoute:
    """Route a prefix into a tunnel; several tunnels share the load by flow."""

    kind: ClassVar[str] = "add-tunnel-route"
    node: str
    destination: IPNetwork
    devices: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.node}: route {self.destination} into {' and '.join(self.devices)}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete the route of {self.node} to {self.destination}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddBackstop:
    """Refuse what is meant for a prefix when none of its tunnels takes it; no wider route shall carry it in clear."""

    kind: ClassVar[str] = "add-backstop"
    node: str
    destination: IPNetwork

    def __str__(self) -> str:
        return f"{self.node}: refuse {self.destination} where no tunnel takes it"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete the last route of {self.node} to {self.destination}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartDriver:
    """Start the process that carries a node's frames on these segments, and what goes through these tunnels."""

    kind: ClassVar[str] = "start-driver"
    node: str
    segments: tuple[str, ...]
    connections: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.node}: start the driver of {', '.join((*self.segments, *self.connections))}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"stop the driver of {self.node}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoute:
    """Add a static route; several next hops share the load by flow."""

    kind: ClassVar[str] = "add-route"
    node: str
    destination: IPNetwork
    via: tuple[IPAddress, ...]

    def __str__(self) -> str:
        return f"{self.node}: route {self.destination} via {' and '.join(map(str, self.via))}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"delete the route of {self.node} to {self.destination}"


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTunnels:
    """Let a gateway begin to negotiate these connections, and wait a while until they are up."""

    kind: ClassVar[str] = "start-tunnels"
    node: str
    connections: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.node}: begin to negotiate {', '.join(self.connections)}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"close {', '.join(self.connections)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeDown:
    """Set a device down. No plan has it; it is how a link is cut while a lab runs."""

    kind: ClassVar[str] = "take-down"
    node: str
    device: str

    def __str__(self) -> str:
        return f"{self.node}:{self.device}: take down"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return f"bring {self.node}:{self.device} up"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpairWire:
    """Have a man in the middle do to the frames of a segment what the topology says, each direction by itself."""

    kind: ClassVar[str] = "impair-wire"
    segment: str
    a: str
    b: str
    a_to_b: Impairment
    b_to_a: Impairment
    seed: int

    def __str__(self) -> str:
        ways = ((self.a, self.b, self.a_to_b), (self.b, self.a, self.b_to_a))
        said = (f"from {near} to {far}: {suffered}" for near, far, suffered in ways if not suffered.is_none)
        return f"{self.segment}: impair, one way, {'; '.join(said)}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return "take the man in the middle away; the wire is the direct one again"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaitSecured:
    """Wait until MKA has secured these segments, for at most so many seconds; then go on in any case."""

    kind: ClassVar[str] = "await-secured"
    segments: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return f"wait up to {self.seconds:g} s for MKA to secure {', '.join(self.segments)}"

    @property
    def undo(self) -> str:
        """What undoes it."""
        return "nothing to undo"


Operation = (
    GenerateSecret
    | CreateNamespace
    | SetSysctl
    | CreateWire
    | DisableOffloads
    | MergeArriving
    | StartCapture
    | CreateControlledPort
    | CreateTunnelDevice
    | AddAddress
    | BringUp
    | StartDriver
    | AddRoute
    | AwaitSecured
    | AddTunnelRoute
    | AddBackstop
    | StartTunnels
    | TakeDown
    | ImpairWire
    | NetworkOperation
)
