"""The capture process of a lab: every segment's frames, from before its wire comes up, into one pcapng each.

It says {"type": "ready"}, answers `status` and the command `flush` with what it has of each segment, and on `stop`
writes out what is left. A frame that could not be kept is counted and told; it is never silently missing.
"""

from __future__ import annotations

import selectors
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab.capture.frame import Direction
from lab.capture.pcapng import PcapngWriter
from lab.host.channel import Channel, Message
from lab.host.ring import RETIRE_SECONDS, PacketRing, PacketSocket, close_rings, open_rings

_MOST_BLOCKS: Final = 32  # of 256 KiB, for a tap: about five thousand frames of 1,500 octets
_ALL_BLOCKS: Final = 512  # for all taps of a lab together, as far as each can have two
_PATIENCE: Final = 5.0  # seconds for the kernel to hand over what it has counted: it needs hundredths


@dataclass(frozen=True, slots=True, kw_only=True)
class TapSpec:
    """One tap: a segment, and a packet socket that sees both directions at one of its ends.

    `device` and `description` are the segment's first end's; with `at_far_end` the tap is at the second one.
    """

    segment: str
    device: str
    description: str
    at_far_end: bool
    socket: PacketSocket


class Tap:
    """One segment's ring and its file. Directions are those of the segment's first end: outbound is from it."""

    def __init__(self, spec: TapSpec, ring: PacketRing, folder: Path) -> None:
        self.segment = spec.segment
        self.ring = ring
        self._file = (folder / f"{spec.segment}.pcapng").open("wb", buffering=1 << 20)
        self._writer = PcapngWriter(self._file, comments=(f"segment {spec.segment}",))
        self._writer.add_interface(name=spec.device, description=spec.description)
        self._directions = (Direction.INBOUND, Direction.OUTBOUND)  # of what comes to the tap's end, and leaves it
        if spec.at_far_end:
            self._directions = self._directions[::-1]
        self._frames = self._octets = 0
        self._file.flush()

    def drain(self) -> None:
        """Write what the ring holds, and hand it to the kernel, so that a reader of the file sees it.

        Not more than the ring can hold: other taps, and the channel, have their turn, too.
        """
        before = self._frames
        write, directions = self._writer.write, self._directions
        for octets, length, timestamp, outgoing, tag in self.ring.frames():
            if tag:  # put back where the kernel took it from
                octets = memoryview(b"".join((octets[:12], tag, octets[12:])))
                length += len(tag)
            write(
                octets,
                timestamp_ns=timestamp,
                original_length=length,
                direction=directions[outgoing],
            )
            self._frames += 1
            self._octets += length
        if self._frames != before:
            self._file.flush()
        else:
            self.ring.take_error()  # of a wire that is down there is nothing to write

    @property
    def frames(self) -> int:
        """How many frames are in the file."""
        return self._frames

    def state(self) -> dict[str, int]:
        """How many frames and octets are in the file, and how many frames are lost."""
        return {"frames": self._frames, "octets": self._octets, "dropped": self.ring.dropped}

    def write_statistics(self) -> None:
        """State in the file itself what was received and what was lost."""
        dropped = self.ring.dropped
        self._writer.write_statistics(timestamp_ns=time.time_ns(), received=self._frames + dropped, dropped=dropped)
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def run(taps: Sequence[TapSpec], folder: Path, channel: Channel) -> None:
    """Capture until told to stop, or until nobody is left to tell."""
    blocks = max(2, min(_MOST_BLOCKS, _ALL_BLOCKS // max(1, len(taps))))
    rings = open_rings((spec.socket for spec in taps), blocks=blocks)
    opened = [Tap(spec, ring, folder) for spec, ring in zip(taps, rings, strict=True)]
    with selectors.DefaultSelector() as selector:
        for tap in opened:
            selector.register(tap.ring, selectors.EVENT_READ, tap)
        selector.register(channel, selectors.EVENT_READ)
        channel.send({"type": "ready"})
        while True:
            for key, _ in selector.select():
                if key.data is not None:
                    key.data.drain()
                elif not _listen(channel, opened):
                    break
            else:
                continue
            break
    _settle(opened)
    for tap in opened:
        tap.write_statistics()
        tap.close()
    close_rings(rings)


def _listen(channel: Channel, taps: Sequence[Tap]) -> bool:
    """Do what the channel says; false when that is to stop."""
    try:
        while (message := channel.receive()) is not None:
            if message["type"] == "stop":
                return False
            channel.send(_answer(message, taps))
    except EOFError:
        return False
    return True


def _answer(message: Message, taps: Sequence[Tap]) -> Message:
    if message["type"] == "status":
        return {"type": "status", "id": message["id"], "status": {tap.segment: tap.state() for tap in taps}}
    if message.get("verb") != "flush":
        error = f"captures know the verb flush, not {message.get('verb')!r}"
        return {"type": "reply", "id": message["id"], "error": error}
    late = _settle(taps)
    if late:
        error = f"not all frames of {', '.join(late)} have come out of the kernel within {_PATIENCE:.0f} s"
        return {"type": "reply", "id": message["id"], "error": error}
    for tap in taps:
        tap.write_statistics()
    return {"type": "reply", "id": message["id"], "result": {tap.segment: tap.state() for tap in taps}}


def _settle(taps: Sequence[Tap]) -> list[str]:
    """Have in the files every frame that the kernel has counted up to now; the segments where that took too long."""
    deadline = time.monotonic() + _PATIENCE
    due = [(tap, tap.ring.arrived) for tap in taps]
    while True:
        for tap, _ in due:
            tap.drain()
        due = [(tap, frames) for tap, frames in due if tap.frames < frames]
        if not due or time.monotonic() >= deadline:
            return [tap.segment for tap, _ in due]
        time.sleep(RETIRE_SECONDS / 4)  # a block that is not full is handed over when its time has come
