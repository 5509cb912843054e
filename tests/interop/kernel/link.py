"""Our end of a guest's cable: a SecY, and behind it a host that pings and answers pings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from dataplane.macsec.counters import Accepted, DiscardReason
from dataplane.macsec.secy import SecY
from tests.interop.kernel.echo import EchoHost, Neighbour

_EAPOL = b"\x88\x8e"
_MACSEC = b"\x88\xe5"


class Wire(Protocol):
    """One end of a cable, or a port of a switch."""

    def send(self, frame: bytes) -> None:
        """Give it a frame."""

    def receive(self, timeout: float = 0.0) -> bytes | None:
        """The next frame from it; None when none comes within `timeout` seconds."""


class SecuredHost:
    """Frames of the wire go through `secy`, EAPOL to `receive_eapol`. What arrives in the clear is kept in `clear`."""

    def __init__(self, wire: Wire, secy: SecY, host: EchoHost) -> None:
        self.wire = wire
        self.secy = secy
        self.host = host
        self.clear: list[bytes] = []
        self.discarded: list[DiscardReason] = []
        self.replies: list[tuple[int, bytes]] = []
        self.answered = 0
        self.last_wire_frame = b""
        self._sequence = 0

    def send(self, frame: bytes) -> bool:
        """Protect a frame and send it; False where no SA may send."""
        outcome = self.secy.protect_frame(frame)
        if not isinstance(outcome, Accepted):
            return False
        self.last_wire_frame = outcome.octets
        self.wire.send(outcome.octets)
        return True

    def take(self, frame: bytes) -> None:
        """Do what a frame from the wire asks for."""
        if frame[12:14] == _EAPOL:
            self.receive_eapol(frame)
        elif frame[12:14] != _MACSEC:
            self.clear.append(frame)
        else:
            outcome = self.secy.validate_frame(frame)
            if isinstance(outcome, Accepted):
                self._deliver(outcome.octets)
            else:
                self.discarded.append(outcome.reason)

    def receive_eapol(self, frame: bytes) -> None:
        """Here nobody listens to it."""

    def tick(self) -> None:
        """Do what is due; here nothing ever is."""

    def _deliver(self, frame: bytes) -> None:
        reply = self.host.replied(frame)
        if reply is not None:
            self.replies.append(reply)
        answer = self.host.answer(frame)
        if answer is not None:
            self.answered += 1
            self.send(answer)

    def serve(self, *, until: Callable[[], bool], timeout: float = 20.0) -> bool:
        """Work until something is so; False when it is not in time."""
        end = time.monotonic() + timeout
        while not until():
            if time.monotonic() > end:
                return False
            self.tick()
            frame = self.wire.receive(0.02)
            if frame is not None:
                self.take(frame)
        return True

    def ping(self, peer: Neighbour, octets: int, *, timeout: float = 5.0) -> bool:
        """Send a peer an echo request with so many octets of payload; say whether its reply comes."""
        self._sequence += 1
        payload = bytes((self._sequence + i) % 256 for i in range(octets))
        self.send(self.host.request(peer, self._sequence, payload))
        return self.serve(until=lambda: (self._sequence, payload) in self.replies, timeout=timeout)
