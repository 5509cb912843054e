"""Gateways over memory ports, on a clock that the test turns: what goes into a tunnel's device, and what is outside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from lab.model.topology import Topology
from lab.nodes.gateway import Gateway
from lab.nodes.tunnel import TunnelEnd
from lab.ports.memory import MemoryPort
from lab.ports.outer import MemoryNetwork, MemoryOuterPort
from tests.lab.stage import gateways, shared_keys_of
from tests.path.path import receive, send


@dataclass(slots=True)
class Told:
    """A line to nobody: what was said to process 1, and which keys are on file."""

    events: list[dict[str, object]] = field(default_factory=list)
    keys: list[Mapping[str, object]] = field(default_factory=list)

    def event(self, name: str, **fields: object) -> None:
        self.events.append({"event": name, **fields})

    def write_keys(self, records: Iterable[Mapping[str, object]]) -> None:
        self.keys += records

    def named(self, name: str) -> list[dict[str, object]]:
        return [event for event in self.events if event["event"] == name]


@dataclass(slots=True)
class World:
    """All gateways of a topology on one network. `host[node, connection]` is where the kernel would be."""

    topology: Topology
    now: float = 1000.0
    network: MemoryNetwork = field(default_factory=MemoryNetwork)
    gateways: dict[str, Gateway] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    host: dict[tuple[str, str], MemoryPort] = field(default_factory=dict)
    ports: dict[str, list[MemoryOuterPort]] = field(default_factory=dict)

    @classmethod
    def make(cls, topology: Topology | None = None, secrets: Mapping[str, bytes] | None = None) -> World:
        """Gateways that have not begun to negotiate."""
        world = cls(topology or gateways())
        keys = shared_keys_of(world.topology) if secrets is None else secrets
        for node in world.topology.nodes:
            if world.topology.tunnels(node.name):
                world._add(node.name, keys)
        return world

    @classmethod
    def up(cls, topology: Topology | None = None) -> World:
        """Gateways whose connections are up."""
        world = cls.make(topology)
        world.begin()
        assert {status["state"] for status in world.statuses().values()} == {"Connected"}, world.statuses()
        return world

    def _add(self, node: str, keys: Mapping[str, bytes]) -> None:
        devices = {end.device: connection.name for connection, end in self.topology.tunnels(node)}
        self.told[node] = Told()
        self.ports[node] = []

        def listen(local: Endpoint) -> MemoryOuterPort:
            port = self.network.port(local)
            self.ports[node].append(port)
            return port

        def attach(device: str) -> MemoryPort:
            inner, self.host[node, devices[device]] = MemoryPort.pair()
            return inner

        self.gateways[node] = Gateway(
            node, self.topology, keys, self.told[node], listen=listen, attach=attach, clock=lambda: self.now
        )

    def begin(self) -> None:
        """Let all of them negotiate, in the topology's order, until nothing moves."""
        for node in self.gateways.values():
            node.command("begin", {})
        self.run()

    def run(self) -> None:
        """Let everything move until nothing does."""
        before = -1
        while before != (before := self._moved()):
            for node, gateway in self.gateways.items():
                for tunnel in gateway.keying.tunnels.values():
                    while gateway.outward(tunnel):
                        pass
                for port in self.ports[node]:
                    while gateway.inward(port):
                        pass

    def _moved(self) -> int:
        counted = [port.counters for ports in self.ports.values() for port in ports]
        counted += [
            tunnel.tun.counters for gateway in self.gateways.values() for tunnel in gateway.keying.tunnels.values()
        ]
        return sum(each.received + each.sent + each.receive_errors for each in counted)

    def wait(self, seconds: float, step: float = 0.25) -> None:
        """Turn the clock, with everything that is due on the way."""
        end = self.now + seconds
        while self.now < end:
            due = min(gateway.keying.next_timeout() for gateway in self.gateways.values())
            self.now = min(end, max(self.now + 0.001, min(due, self.now + step) if due < math.inf else self.now + step))
            for gateway in self.gateways.values():
                if gateway.keying.next_timeout() <= self.now:
                    gateway.keying.handle_timer(self.now)
            self.run()

    def across(self, packets: Iterable[bytes], *, sender: str = "a", connection: str = "t") -> list[bytes]:
        """Route packets into a tunnel at one end, and give what comes out at the other."""
        (other,) = {end.node for each in self.topology.connections if each.name == connection for end in each.ends} - {
            sender
        }
        send(self.host[sender, connection], packets)
        self.run()
        return receive(self.host[other, connection])

    def cut(self, *, is_cut: bool = True) -> None:
        """Cut the network between all gateways, or mend it."""
        for ports in self.ports.values():
            for port in ports:
                port.is_cut = is_cut

    def tunnel(self, node: str, connection: str = "t") -> TunnelEnd:
        """One end of a tunnel."""
        return self.gateways[node].keying.tunnels[connection]

    def status(self, node: str, connection: str = "t") -> dict[str, Any]:
        """What a gateway says of a connection."""
        connections: Any = self.gateways[node].status()["connections"]
        status: dict[str, Any] = connections[connection]
        return status

    def statuses(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What all gateways say."""
        return {
            (node, name): self.status(node, name)
            for node, gateway in self.gateways.items()
            for name in gateway.keying.tunnels
        }


def batch_of(packets: Iterable[bytes]) -> Batch:
    """A batch of these packets."""
    made = Batch(128, 1664)
    for packet in packets:
        made.append(packet)
    return made
