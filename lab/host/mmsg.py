"""recvmmsg and sendmmsg over a batch: one system call for all its frames. The standard library has neither.

The message headers are laid out once for a batch and used for every call; their fields are read and written as columns.
"""

from __future__ import annotations

import ctypes
import errno
import socket
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from dataplane.batch import Batch

CONTROL_OCTETS: Final = 64

_libc = ctypes.CDLL(None, use_errno=True)
recvmmsg = _libc.recvmmsg
sendmmsg = _libc.sendmmsg
for _call in (recvmmsg, sendmmsg):
    _call.restype = ctypes.c_int
recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

# A frame that is longer than its slot is told by its real length.
_RECEIVE_FLAGS: Final = socket.MSG_DONTWAIT | socket.MSG_TRUNC
_FULL: Final = (errno.EAGAIN, errno.ENOBUFS)
_GONE: Final = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)
_NOTHING: Final = (errno.EAGAIN, errno.EINTR, *_GONE)


IOVEC: Final = np.dtype([("base", np.uintp), ("length", np.uintp)], align=True)
_HEADER: Final = np.dtype(
    [
        ("name", np.uintp),
        ("name_length", np.uint32),
        ("iovecs", np.uintp),
        ("iovec_count", np.uintp),
        ("control", np.uintp),
        ("control_length", np.uintp),
        ("flags", np.int32),
    ],
    align=True,
)
# struct mmsghdr of linux/socket.h
MESSAGE: Final = np.dtype([("header", _HEADER), ("length", np.uint32)], align=True)


@final
class MessageVector:
    """The message headers of a batch: message i is slot i, with room for control data beside it.

    `control` holds that data, a row a message, as the kernel wrote it by the last `receive`.
    """

    __slots__ = (
        "_address", "_batch", "_control_lengths", "_control_room", "_iovecs", "_lengths", "_messages", "_wanted",
        "control",
    )  # fmt: skip

    def __init__(self, batch: Batch, *, control: bool) -> None:
        slots, size = batch.slots, batch.size
        self._batch = batch
        self.control: NDArray[np.uint8] = np.zeros((slots, CONTROL_OCTETS), np.uint8)
        self._iovecs = np.zeros(slots, IOVEC)
        self._messages = np.zeros(slots, MESSAGE)
        self._address = self._messages.ctypes.data
        index = np.arange(slots, dtype=np.uintp)
        self._iovecs["base"] = batch.rows.ctypes.data + index * batch.stride
        self._iovecs["length"] = size
        header = self._messages["header"]
        header["iovecs"] = self._iovecs.ctypes.data + index * IOVEC.itemsize
        header["iovec_count"] = 1
        self._control_room = CONTROL_OCTETS if control else 0
        if control:
            header["control"] = self.control.ctypes.data + index * CONTROL_OCTETS
        self._control_lengths: NDArray[np.uintp] = header["control_length"]
        self._lengths: NDArray[np.uint32] = self._messages["length"]
        self._wanted: NDArray[np.uintp] = self._iovecs["length"]

    def receive(self, descriptor: int) -> list[int]:
        """Fill the slots from the first one on with what waits; give the lengths, which may be longer than a slot.

        Raises:
            OSError: the descriptor is no socket that can be received from.
        """
        self._control_lengths[:] = self._control_room
        count: int = recvmmsg(descriptor, self._address, self._batch.slots, _RECEIVE_FLAGS, None)
        if count >= 0:
            lengths: list[int] = self._lengths[:count].tolist()
            return lengths
        number = ctypes.get_errno()
        if number in _NOTHING:
            return []
        raise OSError(number, "recvmmsg")

    def send(self, descriptor: int) -> tuple[int, int]:
        """Send the batch's frames; give how many the kernel took, and their octets. One that it refuses is lost."""
        count, lengths = self._batch.count, self._batch.lengths
        self._wanted[:count] = lengths[:count]
        position = taken = octets = 0
        while position < count:
            sent: int = sendmmsg(
                descriptor, self._address + position * MESSAGE.itemsize, count - position, socket.MSG_DONTWAIT
            )
            if sent > 0:
                octets += sum(lengths[position : position + sent])
                position += sent
                taken += sent
                continue
            number = ctypes.get_errno()
            if number in _FULL or number in _GONE:
                break
            if number != errno.EINTR:
                position += 1
        return taken, octets
