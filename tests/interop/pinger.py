"""Echo requests from a place of a world, sent and counted by the test itself: every reply is waited for."""

from __future__ import annotations

import contextlib
import struct
import time
from dataclasses import dataclass, field

from tests.interop.kernel.echo import checksum
from tests.interop.world import World

_ICMP = 1
_REQUEST, _REPLY = 8, 0
_INTERVAL = 0.02


@dataclass
class Pings:
    """A run of echo requests: how many are to go, with how many octets, and which came back."""

    count: int
    octets: int
    identifier: int
    sent: int = 0
    next_at: float = 0.0
    back: set[int] = field(default_factory=set)

    @property
    def is_done(self) -> bool:
        """Whether every one came back."""
        return len(self.back) == self.count

    def __str__(self) -> str:
        lost = sorted(set(range(1, self.sent + 1)) - self.back)
        return f"{self.sent} of {self.count} sent, {len(self.back)} back, missing {lost}"


class Pinger:
    """A host behind a gateway that pings another one."""

    def __init__(self, world: World, place: str, source: str, target: str) -> None:
        self._socket = world.raw(place, source, _ICMP)
        self._target = target
        self._runs: list[Pings] = []
        self._identifier = 0

    def fileno(self) -> int:
        """Readable when something came."""
        return self._socket.fileno()

    def begin(self, count: int, octets: int = 56) -> Pings:
        """Send so many from now on, 50 a second, whenever `work` is called."""
        self._identifier += 1
        self._runs.append(Pings(count, octets, self._identifier))
        return self._runs[-1]

    def work(self) -> None:
        """Send what is due, and take in what came."""
        self._receive()
        now = time.monotonic()
        for run in self._runs:
            if run.sent < run.count and run.next_at <= now:
                run.sent += 1
                run.next_at = now + _INTERVAL
                self._send(run)
        self._runs = [run for run in self._runs if not run.is_done]

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _send(self, run: Pings) -> None:
        message = struct.pack("!HH", run.identifier, run.sent) + bytes(i % 256 for i in range(run.octets))
        head = struct.pack("!BBH", _REQUEST, 0, checksum(bytes((_REQUEST, 0, 0, 0)) + message))
        with contextlib.suppress(OSError):  # no way there: it will be missing
            self._socket.sendto(head + message, (self._target, 0))

    def _receive(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = self._socket.recv(65536)
                message = packet[4 * (packet[0] & 15) :]
                if len(message) < 8 or message[0] != _REPLY or checksum(message):
                    continue
                identifier, sequence = struct.unpack_from("!HH", message, 4)
                for run in self._runs:
                    if run.identifier == identifier and len(message) == 8 + run.octets:
                        run.back.add(sequence)
