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
from lab.errors import MachineError
from lab.host.channel import Channel, Message
from lab.host.packet import PacketPort
from lab.host.tap import Kind, TunTapPort
from lab.model.link import Interface, Link
from lab.model.topology import Node, Topology
from lab.nodes.edge import Edge
from lab.nodes.loop import Loop
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
