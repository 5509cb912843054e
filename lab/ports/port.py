"""The port protocol. Whatever speaks it can be wrapped by whatever else speaks it."""

from __future__ import annotations

from typing import Protocol

from dataplane.batch import Batch
from lab.ports.counters import PortCounters


class Port(Protocol):
    """A way in and out for frames (or, on a TUN device, packets), a batch at a time, never blocking."""

    def fileno(self) -> int:
        """The descriptor that becomes readable when frames wait; -1 for a port that lives in memory."""
        ...

    @property
    def counters(self) -> PortCounters:
        """What has passed, and what was lost, since the port was opened."""
        ...

    def receive(self, batch: Batch) -> int:
        """Fill `batch` from its start with frames that wait and set its count; give the count, 0 when none waits."""
        ...

    def send(self, batch: Batch) -> int:
        """Send the batch's frames; give how many were taken. The rest is lost and counted, as on a full queue."""
        ...

    def close(self) -> None:
        """Let go of the descriptor. Closing twice is fine."""
        ...
