"""A channel: JSON objects between process 1 and a process that it forked, whole messages or none, in order.

Not for the outside: what arrives was written by our own code, so it is decoded and not checked.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Mapping
from typing import Any, Self

# What JSON gives: the reader of a message knows its fields by the message's `type`.
Message = dict[str, Any]

_LARGEST = 1 << 18  # above what fits a socket buffer at the kernel's default


class Channel:
    """One end of a connected pair."""

    __slots__ = ("_socket",)

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Make both ends."""
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(a), cls(b)

    def fileno(self) -> int:
        """The descriptor, readable when a message waits or the other end has gone; -1 when closed."""
        return self._socket.fileno()

    def send(self, message: Mapping[str, object], *, wait: bool = True) -> None:
        """Send one object, waiting for room unless told not to.

        Raises:
            BlockingIOError: `wait` is false and the other end does not read.
            BrokenPipeError: the other end has gone.
            OSError: the message is longer than a socket buffer (about 200 KB).
        """
        octets = json.dumps(message, separators=(",", ":")).encode()
        self._socket.send(octets, 0 if wait else socket.MSG_DONTWAIT)

    def receive(self) -> Message | None:
        """Give the next object, or None when none waits.

        Raises:
            EOFError: the other end has gone, and everything that it sent was received.
        """
        try:
            octets = self._socket.recv(_LARGEST, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            raise EOFError from None
        if not octets:
            raise EOFError
        message: Message = json.loads(octets)
        return message

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until `receive` has something to say, at most `timeout` seconds; false when the time passed first."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        return bool(poller.poll(None if timeout is None else max(0, round(timeout * 1000))))

    def close(self) -> None:
        """Close this end; twice is fine."""
        self._socket.close()
