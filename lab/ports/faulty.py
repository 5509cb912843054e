"""Faults on purpose: frames lost, doubled, put out of order, corrupted. The same seed makes the same faults."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from dataplane.batch import Batch
from lab.errors import InputError
from lab.ports.counters import PortCounters
from lab.ports.port import Port


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How probable each fault is for a frame, from 0 to 1; each is decided by itself, in this order.

    `loss`: the frame is gone. `corrupt`: one of its bits is flipped. `duplicate`: it passes twice. `reorder`: it is
    held back until the next frame of its direction has passed.
    """

    loss: float = 0.0
    corrupt: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0

    def __post_init__(self) -> None:
        for name in ("loss", "corrupt", "duplicate", "reorder"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name}: {value} is not a probability: 0 to 1 would be")


@final
class FaultyPort:
    """A port whose frames suffer faults, each direction its own."""

    def __init__(
        self, port: Port, *, seed: int, sending: Faults | None = None, receiving: Faults | None = None
    ) -> None:
        """Wrap `port`; a direction without faults is left alone."""
        self.counters: Final = PortCounters()
        self._port = port
        self._sending = _Line(sending or Faults(), random.Random(f"{seed} sending"))  # noqa: S311  # faults to be had again
        self._receiving = _Line(receiving or Faults(), random.Random(f"{seed} receiving"))  # noqa: S311  # likewise

    def fileno(self) -> int:
        """The descriptor of the port below."""
        return self._port.fileno()

    def receive(self, batch: Batch) -> int:
        """Receive what the faults leave of the frames below; 0 when nothing waits there and nothing is held back."""
        line = self._receiving
        lost = line.lost
        while not line.ready:
            count = self._port.receive(batch)
            if not count:
                line.release()
                break
            line.pass_through(map(bytes, batch))
        batch.clear()
        while line.ready and batch.count < batch.slots:
            batch.append(line.ready.popleft())
        self.counters.count_received(batch.count, sum(batch.lengths[: batch.count]))
        self.counters.receive_dropped += line.lost - lost
        return batch.count

    def send(self, batch: Batch) -> int:
        """Send what the faults leave; all frames count as taken. A frame held back goes with the next batch."""
        line = self._sending
        lost = line.lost
        line.pass_through(map(bytes, batch))
        self.counters.send_lost += line.lost - lost
        self.counters.count_sent(batch.count, sum(batch.lengths[: batch.count]), 0)
        out = Batch(batch.slots, batch.size)
        while line.ready:
            out.clear()
            while line.ready and out.count < out.slots:
                out.append(line.ready.popleft())
            self.counters.send_lost += out.count - self._port.send(out)
        return batch.count

    def close(self) -> None:
        """Close the port below; a frame that is held back is lost."""
        self._port.close()


class _Line:
    """One direction: frames go in, and come out into `ready`."""

    def __init__(self, faults: Faults, chance: random.Random) -> None:
        self.ready: Final[deque[bytes]] = deque()
        self.lost = 0
        self._faults = faults
        self._chance = chance
        self._held: bytes | None = None

    def pass_through(self, frames: Iterable[bytes]) -> None:
        """Let frames suffer their faults."""
        faults, chance = self._faults, self._chance.random
        for frame in frames:
            # Every frame takes the same draws, so that one probability changed leaves the other faults where they are.
            lost, corrupted, doubled, held, where = chance(), chance(), chance(), chance(), chance()
            if lost < faults.loss:
                self.lost += 1
                continue
            passed = flip(frame, int(where * 8 * len(frame))) if corrupted < faults.corrupt and frame else frame
            for _ in range(2 if doubled < faults.duplicate else 1):
                if held < faults.reorder and self._held is None:
                    self._held = passed
                    continue
                self.ready.append(passed)
                self.release()

    def release(self) -> None:
        """Let go of a frame that is held back."""
        if self._held is not None:
            self.ready.append(self._held)
            self._held = None


def flip(frame: bytes, bit: int) -> bytes:
    """The frame with one bit flipped."""
    octets = bytearray(frame)
    octets[bit >> 3] ^= 0x80 >> (bit & 7)
    return bytes(octets)
