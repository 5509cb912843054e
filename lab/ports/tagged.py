"""VLAN tags around a port: put on what it receives, taken off what it is to send.

The port below is untagged, as a controlled port is; above, every frame carries the link's tags, outermost first, each
with EtherType 0x8100, also where there are two, as ExpressRoute's QinQ has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, final

from dataplane.batch import Batch
from lab.errors import InputError
from lab.ports.counters import PortCounters
from lab.ports.keep import keep
from lab.ports.port import Port

_ADDRESSES: Final = 12
_TPID: Final = b"\x81\x00"
_SIGNIFICANT: Final = b"\xff\xff\x0f\xff"


def tags_of(vids: Sequence[int]) -> bytes:
    """The octets of tags with these VLAN identifiers, outermost first, of priority 0.

    Raises:
        InputError: no VLAN has such an identifier (802.1Q-2018 9.6).
    """
    for vid in vids:
        if not 1 <= vid <= 4094:
            raise InputError(f"VLAN identifier {vid}: 1 to 4094 would be one")
    return b"".join(_TPID + vid.to_bytes(2, "big") for vid in vids)


def push(batch: Batch, tags: bytes) -> int:
    """Put `tags` behind the addresses of every frame; drop those that are then longer than a slot, and count them."""
    shift = len(tags)
    kept = []
    for index in range(batch.count):
        view, length = batch.views[index], batch.lengths[index]
        if _ADDRESSES <= length <= batch.size - shift:
            view[_ADDRESSES + shift : length + shift] = view[_ADDRESSES:length]
            view[_ADDRESSES : _ADDRESSES + shift] = tags
            batch.lengths[index] = length + shift
            kept.append(index)
    return _keep(batch, kept)


def pop(batch: Batch, tags: bytes) -> int:
    """Take `tags` off every frame, whatever their priority; drop frames without just these tags, and count them."""
    shift = len(tags)
    kept = []
    for index in range(batch.count):
        view, length = batch.views[index], batch.lengths[index]
        if length >= _ADDRESSES + shift and same_tags(view[_ADDRESSES : _ADDRESSES + shift], tags):
            view[_ADDRESSES : length - shift] = view[_ADDRESSES + shift : length]
            batch.lengths[index] = length - shift
            kept.append(index)
    return _keep(batch, kept)


def same_tags(found: memoryview, tags: bytes) -> bool:
    """Whether these octets are those tags, but for priority and drop eligibility (802.1Q-2018 9.6)."""
    if found == tags:
        return True
    mask = int.from_bytes(_SIGNIFICANT * (len(tags) // 4), "big")
    return int.from_bytes(found, "big") & mask == int.from_bytes(tags, "big")


def _keep(batch: Batch, kept: list[int]) -> int:
    dropped = batch.count - len(kept)
    if dropped:
        keep(batch, kept)
    return dropped


@final
class TaggedPort:
    """A port whose frames bear a link's tags on this side and none on the other."""

    def __init__(self, port: Port, vids: Sequence[int]) -> None:
        """Tag what `port` receives with these VLAN identifiers, outermost first.

        Raises:
            InputError: no VLAN has such an identifier.
        """
        self.counters: Final = PortCounters()
        self._port = port
        self._tags = tags_of(vids)

    def fileno(self) -> int:
        """The descriptor of the port below."""
        return self._port.fileno()

    def receive(self, batch: Batch) -> int:
        """Receive from the port below, and tag; what then is longer than a slot counts in `receive_errors`."""
        while self._port.receive(batch):
            self.counters.receive_errors += push(batch, self._tags)
            if batch.count:
                break
        self.counters.count_received(batch.count, sum(batch.lengths[: batch.count]))
        return batch.count

    def send(self, batch: Batch) -> int:
        """Untag, in place, and send by the port below; a frame with other tags, or none, is dropped and counted."""
        self.counters.wrong_tag += pop(batch, self._tags)
        octets = sum(batch.lengths[: batch.count])
        taken = self._port.send(batch)
        self.counters.count_sent(taken, octets, batch.count - taken)
        return taken

    def close(self) -> None:
        """Close the port below."""
        self._port.close()
