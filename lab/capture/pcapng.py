"""pcapng (draft-ietf-opsawg-pcapng): the numbers of the format, and the writer. The reader is in pcapng_reader.

Everything is written little-endian, in one section, with time stamps in nanoseconds.

  +--------+--------------+-------------------+---------------------+--------------+
  | type 4 | total length | body              | options, 4-aligned  | total length |
  +--------+--------------+-------------------+---------------------+--------------+
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import BinaryIO, Final, final

from lab.capture.frame import ETHERNET, Direction

SECTION_HEADER: Final = 0x0A0D0D0A
INTERFACE_DESCRIPTION: Final = 1
OBSOLETE_PACKET: Final = 2
SIMPLE_PACKET: Final = 3
INTERFACE_STATISTICS: Final = 5
ENHANCED_PACKET: Final = 6
BYTE_ORDER_MAGIC: Final = 0x1A2B3C4D

OPT_END: Final = 0
OPT_COMMENT: Final = 1
SHB_USERAPPL: Final = 4
IF_NAME: Final = 2
IF_DESCRIPTION: Final = 3
IF_TSRESOL: Final = 9
IF_FCSLEN: Final = 13
IF_TSOFFSET: Final = 14
EPB_FLAGS: Final = 2
EPB_DROPCOUNT: Final = 4
ISB_IFRECV: Final = 4
ISB_IFDROP: Final = 5
ISB_OSDROP: Final = 7

FLAG_DIRECTION: Final = {Direction.INBOUND: 1, Direction.OUTBOUND: 2}
NANOSECONDS: Final = 9  # if_tsresol: ticks of 10^-9 s

_PAD: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_PACKET: Final = struct.Struct("<IIIIIII")
_TOTAL: Final = struct.Struct("<I")
_FLAGS: Final = {
    direction: struct.pack("<HHI", EPB_FLAGS, 4, flag) + bytes(4) for direction, flag in FLAG_DIRECTION.items()
}


@final
class PcapngWriter:
    """Writes a capture into a binary stream that the caller owns, flushes and closes.

    `comments` go into the section header. What a reader should know of the keys is their ids: never write a key.
    """

    __slots__ = ("_interfaces", "_write")

    def __init__(self, stream: BinaryIO, *, application: str = "wireproof", comments: Iterable[str] = ()) -> None:
        self._write: Final = stream.write
        self._interfaces = 0
        options = [(OPT_COMMENT, comment.encode()) for comment in comments]
        options.append((SHB_USERAPPL, application.encode()))
        self._block(SECTION_HEADER, struct.pack("<IHHq", BYTE_ORDER_MAGIC, 1, 0, -1), options)

    def add_interface(
        self, *, name: str, description: str = "", link_type: int = ETHERNET, snap_length: int = 0
    ) -> int:
        """Describe an interface; give the index that its frames bear."""
        options = [(IF_NAME, name.encode()), (IF_DESCRIPTION, description.encode()), (IF_TSRESOL, bytes([NANOSECONDS]))]
        body = struct.pack("<HHI", link_type, 0, snap_length)
        self._block(INTERFACE_DESCRIPTION, body, [option for option in options if option[1]])
        self._interfaces += 1
        return self._interfaces - 1

    def write(
        self,
        octets: bytes | bytearray | memoryview,
        *,
        timestamp_ns: int,
        interface: int = 0,
        original_length: int | None = None,
        direction: Direction | None = None,
        dropped: int = 0,
    ) -> None:
        """Write one frame. `dropped` counts the frames lost between this one and the one before it."""
        captured = len(octets)
        options = _FLAGS[direction] if direction is not None else b""
        if dropped:
            drop_count = struct.pack("<HHQ", EPB_DROPCOUNT, 8, dropped)
            options = (options[:-4] if options else b"") + drop_count + bytes(4)
        pad = _PAD[captured & 3]
        total = 32 + captured + len(pad) + len(options)
        head = _PACKET.pack(
            ENHANCED_PACKET, total, interface, timestamp_ns >> 32, timestamp_ns & 0xFFFFFFFF, captured,
            captured if original_length is None else original_length,
        )  # fmt: skip
        self._write(b"".join((head, octets, pad, options, _TOTAL.pack(total))))

    def write_statistics(
        self, *, timestamp_ns: int, received: int, dropped: int, interface: int = 0, comments: Iterable[str] = ()
    ) -> None:
        """State how many frames the interface has received so far, and how many of them are not in the capture."""
        options = [(OPT_COMMENT, comment.encode()) for comment in comments]
        options.append((ISB_IFRECV, struct.pack("<Q", received)))
        options.append((ISB_IFDROP, struct.pack("<Q", dropped)))
        body = struct.pack("<III", interface, timestamp_ns >> 32, timestamp_ns & 0xFFFFFFFF)
        self._block(INTERFACE_STATISTICS, body, options)

    def _block(self, block_type: int, body: bytes, options: list[tuple[int, bytes]]) -> None:
        tail = b"".join(
            struct.pack("<HH", code, len(value)) + value + _PAD[len(value) & 3] for code, value in options
        ) + bytes(4)
        total = 12 + len(body) + len(tail)
        self._write(struct.pack("<II", block_type, total) + body + tail + _TOTAL.pack(total))
