"""The control socket: JSON objects, one a line, over a Unix stream socket; descriptors may travel with a line.

A socket's path may be at most 107 octets long, a folder's any length: so both sides reach it through a descriptor.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.host.channel import Message

_LONGEST_LINE = 1 << 20
_MOST_DESCRIPTORS = 253  # that the kernel passes with one message
_CREDENTIALS = struct.Struct("3i")


class LineTooLongError(Exception):
    """The other side sends a line without end."""


class Connection:
    """One end of a connection. Never blocks; `wait` is for who has nothing else to do."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setblocking(False)
        self._received = bytearray()
        self._to_send: deque[tuple[bytes, Sequence[int]]] = deque()
        self.descriptors: list[int] = []

    def fileno(self) -> int:
        """The descriptor; -1 when closed."""
        return self._socket.fileno()

    @property
    def peer(self) -> tuple[int, int]:
        """The process that connected or listens, and its user, as seen from here."""
        found = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, user, _ = _CREDENTIALS.unpack(found)
        return pid, user

    @property
    def waiting_octets(self) -> int:
        """How much was said that the other side has not taken yet."""
        return sum(len(line) for line, _ in self._to_send)

    def send(self, message: Mapping[str, object], descriptors: Sequence[int] = ()) -> bool:
        """Say one thing; what does not fit now stays until `flush`. True when all is sent."""
        self._to_send.append((json.dumps(message, separators=(",", ":")).encode() + b"\n", tuple(descriptors)))
        return self.flush()

    def flush(self) -> bool:
        """Send what waits, as far as it fits; true when all is sent.

        Raises:
            BrokenPipeError: the other side has gone.
        """
        while self._to_send:
            line, descriptors = self._to_send[0]
            try:
                if descriptors:
                    sent = socket.send_fds(self._socket, [line], list(descriptors))
                else:
                    sent = self._socket.send(line)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                raise BrokenPipeError from None
            if sent == len(line):
                self._to_send.popleft()
            else:
                self._to_send[0] = (line[sent:], ())
        return True

    def receive(self, *, with_descriptors: bool = False) -> list[Message]:
        """Give what the other side has said since; descriptors that came are appended to `descriptors`, if wanted.

        Raises:
            EOFError: the other side has gone.
            LineTooLongError, ValueError: what it says is not JSON objects, one a line.
        """
        try:
            if with_descriptors:
                octets, came, _, _ = socket.recv_fds(self._socket, 65536, _MOST_DESCRIPTORS)
                self.descriptors += came
            else:
                octets = self._socket.recv(65536)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            raise EOFError from None
        if not octets:
            raise EOFError
        self._received += octets
        *lines, rest = self._received.split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise LineTooLongError
        self._received = rest
        return [_object(line) for line in lines]

    def wait(self, timeout: float | None) -> bool:
        """Wait until the other side has said something; false when `timeout` seconds passed first."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        return bool(poller.poll(None if timeout is None else max(0, round(timeout * 1000))))

    def close(self) -> None:
        """Hang up; twice is fine."""
        self._socket.close()


class Listener:
    """The holder's side: a socket at `path` to which only this user may talk."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._socket.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
        self._socket.listen(16)

    def fileno(self) -> int:
        """The descriptor, readable when somebody calls."""
        return self._socket.fileno()

    def accept(self) -> Connection | None:
        """Answer a call; None when there is none, or it is not this user's."""
        try:
            connection = Connection(self._socket.accept()[0])
        except (BlockingIOError, ConnectionAbortedError):
            return None
        if connection.peer[1] != os.getuid():
            connection.close()
            return None
        return connection

    def close(self) -> None:
        """Stop listening; the socket's file stays."""
        self._socket.close()


def connect(path: Path) -> Connection:
    """Call the holder that listens at `path`.

    Raises:
        FileNotFoundError: there is no such socket.
        ConnectionRefusedError: nobody listens any more.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            made.connect(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)
    except OSError:
        made.close()
        raise
    return Connection(made)


def _object(line: bytes | bytearray) -> Message:
    found = json.loads(line)
    if not isinstance(found, dict):
        raise ValueError("not a JSON object")
    return found
