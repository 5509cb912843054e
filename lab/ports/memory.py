"""Two ports in memory, joined: what one sends the other receives. For whole paths without privileges."""

from __future__ import annotations

from collections import deque
from typing import Final, Self

from dataplane.batch import Batch
from lab.ports.counters import PortCounters

_QUEUE: Final = 1024


class MemoryPort:
    """One end. Its queue of frames that wait is bounded, as a wire's is: what does not fit is the sender's loss."""

    def __init__(self, *, queue: int = _QUEUE) -> None:
        """An end that is joined to nothing yet: what it sends is lost. Use `pair`."""
        self.counters: Final = PortCounters()
        self._waiting: deque[bytes] = deque()
        self._queue = queue
        self._peer: MemoryPort | None = None

    @classmethod
    def pair(cls, *, queue: int = _QUEUE) -> tuple[Self, Self]:
        """Two ends of a wire; each holds at most `queue` frames that wait."""
        a, b = cls(queue=queue), cls(queue=queue)
        a._peer, b._peer = b, a
        return a, b

    def fileno(self) -> int:
        """There is no descriptor."""
        return -1

    def receive(self, batch: Batch) -> int:
        """Fill the batch with frames that wait; one that is longer than a slot is dropped and counted."""
        batch.clear()
        octets = 0
        while self._waiting and batch.count < batch.slots:
            frame = self._waiting.popleft()
            if len(frame) > batch.size:
                self.counters.receive_errors += 1
                continue
            batch.append(frame)
            octets += len(frame)
        self.counters.count_received(batch.count, octets)
        return batch.count

    def send(self, batch: Batch) -> int:
        """Put the frames into the peer's queue; give how many fitted."""
        taken = octets = 0
        for frame in batch:
            if self._peer is None or len(self._peer._waiting) >= self._peer._queue:
                break
            self._peer._waiting.append(bytes(frame))
            taken += 1
            octets += len(frame)
        self.counters.count_sent(taken, octets, batch.count - taken)
        return taken

    def close(self) -> None:
        """Leave the peer alone: what it sends from now on is lost. Twice is fine."""
        if self._peer is not None:
            self._peer._peer = None
            self._peer = None
        self._waiting.clear()
