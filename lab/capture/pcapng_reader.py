"""pcapng (draft-ietf-opsawg-pcapng): the reader. Sections of either byte order, with many interfaces each.

Blocks that hold neither frames, nor interfaces, nor their statistics, are stepped over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

from lab.capture import pcapng
from lab.capture.frame import LINK_TYPES, CaptureInterface, Direction, Frame
from lab.capture.pcap import unknown_link_type
from lab.capture.window import MOST_OCTETS, Window

_DIRECTIONS: Final = {flag: direction for direction, flag in pcapng.FLAG_DIRECTION.items()}
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


@dataclass(slots=True)
class _Interface:
    """An interface of this section: what a frame's fields mean, and what it lost."""

    index: int
    link_type: int
    snap_length: int
    fcs: int
    multiplier: int
    divisor: int
    offset_ns: int
    lost_between: int = 0
    lost_in_all: int = 0


@final
class PcapngReader:
    """The frames of one file, once. `interfaces`, `comments` and `dropped` grow while the frames are read."""

    def __init__(self, window: Window) -> None:
        self._window: Final = window
        self._order = "<"
        self._head = struct.Struct("<II").unpack_from
        self._packet = struct.Struct("<IIIII").unpack_from
        self._section: list[_Interface] = []
        # Most frames bear the same few options: direction, FCS. Those are parsed once.
        self._plain_options: dict[bytes, tuple[Direction | None, int | None]] = {}
        self._all: Final[list[_Interface]] = []
        self.interfaces: Final[list[CaptureInterface]] = []
        self.comments: Final[list[str]] = []

    @property
    def dropped(self) -> int:
        """Frames that the file says are missing: counted between frames, or in all by an interface's statistics."""
        return sum(max(interface.lost_between, interface.lost_in_all) for interface in self._all)

    def __iter__(self) -> Iterator[Frame]:
        window = self._window
        end, number = 0, 0
        while True:
            block_type, position, end = self._next_block(end)
            if block_type is None:
                return
            try:
                if block_type == pcapng.ENHANCED_PACKET:
                    frame = self._enhanced(window.data, position, end, number + 1)
                elif block_type in (pcapng.SIMPLE_PACKET, pcapng.OBSOLETE_PACKET):
                    frame = self._older(block_type, window.data[position:end], number + 1)
                else:
                    self._describe(block_type, window.data[position + 8 : end - 4])
                    continue
            except (struct.error, ValueError, IndexError) as error:
                window.refuse_at(position, f"is a block of type {block_type:#x} that is not right: {error}")
            number += 1
            window.frames = number
            yield frame

    def _next_block(self, position: int) -> tuple[int | None, int, int]:
        """The type of the block at `position`, where it starts now, and where it ends; no type at the file's end."""
        window = self._window
        if position + 12 > len(window.data):
            if not window.need(position, 12):
                return None, 0, 0
            position = 0
        data = window.data
        if data[position : position + 4] == b"\x0a\x0d\x0d\x0a":
            self._start_section(data[position + 8 : position + 12], position)
        block_type, total = self._head(data, position)
        if total < 12 or total & 3 or total > MOST_OCTETS:
            window.refuse_at(position, f"is a block that claims {total} octets")
        end = position + total
        if end > len(data):
            window.need(position, total)
            data, position, end = window.data, 0, total
        if data[end - 4 : end] != data[position + 4 : position + 8]:
            window.refuse_at(position, f"is a block of {total} octets whose second length differs from its first")
        return block_type, position, end

    def _start_section(self, magic: bytes, position: int) -> None:
        if magic not in _ORDERS:
            self._window.refuse_at(position, f"is a section header whose byte-order magic is {magic.hex()}")
        self._order = _ORDERS[magic]
        self._head = struct.Struct(self._order + "II").unpack_from
        self._packet = struct.Struct(self._order + "IIIII").unpack_from
        self._section = []
        self._plain_options = {}

    def _enhanced(self, data: bytes, position: int, end: int, number: int) -> Frame:
        index, high, low, captured, original = self._packet(data, position + 8)
        options = position + 28 + (captured + 3 & ~3)
        if options > end - 4:
            raise ValueError(f"{captured} octets do not fit into it")
        direction, fcs = None, None
        if options < end - 4:
            given = data[options : end - 4]
            direction, fcs = self._plain_options.get(given) or self._frame_options(index, given)
        octets = data[position + 28 : position + 28 + captured]
        return self._frame(number, index, octets, original, high << 32 | low, direction, fcs)

    def _older(self, block_type: int, block: bytes, number: int) -> Frame:
        if block_type == pcapng.SIMPLE_PACKET:
            (original,) = struct.unpack_from(self._order + "I", block, 8)
            snap = self._interface(0).snap_length or original
            captured = min(original, snap)
            if captured > len(block) - 16:
                raise ValueError(f"{captured} octets do not fit into it")
            return self._frame(number, 0, block[12 : 12 + captured], original, None, None, None)
        index, lost, high, low, captured, original = struct.unpack_from(self._order + "HHIIII", block, 8)
        if captured > len(block) - 32:
            raise ValueError(f"{captured} octets do not fit into it")
        self._interface(index).lost_between += 0 if lost == 0xFFFF else lost
        return self._frame(number, index, block[28 : 28 + captured], original, high << 32 | low, None, None)

    def _frame(
        self,
        number: int,
        index: int,
        octets: bytes,
        original: int,
        ticks: int | None,
        direction: Direction | None,
        fcs: int | None,
    ) -> Frame:
        interface = self._interface(index)
        if interface.link_type not in LINK_TYPES:
            raise ValueError(f"the file {unknown_link_type(interface.link_type)}")
        if len(octets) > original:
            raise ValueError(f"it claims {len(octets)} octets captured of a frame of {original}")
        cut = interface.fcs if fcs is None else fcs
        if cut:
            original = max(original - cut, 0)
            octets = octets[:original]
        when = 0 if ticks is None else ticks * interface.multiplier // interface.divisor + interface.offset_ns
        return Frame(number, octets, original, when, interface.link_type, direction, interface.index)

    def _interface(self, index: int) -> _Interface:
        if index >= len(self._section):
            raise ValueError(f"it names interface {index}, of {len(self._section)} that are described")
        return self._section[index]

    def _frame_options(self, index: int, octets: bytes) -> tuple[Direction | None, int | None]:
        direction, fcs, plain = None, None, len(self._plain_options) < 64
        for code, value in self._options(octets):
            if code == pcapng.EPB_FLAGS:
                (flags,) = struct.unpack(self._order + "I", value)
                direction = _DIRECTIONS.get(flags & 3)
                fcs = flags >> 5 & 15 or None
            elif code == pcapng.EPB_DROPCOUNT:
                self._interface(index).lost_between += struct.unpack(self._order + "Q", value)[0]
                plain = False
        if plain:
            self._plain_options[octets] = (direction, fcs)
        return direction, fcs

    def _describe(self, block_type: int, body: bytes) -> None:
        if block_type == pcapng.SECTION_HEADER:
            (major,) = struct.unpack_from(self._order + "H", body, 4)
            if major != 1:
                raise ValueError(f"it is of version {major}; only version 1 is known")
            for code, value in self._options(body[16:]):
                if code == pcapng.OPT_COMMENT:
                    self.comments.append(value.decode(errors="replace"))
        elif block_type == pcapng.INTERFACE_DESCRIPTION:
            self._describe_interface(body)
        elif block_type == pcapng.INTERFACE_STATISTICS:
            interface = self._interface(struct.unpack_from(self._order + "I", body)[0])
            counts = dict(self._options(body[12:]))
            lost = (counts[code] for code in (pcapng.ISB_IFDROP, pcapng.ISB_OSDROP) if code in counts)
            interface.lost_in_all = sum(struct.unpack(self._order + "Q", value)[0] for value in lost)

    def _describe_interface(self, body: bytes) -> None:
        link_type, _, snap_length = struct.unpack_from(self._order + "HHI", body)
        options = dict(self._options(body[8:]))
        resolution = options.get(pcapng.IF_TSRESOL, b"\x06")[0]
        # The top bit says: a power of two, not of ten.
        ticks = 1 << (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        (seconds,) = struct.unpack(self._order + "q", options.get(pcapng.IF_TSOFFSET, bytes(8)))
        fcs = options.get(pcapng.IF_FCSLEN, b"\0")[0]
        self._section.append(
            _Interface(len(self._all), link_type, snap_length, fcs, 1_000_000_000, ticks, seconds * 1_000_000_000)
        )
        self._all.append(self._section[-1])
        self.interfaces.append(
            CaptureInterface(
                link_type=link_type,
                snap_length=snap_length,
                name=options.get(pcapng.IF_NAME, b"").decode(errors="replace"),
                description=options.get(pcapng.IF_DESCRIPTION, b"").decode(errors="replace"),
                fcs_octets=fcs,
            )
        )

    def _options(self, octets: bytes) -> Iterator[tuple[int, bytes]]:
        position = 0
        while position + 4 <= len(octets):
            code, length = struct.unpack_from(self._order + "HH", octets, position)
            if code == pcapng.OPT_END:
                return
            if position + 4 + length > len(octets):
                raise ValueError(f"option {code} claims {length} octets")
            yield code, octets[position + 4 : position + 4 + length]
            position += 4 + (length + 3 & ~3)
