"""A gateway's sockets: UDP for IKE and for ESP in UDP, and a raw one for ESP as it is. Each is bound to one address."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import Final

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from dataplane.wire.udp import NATT_PORT
from lab.errors import MachineError
from lab.host.incoming import Merged, OneByOne, Receiver
from lab.host.outgoing import Outgoing
from lab.host.packet import enlarge_buffers
from lab.ports.counters import PortCounters
from lab.ports.outer import ESP_PORT

# linux/in.h: what the standard library does not name.
_IP_MTU_DISCOVER: Final = 10
_PMTUDISC_DONT, _PMTUDISC_PROBE = 0, 3
_IP_RECVTOS: Final = 13


class OuterSocket:
    """One socket as an outer port: a UDP port, or with `ESP_PORT` IP protocol 50."""

    def __init__(self, local: Endpoint) -> None:
        """Open and bind it in this process's network namespace.

        Raises:
            MachineError: the address is not there, the port is taken, or sockets of this kind are not for this user.
        """
        self.local: Final = local
        self._is_raw: Final = local.port == ESP_PORT
        self._counters: Final = PortCounters()
        self._socket: Final = _open(local)
        self._descriptor: Final = self._socket.fileno()
        self._receiver: Final = _receiver(self._socket, local)
        self._outgoing: Final[dict[Batch, Outgoing]] = {}
        self._tos = 0
        self._dont_fragment = False

    def fileno(self) -> int:
        """The descriptor; -1 when closed."""
        return self._socket.fileno()

    @property
    def counters(self) -> PortCounters:
        """What has passed."""
        return self._counters

    def receive(self, batch: Batch) -> int:
        """Fill the batch with payloads that wait; one that is longer than a slot is dropped and counted."""
        self._counters.receive_errors += self._receiver.receive(self._descriptor, batch)
        self._counters.count_received(batch.count, sum(batch.lengths[: batch.count]))
        return batch.count

    def source(self, index: int) -> Endpoint:
        """Where a payload of the last `receive` came from."""
        return self._receiver.source(index)

    def tos(self) -> Sequence[int] | None:
        """The TOS octets of the last `receive`."""
        return self._receiver.tos()

    def send(
        self, batch: Batch, first: int, count: int, target: Endpoint, *, tos: int = 0, dont_fragment: bool = False
    ) -> int:
        """Send payloads of a batch, runs of them in one message where UDP allows it."""
        if count == 1:
            self._set(tos, dont_fragment)
            return int(self._send_one(batch[first], target))
        outgoing = self._outgoing.get(batch)
        if outgoing is None:
            outgoing = self._outgoing[batch] = Outgoing(batch, segments=not self._is_raw)
        self._set(tos, dont_fragment)
        taken, octets = outgoing.send(self._descriptor, first, count, target)
        self._counters.count_sent(taken, octets, count - taken)
        return taken

    def send_one(self, payload: bytes, target: Endpoint) -> bool:
        """Send one payload; it may be fragmented on its way."""
        self._set(0, dont_fragment=False)
        return self._send_one(payload, target)

    def close(self) -> None:
        """Close the socket; twice is fine."""
        self._socket.close()

    def _send_one(self, payload: bytes | memoryview, target: Endpoint) -> bool:
        taken = False
        with contextlib.suppress(OSError):  # no route yet, queue full: lost, as a packet may be
            self._socket.sendto(payload, (target.address, target.port))
            taken = True
        self._counters.count_sent(int(taken), len(payload) if taken else 0, int(not taken))
        return taken

    def _set(self, tos: int, dont_fragment: bool) -> None:
        """What headers are to bear from now on."""
        if tos != self._tos:
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
            self._tos = tos
        if dont_fragment != self._dont_fragment:
            _set_dont_fragment(self._socket, dont_fragment)
            self._dont_fragment = dont_fragment


def _receiver(opened: socket.socket, local: Endpoint) -> Receiver:
    """The way to take what comes to a port: ESP in UDP comes in bulk, so the kernel is to merge it, if it knows how."""
    if local.port == NATT_PORT and Merged.ask_for(opened):
        return Merged()
    return OneByOne(is_raw=local.port == ESP_PORT)


def _open(local: Endpoint) -> socket.socket:
    kind = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    try:
        if local.port == ESP_PORT:
            opened = socket.socket(socket.AF_INET, socket.SOCK_RAW | kind, socket.IPPROTO_ESP)
        else:
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | kind)
    except PermissionError:
        raise MachineError("this user may not open raw sockets here", fix="run it in a lab's node") from None
    try:
        opened.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
        _set_dont_fragment(opened, False)
        enlarge_buffers(opened)
        opened.bind((local.address, local.port))
    except OSError as error:
        opened.close()
        if error.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE, errno.EACCES):
            raise
        raise MachineError(f"cannot listen at {local}: {error.strerror}") from None
    return opened


def _set_dont_fragment(opened: socket.socket, dont_fragment: bool) -> None:
    """Whether packets bear the bit; the kernel is not to guess the path's MTU by itself (RFC 4301 8.2)."""
    discover = _PMTUDISC_PROBE if dont_fragment else _PMTUDISC_DONT
    opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, discover)
