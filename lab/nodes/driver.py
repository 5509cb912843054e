"""The driver of a node: it opens the ports of the node's tagged and protected links, keys them, and moves frames.

It runs in a process of its own, in the node's namespace, and hears and answers process 1 by its channel. A key that it
uses is in the lab's key log before the first frame under it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, final

from dataplane.batch import Batch
from dataplane.macsec.events import PnExhausted, SecyEvent
from dataplane.macsec.secy import SecY
from dataplane.wire.ethernet import HEADER_OCTETS, TAG_OCTETS
from lab.host.channel import Channel, Message
from lab.host.packet import PacketPort, keep_kernel_off
from lab.host.tap import Kind, TunTapPort
from lab.model.link import Interface, Link
from lab.model.topology import Node, Topology
from lab.nodes.edge import Edge
from lab.nodes.loop import Loop, Turn
from lab.nodes.static import static_secy
from lab.ports.port import Port
from lab.ports.tagged import TaggedPort

# Enough frames to make the fixed cost of a turn small, few enough octets to stay in the processor's cache.
_BATCH_OCTETS: Final = 192 << 10
_LEAST_SLOTS, _MOST_SLOTS = 16, 128


def run(node: Node, topology: Topology, secrets: Mapping[str, bytes], control: Channel) -> None:
    """Be the driver of `node` until told to stop, or until nobody is left to tell.

    Raises:
        InputError: a secret is not what its link needs.
        MachineError: a device is not there, or may not be used.
    """
    driver = _Driver(node, control)
    try:
        driver.open(topology, secrets)
        control.send({"type": "ready"})
        driver.loop.run()
    except (EOFError, BrokenPipeError):
        return  # process 1 has gone, and with it the lab
    finally:
        driver.close()


@final
class _Driver:
    """A driver's loop and edges, by segment."""

    def __init__(self, node: Node, control: Channel) -> None:
        self.loop: Final = Loop()
        self._node: Final = node
        self._control: Final = control
        self._edges: Final[dict[str, Edge]] = {}

    def open(self, topology: Topology, secrets: Mapping[str, bytes]) -> None:
        """Open and key everything; return when the keys are on file."""
        ends = [(link, end) for link, end in topology.interfaces(self._node.name) if end.controlled_device]
        clear, wire = _work_space(max((end.wire_mtu for _, end in ends), default=HEADER_OCTETS))
        records = []
        for link, end in ends:
            secy = None
            if link.macsec is not None:
                keyed = static_secy(link, end, link.macsec, secrets)
                secy = keyed.secy
                records.append(keyed.key_record)
            controlled, common = _open_ports(link, end)
            edge = Edge(controlled=controlled, common=common, secy=secy, clear=clear, wire=wire)
            self._edges[link.segment] = edge
            self.loop.watch(controlled, edge.outward if secy is None else self._telling(link.segment, secy, edge))
            self.loop.watch(common, edge.inward)
        self._write_keys(records)
        self.loop.watch(self._control, self._listen)

    def close(self) -> None:
        """Close the ports and the loop."""
        for edge in self._edges.values():
            edge.close()
        self.loop.close()

    def _telling(self, segment: str, secy: SecY, edge: Edge) -> Turn:
        """The outward turn of an edge whose SecY may have something to tell afterwards: PNs are used by sending."""

        def turn() -> bool:
            more = edge.outward()
            while (event := secy.next_event()) is not None:
                self._control.send({"type": "event", "node": self._node.name, "segment": segment, **_event(event)})
            return more

        return turn

    def _write_keys(self, records: list[Mapping[str, object]]) -> None:
        """Have the keys on file before anything is sent under them."""
        for record in records:
            self._control.send({"type": "key", "record": record})
        written = 0
        while written < len(records):
            self._control.wait()
            message = self._control.receive()
            if message is not None and message["type"] == "key-written":
                written += 1
            elif message is not None and message["type"] == "stop":
                raise EOFError

    def _listen(self) -> bool:
        """Do what process 1 says."""
        while (message := self._control.receive()) is not None:
            match message["type"]:
                case "stop":
                    self.loop.stop()
                case "status":
                    self._control.send({"type": "status", "id": message["id"], "status": self._status()})
                case "command":
                    error = f"the driver of {self._node.name} knows no verb {message['verb']!r}"
                    self._control.send({"type": "reply", "id": message["id"], "error": error})
        return False

    def _status(self) -> Message:
        return {"segments": {segment: edge.status() for segment, edge in self._edges.items()}}


def _event(event: SecyEvent) -> dict[str, object]:
    if isinstance(event, PnExhausted):
        return {"event": "pn-exhausted", "an": event.an}
    return {"event": "pn-threshold", "an": event.an, "next_pn": event.next_pn}


def _open_ports(link: Link, end: Interface) -> tuple[Port, Port]:
    """The controlled and the common port of one end; tags are put on and taken off between TAP and SecY."""
    assert end.controlled_device is not None
    controlled: Port = TunTapPort(end.controlled_device, Kind.TAP)
    if link.tag.vids:
        controlled = TaggedPort(controlled, link.tag.vids)
    try:
        common = PacketPort(end.device)
        keep_kernel_off(end.device)
    except BaseException:
        controlled.close()
        raise
    return controlled, common


def _work_space(wire_mtu: int) -> tuple[Batch, Batch]:
    """Two batches for frames of this MTU, which may have a tag more than it allows for."""
    # An odd number of cache lines, so that the same column of consecutive slots does not fall on the same few sets.
    size = (wire_mtu + HEADER_OCTETS + TAG_OCTETS + 63) // 64 * 64 | 64
    slots = min(_MOST_SLOTS, max(_LEAST_SLOTS, _BATCH_OCTETS // size))
    return Batch(slots, size), Batch(slots, size)
