"""ARP as a way to be seen at the other end of a link and to change nothing there: questions that nobody answers."""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from typing import Final, final

from lab.errors import MachineError

_ETH_P_ARP: Final = 0x0806
_SOL_PACKET: Final = 263
_PACKET_IGNORE_OUTGOING: Final = 23
# RFC 826: Ethernet, IPv4, their lengths, a request.
_REQUEST: Final = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
_MARK: Final = b"wp"
_NUMBER: Final = slice(32 + len(_MARK), 38)
_OCTETS: Final = 42


@final
class ArpProbes:
    """Sends numbered ARP requests on a device, and sees those of others that come in by it.

    They ask for 0.0.0.0, as nobody in particular, and bear the number where a request has nothing to say: in the
    target's hardware address.
    """

    def __init__(self, device: str, own: bytes, peer: bytes) -> None:
        """On a device of this process's network namespace; `own` and `peer` are MAC addresses.

        Raises:
            MachineError: there is no such device, or sockets of this kind are not for this user.
        """
        self._head: Final = peer + own + struct.pack("!H", _ETH_P_ARP) + _REQUEST + own + bytes(4) + _MARK
        try:
            self._socket = socket.socket(
                socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0
            )
        except PermissionError:
            raise MachineError("this user may not open packet sockets here", fix="run it in a lab's node") from None
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._socket.bind((device, _ETH_P_ARP))
        except OSError as error:
            self._socket.close()
            if error.errno not in (errno.ENODEV, errno.ENXIO):
                raise
            raise MachineError(f"there is no device {device} in this namespace") from None

    def fileno(self) -> int:
        """Readable when something has arrived."""
        return self._socket.fileno()

    def send(self, number: int) -> None:
        """Send one; what the device does not take now is lost, as a frame may be."""
        with contextlib.suppress(OSError):
            self._socket.send(self._head + number.to_bytes(4, "big") + bytes(4))

    def arrived(self) -> Iterator[int]:
        """The numbers that have arrived since."""
        while True:
            try:
                frame = self._socket.recv(2048)
            except OSError:  # nothing more, or the device went down meanwhile
                return
            if len(frame) >= _OCTETS and frame[14:22] == _REQUEST and frame[32 : 32 + len(_MARK)] == _MARK:
                yield int.from_bytes(frame[_NUMBER], "big")

    def close(self) -> None:
        """Close the socket; twice is fine."""
        self._socket.close()
