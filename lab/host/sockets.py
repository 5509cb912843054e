"""Plain sockets for test traffic, never blocking: ICMP echo, UDP, TCP. Each belongs to the namespace it is made in."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Self

_ICMP_ECHO_REQUEST = 8
_TRANSIENT = (BlockingIOError, ConnectionRefusedError, OSError)


class CanarySocket:
    """A socket that a selector can watch."""

    _socket: socket.socket

    def fileno(self) -> int:
        """The descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close; twice is fine."""
        self._socket.close()


class IcmpSocket(CanarySocket):
    """Sends echo requests, and sees those that reach this namespace; the kernel answers them."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)

    def echo_request(self, target: str, identifier: int, payload: bytes) -> None:
        """Send one. What cannot be sent now (no route yet, queue full) is lost, as a packet may be."""
        head = struct.pack("!BBHHH", _ICMP_ECHO_REQUEST, 0, 0, identifier, 0)
        checksum = _internet_checksum(head + payload)
        packet = struct.pack("!BBHHH", _ICMP_ECHO_REQUEST, 0, checksum, identifier, 0) + payload
        with contextlib.suppress(*_TRANSIENT):
            self._socket.sendto(packet, (target, 0))

    def echo_requests(self) -> Iterator[tuple[int, bytes]]:
        """The echo requests that have arrived, as identifier and payload."""
        while True:
            try:
                packet = self._socket.recv(65535)
            except BlockingIOError:
                return
            message = packet[(packet[0] & 15) * 4 :]
            if len(message) >= 8 and message[0] == _ICMP_ECHO_REQUEST:
                yield int.from_bytes(message[4:6], "big"), message[8:]


class UdpSocket(CanarySocket):
    """A bound UDP socket."""

    def __init__(self, address: str | None, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind((address or "0.0.0.0", port))  # noqa: S104 - a namespace of the lab's own

    def send(self, target: str, port: int, payload: bytes) -> None:
        """Send one datagram; what cannot be sent now is lost."""
        with contextlib.suppress(*_TRANSIENT):
            self._socket.sendto(payload, (target, port))

    def datagrams(self) -> Iterator[tuple[int, bytes]]:
        """What has arrived, as source port and payload."""
        while True:
            try:
                payload, (_, port) = self._socket.recvfrom(65535)
            except (BlockingIOError, ConnectionRefusedError):
                return
            yield port, payload


class TcpListener(CanarySocket):
    """Accepts connections on a port."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("0.0.0.0", port))  # noqa: S104 - a namespace of the lab's own
        self._socket.listen(128)

    def accept(self) -> Iterator[TcpConversation]:
        """The connections that wait."""
        while True:
            try:
                accepted, (_, port) = self._socket.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            yield TcpConversation(accepted, peer_port=port)


class TcpConversation(CanarySocket):
    """One connection, in which one side says everything and ends, and the other hears it to the end."""

    def __init__(self, connected: socket.socket, *, peer_port: int, to_say: bytes = b"") -> None:
        self._socket = connected
        self._to_say = to_say
        self._heard = bytearray()
        self.peer_port = peer_port

    @classmethod
    def connect(cls, address: str, port: int, target: str, target_port: int, to_say: bytes) -> Self:
        """Begin to connect from `address`:`port`, in order to say `to_say`."""
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        with contextlib.suppress(*_TRANSIENT):  # in progress; a refusal shows as silence
            made.connect((target, target_port))
        return cls(made, peer_port=target_port, to_say=to_say)

    def continue_sending(self) -> bool:
        """Say as much as fits; true when all is said, or nothing more can be."""
        try:
            self._to_say = self._to_say[self._socket.send(self._to_say) :]
            if self._to_say:
                return False
            self._socket.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def continue_receiving(self) -> bytes | None:
        """Hear what has come; everything, once the other side has ended; until then None."""
        while True:
            try:
                part = self._socket.recv(65536)
            except BlockingIOError:
                return None
            except OSError:
                return bytes(self._heard)
            if not part:
                return bytes(self._heard)
            self._heard += part


def _internet_checksum(octets: bytes) -> int:
    """RFC 1071."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
