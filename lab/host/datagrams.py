"""recvmmsg and sendmmsg for datagrams that come from somewhere and go somewhere, over the slots of a batch.

UDP segmentation (UDP_SEGMENT) makes one message of a run of payloads: the kernel cuts it into datagrams again before
the wire, where each is a packet of its own. A run has payloads of one length, but for the last, which may be shorter.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import socket
import struct
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch
from dataplane.ike.nat import Endpoint
from lab.host.mmsg import CONTROL_OCTETS, IOVEC, MESSAGE, recvmmsg, sendmmsg

# linux/udp.h: UDP_MAX_SEGMENTS was 64 at first; and the greatest UDP payload of IPv4.
_MOST_SEGMENTS: Final = 64
_MOST_OCTETS: Final = 65507
_SOL_UDP: Final = 17
_UDP_SEGMENT: Final = 103

_NAME: Final = struct.Struct("=H2s4s8x")  # struct sockaddr_in: the port is in network order
_CONTROL: Final = struct.Struct("=QiiH")  # struct cmsghdr with a 16-bit value
_CONTROL_LENGTH: Final = 18
_CONTROL_SPACE: Final = 24

_RECEIVE_FLAGS: Final = socket.MSG_DONTWAIT | socket.MSG_TRUNC
# What is so for now, or for one destination: the payloads are lost, as packets may be.
_FULL: Final = (errno.EAGAIN, errno.ENOBUFS, errno.ENETUNREACH, errno.EHOSTUNREACH)
_NOTHING: Final = (errno.EAGAIN, errno.EINTR, errno.ENETDOWN, errno.ECONNREFUSED)


def name_of(endpoint: Endpoint) -> bytes:
    """An endpoint as struct sockaddr_in."""
    address = socket.inet_aton(endpoint.address)
    return _NAME.pack(socket.AF_INET, endpoint.port.to_bytes(2, "big"), address)


@final
class Incoming:
    """Receives into a batch. `header` has room for the first octets of each message, which are not the payload's."""

    __slots__ = ("_address", "_batch", "_control_lengths", "_header_octets", "_iovecs", "_lengths", "_messages",
                 "_name_lengths", "control", "header", "names")  # fmt: skip

    def __init__(self, batch: Batch, *, header_octets: int = 0) -> None:
        slots, size = batch.slots, batch.size
        self._batch: Final = batch
        self._header_octets: Final = header_octets
        self.names: Final[NDArray[np.uint8]] = np.zeros((slots, _NAME.size), np.uint8)
        self.control: Final[NDArray[np.uint8]] = np.zeros((slots, CONTROL_OCTETS), np.uint8)
        self.header: Final[NDArray[np.uint8]] = np.zeros((slots, max(1, header_octets)), np.uint8)
        parts = 2 if header_octets else 1
        self._iovecs: Final = np.zeros((slots, parts), IOVEC)
        self._messages: Final = np.zeros(slots, MESSAGE)
        self._address: Final[int] = self._messages.ctypes.data
        index = np.arange(slots, dtype=np.uintp)
        self._iovecs["base"][:, -1] = batch.rows.ctypes.data + index * size
        self._iovecs["length"][:, -1] = size
        if header_octets:
            self._iovecs["base"][:, 0] = self.header.ctypes.data + index * header_octets
            self._iovecs["length"][:, 0] = header_octets
        header = self._messages["header"]
        header["iovecs"] = self._iovecs.ctypes.data + index * IOVEC.itemsize * parts
        header["iovec_count"] = parts
        header["name"] = self.names.ctypes.data + index * _NAME.size
        header["control"] = self.control.ctypes.data + index * CONTROL_OCTETS
        self._name_lengths: NDArray[np.uint32] = header["name_length"]
        self._control_lengths: NDArray[np.uintp] = header["control_length"]
        self._lengths: NDArray[np.uint32] = self._messages["length"]

    def receive(self, descriptor: int) -> list[int]:
        """Fill the slots from the first one on; give the payloads' lengths, which may be longer than a slot.

        Raises:
            OSError: the descriptor is no socket that can be received from.
        """
        self._name_lengths[:] = _NAME.size
        self._control_lengths[:] = CONTROL_OCTETS
        count: int = recvmmsg(descriptor, self._address, self._batch.slots, _RECEIVE_FLAGS, None)
        if count >= 0:
            lengths: list[int] = (self._lengths[:count] - np.uint32(self._header_octets)).tolist()
            return lengths
        number = ctypes.get_errno()
        if number in _NOTHING:
            return []
        raise OSError(number, "recvmmsg")

    def source(self, index: int) -> Endpoint:
        """Where message `index` came from."""
        _, port, address = _NAME.unpack(self.names[index].tobytes())
        return Endpoint(socket.inet_ntoa(address), int.from_bytes(port, "big"))


