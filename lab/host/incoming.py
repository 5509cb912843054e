"""Datagrams of a socket into the slots of a batch, with where they came from and the TOS octets that they bore.

`OneByOne` takes each as a message of its own, straight into its slot. `Merged` takes what the kernel has merged
(UDP_GRO): a run of neighbours, all of one length but for the last, which may be shorter, is one message, told how it is
to be parted. Parting costs a copy, and saves most of what a message costs.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, Protocol, final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from lab.host.mmsg import CONTROL_OCTETS, IOVEC, MESSAGE, recvmmsg
from lab.ports.keep import keep

NAME: Final = struct.Struct("=H2s4s8x")
"""struct sockaddr_in: family, port in network order, address."""

CONTROL_SPACE: Final = 24
"""What a control message of up to 8 octets takes, its struct cmsghdr of 16 included."""

SOL_UDP: Final = 17
_UDP_GRO: Final = 104
_CONTROL_HEADER: Final = 16
_LEVEL_WORD: Final = 8 // 4  # of struct cmsghdr

_IPV4_OCTETS: Final = 20
_MOST_MESSAGES: Final = 128
# Room for the longest message; an odd number of cache lines, so that messages do not all fall on the same few sets.
_MESSAGE_OCTETS: Final = (65536 + 64) | 64

_FLAGS: Final = socket.MSG_DONTWAIT | socket.MSG_TRUNC
_NOTHING: Final = (errno.EAGAIN, errno.EINTR, errno.ENETDOWN, errno.ECONNREFUSED)


class Receiver(Protocol):
    """A way to take datagrams from a socket. What is told about slots is about those of the last `receive`."""

    def receive(self, descriptor: int, batch: Batch) -> int:
        """Fill the batch and set its count; give how many datagrams were dropped, longer than a slot.

        Raises:
            OSError: the descriptor is no socket that can be received from.
        """
        ...

    def source(self, slot: int) -> Endpoint:
        """Where a datagram came from; of a raw socket the port is 0."""
        ...

    def tos(self) -> Sequence[int] | None:
        """The TOS octet of each datagram; None when all are 0."""
        ...


@final
class Vector:
    """The message headers for a recvmmsg into rows of octets, laid out once.

    `header` has room for the first octets of each message that are not to be in its row.
    """

    __slots__ = ("_address", "_control_lengths", "_header_octets", "_held", "_lengths", "_name_lengths", "_names",
                 "_rows", "control", "header")  # fmt: skip

    def __init__(self, rows: NDArray[np.uint8], *, header_octets: int = 0) -> None:
        count, size = rows.shape
        self._rows: Final = count
        self._header_octets: Final = header_octets
        self._names: Final[NDArray[np.uint8]] = np.zeros((count, NAME.size), np.uint8)
        self.control: Final[NDArray[np.uint8]] = np.zeros((count, CONTROL_OCTETS), np.uint8)
        self.header: Final[NDArray[np.uint8]] = np.zeros((count, max(1, header_octets)), np.uint8)
        parts = 2 if header_octets else 1
        iovecs = np.zeros((count, parts), IOVEC)
        messages = np.zeros(count, MESSAGE)
        self._address: Final[int] = messages.ctypes.data
        index = np.arange(count, dtype=np.uintp)
        iovecs["base"][:, -1] = rows.ctypes.data + index * rows.strides[0]
        iovecs["length"][:, -1] = size
        if header_octets:
            iovecs["base"][:, 0] = self.header.ctypes.data + index * header_octets
            iovecs["length"][:, 0] = header_octets
        header = messages["header"]
        header["iovecs"] = iovecs.ctypes.data + index * IOVEC.itemsize * parts
        header["iovec_count"] = parts
        header["name"] = self._names.ctypes.data + index * NAME.size
        header["control"] = self.control.ctypes.data + index * CONTROL_OCTETS
        self._name_lengths: NDArray[np.uint32] = header["name_length"]
        self._control_lengths: NDArray[np.uintp] = header["control_length"]
        self._lengths: NDArray[np.uint32] = messages["length"]
        self._held: Final = (rows, iovecs, messages)

    def receive(self, descriptor: int, most: int) -> list[int]:
        """Take at most so many messages; give the lengths of what is behind `header`, be they longer than a row.

        Raises:
            OSError: the descriptor is no socket that can be received from.
        """
        most = min(most, self._rows)
        self._name_lengths[:most] = NAME.size
        self._control_lengths[:most] = CONTROL_OCTETS
        count: int = recvmmsg(descriptor, self._address, most, _FLAGS, None)
        if count >= 0:
            lengths: list[int] = (self._lengths[:count] - np.uint32(self._header_octets)).tolist()
            return lengths
        number = ctypes.get_errno()
        if number in _NOTHING:
            return []
        raise OSError(number, "recvmmsg")

    def source(self, index: int) -> Endpoint:
        """Where a message came from."""
        _, port, address = NAME.unpack(self._names[index].tobytes())
        return Endpoint(socket.inet_ntoa(address), int.from_bytes(port, "big"))


@final
class OneByOne:
    """Each datagram is a message. With `is_raw` they are IPv4 packets, and their headers are taken off."""

    __slots__ = ("_count", "_is_raw", "_last", "_moved", "_vectors")

    def __init__(self, *, is_raw: bool) -> None:
        self._is_raw: Final = is_raw
        self._vectors: Final[dict[Batch, Vector]] = {}
        self._last: Vector | None = None
        self._count = 0
        self._moved: list[int] | None = None

    def receive(self, descriptor: int, batch: Batch) -> int:
        """Take as many as wait, or as there are slots."""
        vector = self._vectors.get(batch)
        if vector is None:
            vector = Vector(batch.rows, header_octets=_IPV4_OCTETS if self._is_raw else 0)
            self._vectors[batch] = vector
        self._last, self._moved = vector, None
        lengths = vector.receive(descriptor, batch.slots)
        self._count = batch.count = count = len(lengths)
        batch.lengths[:count] = lengths
        if count and (max(lengths) > batch.size or (self._is_raw and (vector.header[:count, 0] != 0x45).any())):
            self._mend(batch, vector)
        return count - batch.count

    def source(self, slot: int) -> Endpoint:
        """Where a datagram came from."""
        assert self._last is not None, "something was received"
        found = self._last.source(slot if self._moved is None else self._moved[slot])
        return Endpoint(found.address, 0) if self._is_raw else found

    def tos(self) -> Sequence[int] | None:
        """The TOS octets, from the IP header or from what the kernel tells beside a datagram."""
        vector = self._last
        assert vector is not None, "something was received"
        column = vector.header[:, 1] if self._is_raw else vector.control[:, _CONTROL_HEADER]
        if not column[: self._count].any():
            return None
        octets: list[int] = column[: self._count].tolist()
        return octets if self._moved is None else [octets[index] for index in self._moved]

    def _mend(self, batch: Batch, vector: Vector) -> None:
        """Drop what is longer than a slot; behind IP options, find where the payload begins."""
        whole = []
        for index in range(batch.count):
            length, view = batch.lengths[index], batch.views[index]
            if length > batch.size:
                continue
            options = ((int(vector.header[index, 0]) & 15) << 2) - _IPV4_OCTETS if self._is_raw else 0
            if options > 0:
                length = max(0, length - options)
                view[:length] = bytes(view[options : options + length])
                batch.lengths[index] = length
            whole.append(index)
        keep(batch, whole)
        self._moved = whole


@final
class Merged:
    """A message is a run of datagrams. What of it has no room in a batch waits for the next one."""

    __slots__ = ("_arena", "_filled", "_lengths", "_members", "_next", "_offset", "_part_lengths", "_parts_before",
                 "_starts", "_tos", "_vector")  # fmt: skip

    def __init__(self) -> None:
        # Memory that is never written costs nothing: most messages are short, or few are read at a time.
        self._arena: Final[NDArray[np.uint8]] = np.empty((_MOST_MESSAGES, _MESSAGE_OCTETS), np.uint8)
        self._vector: Final = Vector(self._arena)
        # Of the messages read last: their lengths, at what length to part each, what TOS octet its datagrams bore.
        self._lengths: list[int] = []
        self._part_lengths: list[int] = []
        self._tos: list[int] = []
        self._next = self._offset = 0  # the first message, and the octet in it, that was in no batch yet
        self._parts_before = 1
        # Of the batch filled last: the slots at which another message begins, and which one; the slots in use.
        self._starts: Sequence[int] = ()
        self._members: Sequence[int] = ()
        self._filled = 0

    @staticmethod
    def ask_for(opened: socket.socket) -> bool:
        """Have the kernel merge what comes to a UDP socket; whether it knows how to (Linux 5.0)."""
        try:
            opened.setsockopt(SOL_UDP, _UDP_GRO, 1)
        except OSError:
            return False
        return True

    def receive(self, descriptor: int, batch: Batch) -> int:
        """Take what had no room in the batch before; when there is nothing left of it, read again."""
        if self._next == len(self._lengths):
            self._read(descriptor, batch.slots)
        waiting = self._lengths[self._next : self._next + batch.slots]
        if self._parts_before == 1 and waiting and max(waiting) <= batch.size:
            self._move(waiting, batch)
            return 0
        return self._part(batch)

    def source(self, slot: int) -> Endpoint:
        """Where a datagram came from: all of a message came from one place."""
        return self._vector.source(self._members[bisect_right(self._starts, slot) - 1])

    def tos(self) -> Sequence[int] | None:
        """The TOS octets: the kernel merges only what bears the same."""
        if not self._filled or not any(self._tos):
            return None
        octets: list[int] = []
        for start, end, member in zip(self._starts, (*self._starts[1:], self._filled), self._members, strict=True):
            octets += [self._tos[member]] * (end - start)
        return octets

    def _read(self, descriptor: int, slots: int) -> None:
        """Read messages, about as many as fill the slots if they are like those before."""
        vector = self._vector
        self._lengths = lengths = vector.receive(descriptor, max(1, slots // self._parts_before))
        count = len(lengths)
        self._next = self._offset = 0
        # The first control message is the length to part at, if there is one; the TOS octet is always the last one.
        control = vector.control[:count]
        is_run = control.view(np.int32)[:, _LEVEL_WORD] == SOL_UDP
        if not is_run.any():
            self._part_lengths, self._parts_before = lengths, 1
            self._tos = control[:, _CONTROL_HEADER].tolist()
            return
        told = control.view(np.int32)[:, _CONTROL_HEADER // 4]
        self._part_lengths = np.where(is_run, told, lengths).tolist()
        self._tos = control[np.arange(count), _CONTROL_HEADER + CONTROL_SPACE * is_run].tolist()
        self._parts_before = max(map(_parts, lengths, self._part_lengths))

    def _move(self, lengths: list[int], batch: Batch) -> None:
        """Fill the batch with messages that are a datagram each, all at once."""
        first, count, longest = self._next, len(lengths), max(lengths)
        batch.rows[:count, :longest] = self._arena[first : first + count, :longest]
        batch.lengths[:count] = lengths
        self._next = first + count
        self._filled = batch.count = count
        self._starts, self._members = range(count), range(first, first + count)

    def _part(self, batch: Batch) -> int:
        """Fill the batch with what is in the messages; give how many datagrams were dropped, longer than a slot."""
        filled: list[int] = []
        starts, members, dropped = [], [], 0
        while self._next < len(self._lengths) and len(filled) < batch.slots:
            message, part = self._next, self._part_lengths[self._next]
            if part > batch.size:
                too_long, last = divmod(self._lengths[message], part)
                dropped += too_long
                if not 0 < last <= batch.size:
                    dropped += last > 0
                    self._next += 1
                    continue
                self._offset = self._lengths[message] - last
            starts.append(len(filled))
            members.append(message)
            filled += self._take(message, part, batch, len(filled))
        self._filled = batch.count = len(filled)
        batch.lengths[: batch.count] = filled
        self._starts, self._members = starts, members
        return dropped

    def _take(self, message: int, part: int, batch: Batch, slot: int) -> list[int]:
        """Move datagrams of one message to slots from `slot` on, as many as there are; give their lengths."""
        octets, row, offset = self._lengths[message], self._arena[message], self._offset
        whole = min((octets - offset) // part, batch.slots - slot) if part else 0
        end = offset + whole * part
        if whole:
            batch.rows[slot : slot + whole, :part] = row[offset:end].reshape(whole, part)
        lengths = [part] * whole
        rest = octets - end
        if slot + whole < batch.slots and (rest or not octets):  # the shorter last one; or one without an octet
            batch.rows[slot + whole, :rest] = row[end:octets]
            lengths.append(rest)
            end = octets
        self._next, self._offset = (message + 1, 0) if end == octets else (message, end)
        return lengths


def _parts(octets: int, part: int) -> int:
    """How many datagrams a message of so many octets is, all of this length but for the last."""
    return -(-octets // part) if part else 1
