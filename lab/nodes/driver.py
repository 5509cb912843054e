"""The driver of a node: a process of its own, in the node's namespace, that runs the node's parts in one loop.

It hears and answers process 1 by its line. A key that it uses is in the lab's key log before the first frame under it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, final

from dataplane.batch import Batch
from dataplane.wire.ethernet import HEADER_OCTETS, TAG_OCTETS
from lab.errors import InputError
from lab.host.channel import Channel, Message
from lab.model.topology import Node, Topology
from lab.nodes.line import Line
from lab.nodes.loop import Loop
from lab.nodes.part import Part

# Enough frames to make the fixed cost of a turn small, few enough octets to stay in the processor's cache.
_BATCH_OCTETS: Final = 192 << 10
_LEAST_SLOTS, _MOST_SLOTS = 16, 128


def run(node: Node, topology: Topology, secrets: Mapping[str, bytes], control: Channel) -> None:
    """Be the driver of `node` until told to stop, or until nobody is left to tell.

    Raises:
        InputError: a secret is not what its link needs.
        MachineError: a device is not there, or may not be used.
    """
    driver = _Driver(node, Line(node.name, control))
    try:
        driver.open(topology, secrets)
        driver.line.ready()
        driver.loop.run()
    except (EOFError, BrokenPipeError):
        return  # process 1 has gone, and with it the lab
    finally:
        driver.close()


@final
class _Driver:
    """A driver's loop, line and parts."""

    def __init__(self, node: Node, line: Line) -> None:
        self.loop: Final = Loop()
        self.line: Final = line
        self._node: Final = node
        self._parts: Final[list[Part]] = []

    def open(self, topology: Topology, secrets: Mapping[str, bytes]) -> None:
        """Open everything; parts begin to work when the keys are on file."""
        ends = [(link, end) for link, end in topology.interfaces(self._node.name) if end.controlled_device]
        clear, wire = _work_space(max((end.wire_mtu for _, end in ends), default=HEADER_OCTETS))
        if ends:
            from lab.nodes.link_end import LinkEnd  # a node pays for the engines that it has
        for link, end in ends:
            self._parts.append(LinkEnd(link, end, secrets, self.line, clear, wire))
        if topology.tunnels(self._node.name):
            from lab.nodes.gateway import Gateway

            self._parts.append(Gateway(self._node.name, topology, secrets, self.line))
        self.line.write_keys(record for part in self._parts for record in part.key_records)
        for part in self._parts:
            part.join(self.loop)
        self.loop.watch(self.line, self._listen)
        self.loop.time(self)

    def next_timeout(self) -> float | None:
        """At once, when something was said while a part waited for its keys to be on file."""
        return -math.inf if self.line.has_waiting else None

    def handle_timer(self, now: float) -> None:
        """Listen to what was said meanwhile."""
        del now
        self._listen()

    def close(self) -> None:
        """Close the parts and the loop."""
        for part in self._parts:
            part.close()
        self.loop.close()

    def _listen(self) -> bool:
        """Do what process 1 says."""
        while (message := self.line.receive()) is not None:
            match message["type"]:
                case "stop":
                    self.loop.stop()
                case "status":
                    self.line.status(message, self._status())
                case "command":
                    self._command(message)
        return False

    def _command(self, message: Message) -> None:
        """Pass a command on to the part that it names by `part`."""
        name = message.get("part")
        try:
            for part in self._parts:
                if part.name == name:
                    self.line.reply(message, part.command(message["verb"], message))
                    return
            names = ", ".join(part.name for part in self._parts)
            raise InputError(f"the driver of {self._node.name} has no part {name!r}; it has {names or 'none'}")
        except InputError as error:
            self.line.refuse(message, str(error))

    def _status(self) -> dict[str, object]:
        status: dict[str, dict[str, object]] = {"segments": {}}
        for part in self._parts:
            status.setdefault(part.kind, {})[part.name] = part.status()
        return dict(status)


def _work_space(wire_mtu: int) -> tuple[Batch, Batch]:
    """Two batches for frames of this MTU, which may have a tag more than it allows for."""
    # An odd number of cache lines, so that the same column of consecutive slots does not fall on the same few sets.
    size = (wire_mtu + HEADER_OCTETS + TAG_OCTETS + 63) // 64 * 64 | 64
    slots = min(_MOST_SLOTS, max(_LEAST_SLOTS, _BATCH_OCTETS // size))
    return Batch(slots, size), Batch(slots, size)