@final
class Outgoing:
    """Sends slots of a batch, all to one destination at a time: each by itself or, with `segments`, run by run."""

    __slots__ = (
        "_batch",
        "_columns",
        "_controls",
        "_first_iovec",
        "_held",
        "_name",
        "_run_address",
        "_segment_octets",
        "_segments",
        "_single_address",
        "_targets",
        "_wanted",
    )  # fmt: skip

    def __init__(self, batch: Batch, *, segments: bool) -> None:
        slots, size = batch.slots, batch.size
        self._batch: Final = batch
        self._segments: Final = segments
        self._name: Final[NDArray[np.uint8]] = np.zeros(_NAME.size, np.uint8)
        self._targets: Final[dict[Endpoint, NDArray[np.uint8]]] = {}
        index = np.arange(slots, dtype=np.uintp)
        iovecs = np.zeros(slots, IOVEC)
        iovecs["base"] = batch.rows.ctypes.data + index * size
        self._wanted: Final[NDArray[np.uintp]] = iovecs["length"]
        self._first_iovec: Final[int] = iovecs.ctypes.data
        # Message i is slot i, laid out once; ...
        singles = self._messages(slots)
        singles["header"]["iovecs"] = self._first_iovec + index * IOVEC.itemsize
        singles["header"]["iovec_count"] = 1
        self._single_address: Final[int] = singles.ctypes.data
        # ... or the run of slots that is told below, with the length at which it is to be cut.
        runs = self._messages(slots)
        control = _CONTROL.pack(_CONTROL_LENGTH, _SOL_UDP, _UDP_SEGMENT, 0).ljust(_CONTROL_SPACE, b"\0")
        controls = np.frombuffer(bytearray(control * slots), np.uint8).reshape(slots, _CONTROL_SPACE)
        runs["header"]["control"] = controls.ctypes.data + index * _CONTROL_SPACE
        self._segment_octets: Final[NDArray[np.uint16]] = controls.view(np.uint16)[:, _CONTROL_LENGTH // 2 - 1]
        header = runs["header"]
        self._columns: Final = (header["iovecs"], header["iovec_count"], header["control_length"])
        self._run_address: Final[int] = runs.ctypes.data
        self._held: Final = (iovecs, singles, runs, controls)

    def _messages(self, slots: int) -> NDArray[np.void]:
        messages = np.zeros(slots, MESSAGE)
        messages["header"]["name"] = self._name.ctypes.data
        messages["header"]["name_length"] = _NAME.size
        return messages

    def send(self, descriptor: int, first: int, count: int, target: Endpoint) -> tuple[int, int]:
        """Send `count` slots from `first` on; give how many the kernel took, and their octets."""
        self._name[:] = self._target(target)
        lengths = self._batch.lengths[first : first + count]
        self._wanted[first : first + count] = lengths
        singly = self._single_address + first * MESSAGE.itemsize
        if not self._segments:
            return _send(descriptor, singly, [1] * count, lengths)[:2]
        runs = runs_of(lengths)
        self._lay_out(runs, first, lengths)
        taken, octets, refused = _send(descriptor, self._run_address, runs, lengths)
        for start, run in refused:
            # What does not fit into one packet of the way is not cut as a run, but may be fragmented by itself.
            if run > 1:
                part = lengths[start : start + run]
                more = _send(descriptor, singly + start * MESSAGE.itemsize, [1] * run, part)
                taken, octets = taken + more[0], octets + more[1]
        return taken, octets

    def _target(self, target: Endpoint) -> NDArray[np.uint8]:
        known = self._targets.get(target)
        if known is None:
            if len(self._targets) > 64:  # a peer behind a NAT may move again and again
                self._targets.clear()
            known = self._targets[target] = np.frombuffer(name_of(target), np.uint8)
        return known

    def _lay_out(self, runs: list[int], first: int, lengths: list[int]) -> None:
        """A message for each run; one of a single payload is not to be cut."""
        starts = list(itertools.accumulate(runs, initial=0))[:-1]
        iovecs, counts, control_lengths = self._columns
        these = slice(0, len(runs))
        iovecs[these] = [self._first_iovec + (first + start) * IOVEC.itemsize for start in starts]
        counts[these] = runs
        control_lengths[these] = [_CONTROL_SPACE if run > 1 else 0 for run in runs]
        self._segment_octets[these] = [lengths[start] for start in starts]


def _send(descriptor: int, address: int, runs: list[int], lengths: list[int]) -> tuple[int, int, list[tuple[int, int]]]:
    """Send messages of so many payloads each; give the payloads taken, their octets, and the runs that were refused."""
    position = taken = octets = slot = 0
    refused = []
    while position < len(runs):
        sent: int = sendmmsg(
            descriptor, address + position * MESSAGE.itemsize, len(runs) - position, socket.MSG_DONTWAIT
        )
        if sent > 0:
            payloads = sum(runs[position : position + sent])
            octets += sum(lengths[slot : slot + payloads])
            taken += payloads
            slot += payloads
            position += sent
        elif ctypes.get_errno() in _FULL:
            break
        elif ctypes.get_errno() != errno.EINTR:
            refused.append((slot, runs[position]))
            slot += runs[position]
            position += 1
    return taken, octets, refused


def runs_of(lengths: list[int]) -> list[int]:
    """How many neighbours make one message each."""
    runs: list[int] = []
    start, count = 0, len(lengths)
    while start < count:
        length = lengths[start]
        most = min(_MOST_SEGMENTS, _MOST_OCTETS // length, count - start)
        end = start + 1
        while end < start + most and lengths[end] == length:
            end += 1
        if end < start + most and lengths[end] < length:
            end += 1  # the last one may be shorter
        runs.append(end - start)
        start = end
    return runs
