"""A receive ring on a packet socket (TPACKET_V3): the kernel writes frames into memory that we share with it.

It holds a burst of thousands of frames, many more than a socket's buffer may, and gives each frame's time, direction
and stripped tag without a system call. Structures are those of linux/if_packet.h.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, NamedTuple, TypeVar, final

from lab.errors import MachineError

_SOL_PACKET: Final = 263
_PACKET_RX_RING: Final = 5
_PACKET_STATISTICS: Final = 6
_PACKET_VERSION: Final = 10
_TPACKET_V3: Final = 2
_STATUS_USER: Final = 1
_VLAN_VALID: Final = 1 << 4
_TPID_VALID: Final = 1 << 6
_OUTGOING: Final = 4
_DOT1Q: Final = 0x8100

# struct tpacket_block_desc, from its block_status on: status, number of frames, offset of the first.
_BLOCK: Final = struct.Struct("=III")
_BLOCK_STATUS_AT: Final = 8
# struct tpacket3_hdr: next, sec, nsec, snap length, length, status, mac offset, net offset, hash, TCI, TPID, padding.
_FRAME: Final = struct.Struct("=IIIIIIHHIIHH")
_PACKET_TYPE_AT: Final = 48 + 10  # of the struct sockaddr_ll behind the header

BLOCK_OCTETS: Final = 1 << 18
RETIRE_SECONDS: Final = 0.008  # a block that holds a frame is handed over after this time, though it is not full


# The standard library's holds Python's lock while the kernel works.
_setsockopt: Final = ctypes.CDLL(None, use_errno=True).setsockopt
_MOST_THREADS: Final = 64

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

PacketSocket = socket.socket
"""What a ring is made on; named here for those who only pass one on."""


class Arrived(NamedTuple):
    """A frame as it was on the wire; `octets` is valid until the next one is asked for."""

    octets: memoryview
    original_length: int
    timestamp_ns: int
    outgoing: bool
    tag: bytes


def open_rings(sockets: Iterable[socket.socket], *, blocks: int) -> list[PacketRing]:
    """A ring of `blocks` blocks on each socket; all at once, because the kernel waits in each for all processors.

    Raises:
        MachineError: the kernel has no memory for them, or does not know such rings.
    """
    return _at_once(functools.partial(PacketRing, blocks=blocks), sockets)


def close_rings(rings: Iterable[PacketRing]) -> None:
    """Close rings; all at once, for the same reason."""
    _at_once(PacketRing.close, rings)


def _at_once(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> list[_Result]:
    with ThreadPoolExecutor(_MOST_THREADS) as pool:
        return list(pool.map(work, items))


@final
class PacketRing:
    """A ring of `blocks` blocks of 256 KiB on a packet socket, which it owns from now on."""

    def __init__(self, opened: socket.socket, *, blocks: int) -> None:
        """Set the ring up.

        Raises:
            MachineError: the kernel has no memory for it, or does not know such rings.
        """
        self._socket = opened
        frame = 1 << 11  # only a unit of reckoning in this version of the ring
        request = struct.pack(
            "=7I", BLOCK_OCTETS, blocks, frame, BLOCK_OCTETS // frame * blocks, round(RETIRE_SECONDS * 1000), 0, 0
        )
        try:
            opened.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V3)
            if _setsockopt(opened.fileno(), _SOL_PACKET, _PACKET_RX_RING, request, len(request)) != 0:
                raise OSError(number := ctypes.get_errno(), os.strerror(number))
            self._map = mmap.mmap(opened.fileno(), BLOCK_OCTETS * blocks, mmap.MAP_SHARED)
        except OSError as error:
            raise MachineError(f"no receive ring of {blocks} blocks on a packet socket: {error.strerror}") from error
        self._memory = memoryview(self._map)
        self._blocks = blocks
        self._next = 0
        self._arrived = self._dropped = 0
        self._count_arrivals()
        self._arrived = self._dropped = 0  # what came before there was a ring is not in it

    def fileno(self) -> int:
        """The descriptor, readable when a block is ours."""
        return self._socket.fileno()

    @property
    def arrived(self) -> int:
        """How many frames the kernel has put into the ring since it was made; some may not have come out yet."""
        self._count_arrivals()
        return self._arrived - self._dropped

    @property
    def dropped(self) -> int:
        """How many frames the kernel had no room for, since the ring was made."""
        self._count_arrivals()
        return self._dropped

    def take_error(self) -> int:
        """The socket's error, which is then no more, or 0: that its device is down, as every one is at first.

        Until it is taken the descriptor counts as readable, whatever the ring holds.
        """
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def _count_arrivals(self) -> None:
        # struct tpacket_stats_v3: frames seen, dropped, times the ring was full; reading them sets them to zero.
        seen, dropped, _ = struct.unpack("=III", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 12))
        self._arrived += seen
        self._dropped += dropped

    def frames(self) -> Iterator[Arrived]:
        """The frames of the blocks that are ours, once round; each block goes back when its last frame was taken."""
        for _ in range(self._blocks):
            base = self._next * BLOCK_OCTETS
            status, count, first = _BLOCK.unpack_from(self._memory, base + _BLOCK_STATUS_AT)
            if not status & _STATUS_USER:
                return
            yield from self._block(base + first, count)
            struct.pack_into("=I", self._memory, base + _BLOCK_STATUS_AT, 0)
            self._next = (self._next + 1) % self._blocks

    def _block(self, at: int, count: int) -> Iterator[Arrived]:
        memory = self._memory
        for _ in range(count):
            following, seconds, nanos, captured, length, status, mac, _, _, tci, tpid, _ = _FRAME.unpack_from(
                memory, at
            )
            start = at + mac
            tag = b""
            if status & _VLAN_VALID:
                tag = struct.pack(">HH", tpid if status & _TPID_VALID else _DOT1Q, tci & 0xFFFF)
            outgoing = memory[at + _PACKET_TYPE_AT] == _OUTGOING
            yield Arrived(memory[start : start + captured], length, seconds * 10**9 + nanos, outgoing, tag)
            at += following

    def close(self) -> None:
        """Give the memory back and close the socket, unless somebody still looks at a frame. Twice is fine."""
        self._socket.close()
        with suppress(BufferError):
            self._memory.release()
            self._map.close()  # it, too, holds the socket
