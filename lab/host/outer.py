"""A gateway's sockets: UDP for IKE and for ESP in UDP, and a raw one for ESP as it is. Each is bound to one address."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import Final

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from lab.errors import MachineError
from lab.host.datagrams import Incoming, Outgoing
from lab.host.packet import enlarge_buffers
from lab.ports.counters import PortCounters
from lab.ports.keep import keep
from lab.ports.outer import ESP_PORT

# linux/in.h: what the standard library does not name.
_IP_MTU_DISCOVER: Final = 10
_PMTUDISC_DONT, _PMTUDISC_PROBE = 0, 3
_IP_RECVTOS: Final = 13

_IPV4_OCTETS: Final = 20
_TOS_OCTET: Final = 16  # of control data: behind its struct cmsghdr


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
        self._incoming: Final[dict[Batch, Incoming]] = {}
        self._outgoing: Final[dict[Batch, Outgoing]] = {}
        self._last: Incoming | None = None
        self._count = 0
        self._moved: list[int] | None = None
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
        incoming = self._incoming.get(batch)
        if incoming is None:
            incoming = Incoming(batch, header_octets=_IPV4_OCTETS if self._is_raw else 0)
            self._incoming[batch] = incoming
        self._last, self._moved = incoming, None
        lengths = incoming.receive(self._descriptor)
        self._count = count = len(lengths)
        batch.lengths[:count] = lengths
        batch.count = count
        if not count:
            return 0
        if max(lengths) > batch.size or (self._is_raw and (incoming.header[:count, 0] != 0x45).any()):
            self._mend(batch, incoming)
        self._counters.count_received(batch.count, sum(batch.lengths[: batch.count]))
        return batch.count

    def source(self, index: int) -> Endpoint:
        """Where a payload of the last `receive` came from."""
        assert self._last is not None, "something was received"
        found = self._last.source(index if self._moved is None else self._moved[index])
        return Endpoint(found.address, ESP_PORT) if self._is_raw else found

    def tos(self) -> Sequence[int] | None:
        """The TOS octets of the last `receive`."""
        incoming = self._last
        assert incoming is not None, "something was received"
        count = self._count
        column = incoming.header[:count, 1] if self._is_raw else incoming.control[:count, _TOS_OCTET]
        if not column.any():
            return None
        octets: list[int] = column.tolist()
        return octets if self._moved is None else [octets[index] for index in self._moved]

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

    def _mend(self, batch: Batch, incoming: Incoming) -> None:
        """Drop what is longer than a slot; behind IP options, find where the payload begins."""
        whole = []
        for index in range(batch.count):
            length, view = batch.lengths[index], batch.views[index]
            if length > batch.size:
                self._counters.receive_errors += 1
                continue
            options = ((int(incoming.header[index, 0]) & 15) << 2) - _IPV4_OCTETS if self._is_raw else 0
            if options > 0:
                length = max(0, length - options)
                view[:length] = bytes(view[options : options + length])
                batch.lengths[index] = length
            whole.append(index)
        keep(batch, whole)
        self._moved = whole


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
