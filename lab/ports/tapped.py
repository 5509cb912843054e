"""A tap on a port: whoever watches sees every frame that passes, in both directions, as the port's user sees it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import final

from dataplane.batch import Batch
from lab.ports.counters import PortCounters
from lab.ports.port import Port


@final
class Direction(enum.Enum):
    """Which way a frame passed a port."""

    RECEIVED = "received"
    SENT = "sent"


@final
class TappedPort:
    """Shows each frame to `watch` before it goes on; the octets are valid during the call alone."""

    def __init__(self, port: Port, watch: Callable[[Direction, memoryview], None]) -> None:
        self._port = port
        self._watch = watch

    def fileno(self) -> int:
        """The descriptor of the port below."""
        return self._port.fileno()

    @property
    def counters(self) -> PortCounters:
        """Those of the port below."""
        return self._port.counters

    def receive(self, batch: Batch) -> int:
        """Receive from the port below."""
        count = self._port.receive(batch)
        for frame in batch:
            self._watch(Direction.RECEIVED, frame)
        return count

    def send(self, batch: Batch) -> int:
        """Send by the port below."""
        for frame in batch:
            self._watch(Direction.SENT, frame)
        return self._port.send(batch)

    def close(self) -> None:
        """Close the port below."""
        self._port.close()
