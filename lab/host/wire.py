"""A way onto a wire for whoever is no end of it: frames are sent as one of its ends would send them."""

from __future__ import annotations

import errno
import socket
from typing import Final, Self, final

from lab.errors import MachineError

MARK: Final = 0x7769726D
"""What frames bear that pass a man in the middle, or come from him."""


def open_marked_socket(device: str) -> socket.socket:
    """A packet socket that sends on `device`, past any man in the middle, and receives nothing.

    Raises:
        MachineError: there is no such device, or sockets of this kind are not for this user.
    """
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0)
    except PermissionError:
        raise MachineError("this user may not open packet sockets here", fix="run it in a lab's node") from None
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        opened.bind((device, 0))
    except OSError as error:
        opened.close()
        raise MachineError(f"no frame can be sent on {device} here: {error.strerror}") from None
    return opened


@final
class WireSocket:
    """Such a socket in a process that may be anywhere: it stays where it was opened."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened

    @classmethod
    def of(cls, descriptor: int) -> Self:
        """Take over the socket that this descriptor holds."""
        return cls(socket.socket(fileno=descriptor))

    def send(self, frame: bytes) -> str | None:
        """Put a frame on the wire; why not, if the kernel refuses it."""
        try:
            self._socket.send(frame)
        except BlockingIOError:
            return "the wire's queue is full"
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                return "longer than the wire's MTU"
            return str(error.strerror)
        return None

    def close(self) -> None:
        """Close the socket. Twice is fine."""
        self._socket.close()
