"""Two nodes and the link between them, wired as a lab wires it, for tests of what runs at its ends."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netaddr import EUI, IPNetwork

from lab.host import devices
from lab.host.channel import Channel, Message
from lab.host.namespaces import Place
from lab.host.processes import fork
from lab.model.link import Interface, Link, Tag, TagKind
from lab.model.macsec import MacsecPolicy, SciEncoding, StaticKeys
from lab.model.roles import Role
from lab.model.secret import SecretReference
from lab.model.topology import Node, Topology
from lab.nodes import driver
from lab.topology.operations import WireEnd

ADDRESSES = {"a": "10.9.0.1", "b": "10.9.0.2"}
OTHER = {"a": "b", "b": "a"}
_OVERHEAD = 32

if TYPE_CHECKING:
    from lab.host.netlink import Netlink


def reference(node: str) -> SecretReference:
    return SecretReference(vault="kv-test", secret=f"sak-{node}")


def pair_topology(
    *,
    mtu: int = 1500,
    suite: str | None = "GCM-AES-128",
    vids: tuple[int, ...] = (),
    sci_encoding: SciEncoding = SciEncoding.EXPLICIT,
    confidentiality: bool = True,
    confidentiality_offset: int = 0,
    replay_window: int = 0,
) -> Topology:
    """Nodes a and b; `suite` None leaves the link unprotected. `mtu` is that of the controlled ports."""
    wire_mtu = mtu + 4 * len(vids) + (_OVERHEAD if suite else 0)
    ends = [
        Interface(
            node=node,
            device="wire0",
            controlled_device="tap0",
            mac=EUI((2 << 40) + number),
            addresses=(IPNetwork(f"{ADDRESSES[node]}/24"), IPNetwork(f"fd09::{number}/64")),
            mtu=mtu,
            wire_mtu=wire_mtu,
        )
        for number, node in enumerate("ab", 1)
    ]
    policy = None
    if suite is not None:
        policy = MacsecPolicy(
            cipher_suite=suite,
            sci_encoding=sci_encoding,
            confidentiality=confidentiality,
            confidentiality_offset=confidentiality_offset,
            replay_window=replay_window,
            keys=StaticKeys(saks=tuple((node, reference(node)) for node in "ab")),
        )
    kind = (TagKind.NONE, TagKind.DOT1Q, TagKind.QINQ)[len(vids)]
    tag = Tag(kind=kind, s_vid=vids[0] if len(vids) == 2 else None, c_vid=vids[-1] if vids else None)
    link = Link(segment="a--b", a=ends[0], b=ends[1], tag=tag, bandwidth_gbps=None, macsec=policy, expect=None)
    nodes = tuple(Node(name=node, role=Role.ROUTER, loopback_addresses=(), routes=()) for node in "ab")
    return Topology(
        name="pair", source="pair.yaml", description="", nodes=nodes, links=(link,), traffic=(), generated_secrets=()
    )


def secrets_of(topology: Topology) -> dict[str, bytes]:
    """A SAK, and salt where there is to be one, for each node."""
    policy = topology.links[0].macsec
    if policy is None:
        return {}
    octets = (32 if "256" in policy.cipher_suite else 16) + (12 if policy.is_xpn else 0)
    salt = bytes(12) if policy.is_xpn else b""
    return {str(reference(node)): node.encode() * (octets - len(salt)) + salt for node in "ab"}


Forward = Callable[[str, Channel], None]


@dataclass(slots=True, kw_only=True)
class Pair:
    """The pair at work, in an isolated world. `keys` collects what its drivers have had written to the key log."""

    topology: Topology
    home: Place = field(default_factory=Place.here)
    places: dict[str, Place] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    keys: list[Message] = field(default_factory=list)

    def wire(self) -> None:
        """Make namespaces and devices, and bring all up; nobody moves frames yet."""
        # Its library has a descriptor from its import on, so it is for the process that uses it.
        from lab.host.netlink import Netlink

        for node in "ab":
            self.places[node] = Place.create(node)
            for path in ("all", "default"):
                devices.write_sysctl(f"net/ipv6/conf/{path}/disable_ipv6", "1")
        link = self.topology.links[0]
        ends = [WireEnd(node=end.node, device=end.device, mac=end.mac) for end in link.ends]
        self.places["a"].enter()
        Netlink().create_wire(ends[0], ends[1], link.a.wire_mtu, self.places["b"].net)
        for end in link.ends:
            self.places[end.node].enter()
            self._finish(end, Netlink())
        self.home.enter()

    def _finish(self, end: Interface, netlink: Netlink) -> None:
        assert end.controlled_device is not None
        devices.disable_offloads(end.device, ("tso", "gso", "gro", "tx-checksum"))
        devices.create_tap(end.controlled_device)
        netlink.set_mac_and_mtu(end.controlled_device, end.mac, end.mtu)
        for name, value in (("addr_gen_mode", "1"), ("accept_dad", "0"), ("disable_ipv6", "0")):
            devices.write_sysctl(f"net/ipv6/conf/{end.controlled_device}/{name}", value)
        for address in end.addresses:
            netlink.add_address(end.controlled_device, address)
        for device in (end.device, end.controlled_device):
            netlink.bring_up(device)

    def drive(self, secrets: Mapping[str, bytes] | None = None) -> None:
        """Start both nodes' drivers, and wait until they are ready."""
        keys = secrets_of(self.topology) if secrets is None else secrets

        def forward(node: str, control: Channel) -> None:
            driver.run(self.topology.node(node), self.topology, keys, control)

        self.forward(forward)

    def forward(self, forward: Forward) -> None:
        """Start a process at each node that does `forward`, and wait until both are ready."""
        for node in "ab":
            ours, theirs = Channel.pair()
            place = self.places[node]

            def run(node: str = node, place: Place = place, theirs: Channel = theirs) -> None:
                place.enter()
                forward(node, theirs)

            fork(run, keep=(theirs.fileno(), place.net, place.uts))
            theirs.close()
            self.channels[node] = ours
        for node in "ab":
            while (message := self.hear(node))["type"] != "ready":
                if message["type"] == "key":
                    self.keys.append(message["record"])
                    self.channels[node].send({"type": "key-written"})

    def hear(self, node: str) -> Message:
        """The next message of a node's process."""
        channel = self.channels[node]
        assert channel.wait(20), f"{node} says nothing"
        message = channel.receive()
        assert message is not None
        return message

    def status(self, node: str) -> dict[str, Any]:
        """What a node's driver says of its end of the link."""
        self.channels[node].send({"type": "status", "id": 1})
        status: dict[str, Any] = self.hear(node)["status"]["segments"]["a--b"]
        return status

    def run(self, node: str, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command at a node."""
        with self.places[node].visit(self.home):
            return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)

    def start(self, node: str, *command: str) -> subprocess.Popen[str]:
        """Start a command at a node."""
        with self.places[node].visit(self.home):
            return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
