"""A topology stood up by its plan, without process 1 and without captures: what runs in its nodes, and nothing else."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.host.channel import Channel, Message
from lab.host.namespaces import Place
from lab.host.processes import fork
from lab.model.topology import Topology
from lab.nodes import driver
from lab.topology.load import loads
from lab.topology.operations import CreateNamespace, GenerateSecret, Operation, StartCapture, StartDriver, StartTunnels
from lab.topology.plan import plan

_OWN = (CreateNamespace, GenerateSecret, StartCapture, StartDriver, StartTunnels)

GATEWAYS = """
name: gateways
vaults: {{kv-test: {{psk: {{random: 32}}, other: {{random: 32}}}}}}
nodes:
  a: {{role: vpn-device, routes: []}}
  b: {{role: vnet-gateway, routes: []}}
links:
  - {{ends: [a:wire0, b:wire0], addresses: [203.0.113.1/30, 203.0.113.2/30], mtu: {wire_mtu}}}
connections:
  - name: t
    ends:
      a: {{address: 203.0.113.1, prefixes: 192.168.0.0/16, tunnel_addresses: 10.9.0.1/30{a}}}
      b: {{address: 203.0.113.2, prefixes: 10.0.0.0/16, tunnel_addresses: 10.9.0.2/30{b}}}
    psk: https://kv-test.vault.azure.net/secrets/psk
    mtu: {mtu}
    mss: 0
    encapsulation: {encapsulation}
    {more}
expect: {{a--b: ipsec}}
traffic: [[a, b]]
"""
ADDRESSES = {"a": "10.9.0.1", "b": "10.9.0.2"}

CBC = (
    "policy: {saLifeTimeSeconds: 3600, saDataSizeKilobytes: 102400000, ipsecEncryption: AES256, "
    "ipsecIntegrity: SHA256, ikeEncryption: AES256, ikeIntegrity: SHA256, dhGroup: DHGroup14, pfsGroup: PFS2048}"
)
GCM = (
    "policy: {saLifeTimeSeconds: 3600, saDataSizeKilobytes: 102400000, ipsecEncryption: GCMAES256, "
    "ipsecIntegrity: GCMAES256, ikeEncryption: GCMAES256, ikeIntegrity: SHA384, dhGroup: ECP384, pfsGroup: ECP384}"
)


def gateways(
    *, encapsulation: str = "auto", mtu: int = 1400, wire_mtu: int = 1500, a: str = "", b: str = "", more: str = GCM
) -> Topology:
    """Two gateways on one wire and a tunnel between them; `a` and `b` are more keys of its ends, `more` of itself."""
    ends = {"a": f", {a}" if a else "", "b": f", {b}" if b else ""}
    text = GATEWAYS.format(encapsulation=encapsulation, mtu=mtu, wire_mtu=wire_mtu, more=more, **ends)
    return loads(text, "gateways.yaml")


def shared_keys_of(topology: Topology) -> dict[str, bytes]:
    """A shared key for each reference."""
    ends = [end for connection in topology.connections for end in connection.ends]
    return {str(end.psk): f"key {end.psk.secret}".encode() for end in ends}


@dataclass(slots=True, kw_only=True)
class Stage:
    """A topology at work, in an isolated world. `keys` and `events` collect what its drivers said."""

    topology: Topology
    home: Place = field(default_factory=Place.here)
    places: dict[str, Place] = field(default_factory=dict)
    channels: dict[str, Channel] = field(default_factory=dict)
    keys: list[Message] = field(default_factory=list)
    events: list[Message] = field(default_factory=list)
    pids: dict[str, int] = field(default_factory=dict)
    _ready: set[str] = field(default_factory=set)

    def wire(self) -> None:
        """Make namespaces, devices, addresses and routes; nobody moves packets yet."""
        # Its library has a descriptor from its import on, so it is for the process that uses it.
        from lab.holder.wiring import Wirer

        operations = plan(self.topology)
        for operation in operations:
            if isinstance(operation, CreateNamespace):
                self.places[operation.node] = Place.create(operation.node)
        wired: list[Operation] = [operation for operation in operations if not isinstance(operation, _OWN)]
        answer = Wirer(self.places).apply(wired)
        assert "error" not in answer, answer
        self.home.enter()

    def drive(self, secrets: Mapping[str, bytes] | None = None) -> None:
        """Start the drivers, wait until they are ready, and let gateways negotiate."""
        keys = shared_keys_of(self.topology) if secrets is None else secrets
        drivers = [operation for operation in plan(self.topology) if isinstance(operation, StartDriver)]
        for operation in drivers:
            self._start(operation.node, keys)
        while len(self._ready) < len(drivers):
            self._listen(lambda message: message["type"] == "ready", None)
        for node in self.topology.nodes:
            if self.topology.tunnels(node.name):
                self.command(node.name, "begin")

    def _start(self, node: str, secrets: Mapping[str, bytes]) -> None:
        ours, theirs = Channel.pair()
        place = self.places[node]

        def run() -> None:
            place.enter()
            driver.run(self.topology.node(node), self.topology, secrets, theirs)

        self.pids[node] = fork(run, keep=(theirs.fileno(), place.net, place.uts))
        theirs.close()
        self.channels[node] = ours

    def command(self, node: str, verb: str, **fields: object) -> Any:
        """Have a gateway do something; its answer."""
        self.channels[node].send({"type": "command", "id": 1, "part": node, "verb": verb, **fields})
        answer = self._listen(lambda message: message["type"] == "reply", node)
        assert "error" not in answer, answer
        return answer["result"]

    def status(self, node: str, connection: str = "t") -> dict[str, Any]:
        """What a gateway says of a connection."""
        self.channels[node].send({"type": "status", "id": 1})
        answer = self._listen(lambda message: message["type"] == "status", node)
        status: dict[str, Any] = answer["status"]["gateways"][node]["connections"][connection]
        return status

    def await_state(self, state: str = "Connected", connection: str = "t", patience: float = 30) -> None:
        """Wait until both ends of a connection are so."""
        deadline = time.monotonic() + patience
        ends = [end.node for each in self.topology.connections if each.name == connection for end in each.ends]
        while {node: found for node in ends if (found := self.status(node, connection)["state"]) != state}:
            assert time.monotonic() < deadline, {node: self.status(node, connection) for node in ends}
            time.sleep(0.02)

    def _listen(self, wanted: Callable[[Message], bool], node: str | None) -> Message:
        """Hear all drivers until this one, or any, says what is wanted; keys that they show are written at once."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for other, channel in self.channels.items():
                while (message := channel.receive()) is not None:
                    if message["type"] == "key":
                        self.keys.append(message["record"])
                        channel.send({"type": "key-written"})
                    elif message["type"] == "event":
                        self.events.append(message)
                    else:
                        if message["type"] == "ready":
                            self._ready.add(other)
                        if node in (None, other) and wanted(message):
                            return message
            time.sleep(0.002)
        raise AssertionError(f"{node} does not say it")

    def run(self, node: str, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command at a node, in a session of its own, as a lab's user does: the drivers share one."""
        with self.places[node].visit(self.home):
            return subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=timeout, start_new_session=True
            )

    def start(self, node: str, *command: str) -> subprocess.Popen[str]:
        """Start a command at a node, in a session of its own, too."""
        with self.places[node].visit(self.home):
            return subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
            )
