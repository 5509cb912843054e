"""The slots of a batch as datagrams to one destination at a time, many of them by one sendmmsg.

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

from dataplane.batch import Batch, run_end
from dataplane.ike.nat import Endpoint
from lab.host.incoming import CONTROL_SPACE, NAME, SOL_UDP
from lab.host.mmsg import IOVEC, MESSAGE, sendmmsg

# linux/udp.h: UDP_MAX_SEGMENTS was 64 at first; and the greatest UDP payload of IPv4.
_MOST_SEGMENTS: Final = 64
_MOST_OCTETS: Final = 65507
_UDP_SEGMENT: Final = 103

_CONTROL: Final = struct.Struct("=QiiH")  # struct cmsghdr with a 16-bit value
_CONTROL_LENGTH: Final = 18

# What is so for now, or for one destination: the payloads are lost, as packets may be.
_FULL: Final = (errno.EAGAIN, errno.ENOBUFS, errno.ENETUNREACH, errno.EHOSTUNREACH)


def name_of(endpoint: Endpoint) -> bytes:
    """An endpoint as struct sockaddr_in."""
    address = socket.inet_aton(endpoint.address)
    return NAME.pack(socket.AF_INET, endpoint.port.to_bytes(2, "big"), address)


@final
class Outgoing:
    """Sends slots of a batch, all to one destination at a time: each by itself or, with `segments`, run by run."""

    __slots__ = (
        "_batch",
        "_columns",
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
        slots = batch.slots
        self._batch: Final = batch
        self._segments: Final = segments
        self._name: Final[NDArray[np.uint8]] = np.zeros(NAME.size, np.uint8)
        self._targets: Final[dict[Endpoint, NDArray[np.uint8]]] = {}
        index = np.arange(slots, dtype=np.uintp)
        iovecs = np.zeros(slots, IOVEC)
        iovecs["base"] = batch.rows.ctypes.data + index * batch.stride
        self._wanted: Final[NDArray[np.uintp]] = iovecs["length"]
        self._first_iovec: Final[int] = iovecs.ctypes.data
        # Message i is slot i, laid out once; ...
        singles = self._messages(slots)
        singles["header"]["iovecs"] = self._first_iovec + index * IOVEC.itemsize
        singles["header"]["iovec_count"] = 1
        self._single_address: Final[int] = singles.ctypes.data
        # ... or the run of slots that is told below, with the length at which it is to be cut.
        runs = self._messages(slots)
        control = _CONTROL.pack(_CONTROL_LENGTH, SOL_UDP, _UDP_SEGMENT, 0).ljust(CONTROL_SPACE, b"\0")
        controls = np.frombuffer(bytearray(control * slots), np.uint8).reshape(slots, CONTROL_SPACE)
        runs["header"]["control"] = controls.ctypes.data + index * CONTROL_SPACE
        self._segment_octets: Final[NDArray[np.uint16]] = controls.view(np.uint16)[:, _CONTROL_LENGTH // 2 - 1]
        header = runs["header"]
        self._columns: Final = (header["iovecs"], header["iovec_count"], header["control_length"])
        self._run_address: Final[int] = runs.ctypes.data
        self._held: Final = (iovecs, singles, runs, controls)

    def _messages(self, slots: int) -> NDArray[np.void]:
        messages = np.zeros(slots, MESSAGE)
        messages["header"]["name"] = self._name.ctypes.data
        messages["header"]["name_length"] = NAME.size
        return messages

    def send(self, descriptor: int, first: int, count: int, target: Endpoint) -> tuple[int, int]:
        """Send `count` slots from `first` on; give how many the kernel took, and their octets."""
        self._name[:] = self._target(target)
        lengths = self._batch.lengths[first : first + count]
        singly = self._single_address + first * MESSAGE.itemsize
        if not self._segments:
            self._wanted[first : first + count] = lengths
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
        control_lengths[these] = [CONTROL_SPACE if run > 1 else 0 for run in runs]
        self._segment_octets[these] = [lengths[start] for start in starts]
        for start, run in zip(starts, runs, strict=True):
            last = first + start + run - 1
            self._wanted[first + start : last] = lengths[start]
            self._wanted[last] = lengths[start + run - 1]


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
        end = run_end(lengths, start, start + most)
        if end < start + most and lengths[end] < length:
            end += 1  # the last one may be shorter
        runs.append(end - start)
        start = end
    return runs
