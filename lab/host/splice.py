"""One end of a wire as a man in the middle has it: all that the node sends there, and a way to the other end.

A wire is a veth pair, used at each end by the kernel itself or by a driver's packet socket. To get between its ends
nothing of it is changed: an nftables rule at the egress hook, where frames of either kind come by, forwards
them to a TAP that this process reads. Frames that this process sends on the device bear a mark, which the rule lets
pass: to whoever looks, captures included, they are what the wire carries. Without the rule and the TAP the wire is the
direct one again: the same devices, with the same numbers.

Should this process die, its TAP goes at once, and the rule then loses what it forwards: the wire is dead, not open,
until somebody calls `nftables.restore` for its device.

All of it works in a user namespace. Other ways do not, or not as well: tc's mirred action and bpf programs are not in
every kernel, or not for every user; new veth pairs with a bridge of ours between would take the devices away from the
sockets that are open on them.
"""

from __future__ import annotations

import os
from typing import Final, final

from dataplane.batch import Batch
from lab.host import nftables
from lab.host.devices import attach_tap, bring_up, has_link, transmit_dropped
from lab.host.mmsg import MessageVector
from lab.host.wire import MARK, open_marked_socket
from lab.ports.counters import PortCounters

_SUFFIX: Final = ".mim"  # a wire's device leaves room for it, as for .sec


@final
class SplicedEnd:
    """A port: it receives what the node sends on `device`, and sends to the far end of the wire.

    Until `restore` the node's frames pass here alone. Made, restored and asked for `overrun` in the node's namespace;
    the rest works from anywhere.
    """

    def __init__(self, device: str) -> None:
        """Get between `device` and the far end of its wire.

        Raises:
            MachineError: this machine cannot, or somebody else is there already.
        """
        self.counters: Final = PortCounters()
        self._device: Final = device
        self._tap: Final = device + _SUFFIX
        self._vectors: Final[dict[Batch, MessageVector]] = {}
        self._socket: Final = open_marked_socket(device)
        self._descriptor = -1
        try:
            self._descriptor = attach_tap(self._tap)
            bring_up(self._tap)
            has_link(self._tap)
            nftables.divert(device, self._tap, mark=MARK)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """The descriptor, readable when frames wait; -1 when closed."""
        return self._descriptor

    def receive(self, batch: Batch) -> int:
        """Fill the batch with frames that the node has sent. One that fills its slot to the brim may have been cut."""
        batch.clear()
        octets = 0
        while batch.count < batch.slots:
            try:
                length = os.readv(self._descriptor, [batch.views[batch.count]])
            except BlockingIOError:
                break
            if length == batch.size:
                self.counters.receive_errors += 1
                continue
            batch.lengths[batch.count] = length
            batch.count += 1
            octets += length
        self.counters.count_received(batch.count, octets)
        return batch.count

    def send(self, batch: Batch) -> int:
        """Put the frames on the wire, towards its far end; give how many the kernel took."""
        vector = self._vectors.get(batch)
        if vector is None:
            vector = self._vectors[batch] = MessageVector(batch, control=False)
        taken, octets = vector.send(self._socket.fileno())
        self.counters.count_sent(taken, octets, batch.count - taken)
        return taken

    def overrun(self) -> int:
        """How many frames the node sent that were lost because nobody read them in time."""
        return transmit_dropped(self._tap)

    def restore(self, meanwhile: nftables.Meanwhile) -> None:
        """Divert nothing any more; what was diverted up to then can still be received. Calls `meanwhile` until done.

        Raises:
            MachineError: the kernel refused.
        """
        nftables.restore(self._device, meanwhile)

    def close(self) -> None:
        """Let go of the TAP, which is gone then, and of the way to the far end. Twice is fine."""
        self._socket.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
