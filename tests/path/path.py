"""Whole paths over memory ports: edges, wires, and what is sent at one end and arrives at the other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from dataplane.batch import Batch
from dataplane.macsec.secy import SecY
from lab.model.topology import Topology
from lab.nodes.edge import Edge
from lab.nodes.static import static_secy
from lab.ports.memory import MemoryPort
from lab.ports.port import Port
from lab.ports.tagged import TaggedPort
from lab.ports.tapped import TappedPort
from tests.lab.pair import secrets_of

SLOTS, SIZE = 16, 1664


def send(port: Port, frames: Iterable[bytes]) -> None:
    """Send frames, by batches as small as they come."""
    batch = Batch(SLOTS, SIZE)
    for frame in frames:
        if batch.count == batch.slots:
            port.send(batch)
            batch.clear()
        batch.append(frame)
    port.send(batch)


def receive(port: Port) -> list[bytes]:
    """Everything that waits."""
    batch, frames = Batch(SLOTS, SIZE), []
    while port.receive(batch):
        frames += [bytes(frame) for frame in batch]
    return frames


@dataclass(slots=True)
class LinkPath:
    """Both edges of a link. `host[node]` is where the kernel would be; `on_wire` is what passed the link, both ways."""

    topology: Topology
    host: dict[str, MemoryPort] = field(default_factory=dict)
    edges: dict[str, Edge] = field(default_factory=dict)
    common: dict[str, Port] = field(default_factory=dict)
    on_wire: list[bytes] = field(default_factory=list)
    eapol: dict[str, list[bytes]] = field(default_factory=lambda: {"a": [], "b": []})

    @classmethod
    def make(cls, topology: Topology, **commons: Port) -> LinkPath:
        """Join both edges by a wire in memory; `a` and `b` in `commons` are other common ports to be used."""
        path = cls(topology)
        link = topology.links[0]
        wires = dict(zip("ab", MemoryPort.pair(), strict=True))
        clear, wire = Batch(SLOTS, SIZE), Batch(SLOTS, SIZE)
        for node in "ab":
            end = link.end(node)
            controlled: Port
            controlled, path.host[node] = MemoryPort.pair()
            if link.tag.vids:
                controlled = TaggedPort(controlled, link.tag.vids)
            common = commons.get(node, wires[node])
            path.common[node] = common
            secy = None
            if link.macsec is not None:
                secy = static_secy(link, end, link.macsec, secrets_of(topology)).secy
            path.edges[node] = Edge(
                controlled=controlled,
                common=TappedPort(common, lambda way, frame: path._saw(way.value, frame)),
                secy=secy,
                clear=clear,
                wire=wire,
                uncontrolled=path.eapol[node].append,
            )
        return path

    def _saw(self, way: str, frame: memoryview) -> None:
        if way == "sent":
            self.on_wire.append(bytes(frame))

    def run(self) -> None:
        """Let both edges move what there is until nothing moves."""
        before = -1
        while before != (before := self._moved()):
            for edge in self.edges.values():
                while edge.outward():
                    pass
                while edge.inward():
                    pass

    def _moved(self) -> int:
        return sum(
            port.counters.received + port.counters.sent + port.counters.receive_errors
            for port in (*self.host.values(), *self.common.values())
        )

    def across(self, frames: Iterable[bytes], *, sender: str = "a") -> list[bytes]:
        """Send at one host, and give what arrives at the other."""
        send(self.host[sender], frames)
        self.run()
        return receive(self.host["b" if sender == "a" else "a"])

    def secy(self, node: str) -> SecY:
        """The SecY of a node."""
        secy = self.edges[node].secy
        assert secy is not None
        return secy
