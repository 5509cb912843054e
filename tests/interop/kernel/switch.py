"""A switch between the NICs of guests and one host in this process: every frame goes to all others."""

from __future__ import annotations

import select
import time

from tests.interop.kernel.guest import Nic


class Switch:
    """The host's port. Frames pass between guests while the host waits for its own."""

    def __init__(self, nics: list[Nic]) -> None:
        self._nics = nics

    def send(self, frame: bytes) -> None:
        """From the host to every guest."""
        for nic in self._nics:
            nic.send(frame)

    def receive(self, timeout: float = 0.0) -> bytes | None:
        """The next frame of any guest, which the other guests have been given by then."""
        end = time.monotonic() + timeout
        while ready := select.select(self._nics, [], [], max(0.0, end - time.monotonic()))[0]:
            frame = ready[0].receive()
            if frame is not None:
                for nic in self._nics:
                    if nic is not ready[0]:
                        nic.send(frame)
                return frame
        return None
