"""pcapng (draft-ietf-opsawg-pcapng): the reader. Sections of either byte order, with many interfaces each.

Blocks that hold neither frames, nor interfaces, nor their statistics, are stepped over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, final

from lab.capture import pcapng
from lab.capture.burst import Burst
from lab.capture.frame import LINK_TYPES, CaptureInterface, Direction
from lab.capture.pcap import unknown_link_type
from lab.capture.pcapng_rows import Interface, Meaning, Rows, take
from lab.capture.window import MOST_OCTETS, Window

_DIRECTIONS: Final = {flag: direction for direction, flag in pcapng.FLAG_DIRECTION.items()}
_MOST_OPTIONS: Final = 64
FEW: Final = 16
"""So many packets in a row are worth being taken at once."""
_SECTION_START: Final = b"\x0a\x0d\x0d\x0a"
_ORDERS: Final = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}


@final
class PcapngReader:
    """The frames of one file, once. `interfaces`, `comments` and `dropped` grow while the frames are read."""

    def __init__(self, window: Window) -> None:
        self._window: Final = window
        self._order = "<"
        self._word = struct.Struct("<I").unpack_from
        self._head = struct.Struct("<II").unpack_from
        self._packet = struct.Struct("<IIIII").unpack_from
        self._settled = -1
        self._section: list[Interface] = []
        # Most frames bear the same few options: direction, FCS. Those are parsed once, and have small numbers.
        self._meanings: Final[list[Meaning]] = [(None, None)]
        self._plain_options: dict[bytes, int] = {b"": 0}
        self._all: Final[list[Interface]] = []
        self.interfaces: Final[list[CaptureInterface]] = []
        self.comments: Final[list[str]] = []

    @property
    def dropped(self) -> int:
        """Frames that the file says are missing: counted between frames, or in all by an interface's statistics."""
        return sum(max(interface.lost_between, interface.lost_in_all) for interface in self._all)

    def bursts(self) -> Iterator[Burst]:
        """The frames, as many at a time as the window holds."""
        window, rows, position = self._window, Rows(), 0
        while True:
            position = self._enhanced_run(position, rows)
            end = self._whole_block(position)
            if end is None:
                yield from rows.flush(window)
                if not self._fill(position):
                    return
                position = 0
                continue
            (block_type,) = self._word(window.data, position)
            try:
                if block_type == pcapng.ENHANCED_PACKET:
                    self._enhanced(window.data, position, end, rows)
                elif block_type in (pcapng.SIMPLE_PACKET, pcapng.OBSOLETE_PACKET):
                    self._older(block_type, window.data, position, end, rows)
                else:
                    self._describe(block_type, window.data[position + 8 : end - 4])
            except (struct.error, ValueError, IndexError) as error:
                yield from rows.flush(window)
                window.refuse_at(position, f"is a block of type {block_type:#x} that is not right: {error}")
            position = end

    def _enhanced_run(self, position: int, rows: Rows) -> int:
        """Add the frames of the enhanced packet blocks from `position` on, many at once; give where they end.

        What is unusual, or wrong, in any of them leaves them all to be taken one by one.
        """
        data, room, head, packet = self._window.data, len(self._window.data), self._head, pcapng.ENHANCED_PACKET
        starts: list[int] = []
        keep, at, last = starts.append, position, room - 32
        while at <= last:
            block_type, total = head(data, at)
            if block_type != packet or total < 32 or at + total > room:
                break
            keep(at)
            at += total
        known, section = self._plain_options, self._section
        if len(starts) < FEW or not take(data, self._order, (*starts, at), section, known, self._meanings, rows):
            return position
        return at

    def _whole_block(self, position: int) -> int | None:
        """Where the block at `position` ends, if it is right and all of it is in the window."""
        data = self._window.data
        # A section may change the byte order: it is settled in `_fill`, where nothing is left to flush.
        unsettled = position + 12 > len(data) or data[position : position + 4] == _SECTION_START
        if unsettled and self._settled != self._window.start + position:
            return None
        end = position + int(self._word(data, position + 4)[0])
        whole = position + 12 <= end <= len(data) and not end & 3 ^ position & 3
        return end if whole and data[end - 4 : end] == data[position + 4 : position + 8] else None

    def _fill(self, position: int) -> bool:
        """Make the window start with the whole block that begins at `position`; False at the file's end."""
        window = self._window
        if not window.need(position, 12):
            return False
        self._settled = window.start
        if window.data[:4] == _SECTION_START:
            self._start_section(window.data[8:12])
        (total,) = self._word(window.data, 4)
        if total < 12 or total & 3 or total > MOST_OCTETS:
            window.refuse_at(0, f"is a block that claims {total} octets")
        window.need(0, total)
        if window.data[total - 4 : total] != window.data[4:8]:
            window.refuse_at(0, f"is a block of {total} octets whose second length differs from its first")
        return True

    def _start_section(self, magic: bytes) -> None:
        if magic not in _ORDERS:
            self._window.refuse_at(0, f"is a section header whose byte-order magic is {magic.hex()}")
        self._order = _ORDERS[magic]
        self._word = struct.Struct(self._order + "I").unpack_from
        self._head = struct.Struct(self._order + "II").unpack_from
        self._packet = struct.Struct(self._order + "IIIII").unpack_from
        self._section = []
        self._plain_options = {b"": 0}

    def _enhanced(self, data: bytes, position: int, end: int, rows: Rows) -> None:
        index, high, low, captured, original = self._packet(data, position + 8)
        start = position + 28
        options = start + (captured + 3 & ~3)
        if options > end - 4:
            raise ValueError(f"{captured} octets do not fit into it")
        given = data[options : end - 4]
        known = self._plain_options.get(given)
        direction, fcs = self._frame_options(index, given) if known is None else self._meanings[known]
        self._row(rows, index, (start, captured, original, high << 32 | low), direction, fcs)

    def _older(self, block_type: int, data: bytes, position: int, end: int, rows: Rows) -> None:
        if block_type == pcapng.SIMPLE_PACKET:
            (original,) = self._word(data, position + 8)
            captured = min(original, self._interface(0).snap_length or original)
            index, start, ticks = 0, position + 12, 0
        else:
            index, lost, high, low, captured, original = struct.unpack_from(self._order + "HHIIII", data, position + 8)
            start, ticks = position + 28, high << 32 | low
            self._interface(index).lost_between += 0 if lost == 0xFFFF else lost
        if start + captured > end - 4:
            raise ValueError(f"{captured} octets do not fit into it")
        self._row(rows, index, (start, captured, original, ticks), None, None)

    def _row(
        self, rows: Rows, index: int, place: tuple[int, int, int, int], direction: Direction | None, fcs: int | None
    ) -> None:
        """Add a frame: where it starts, octets captured and on the wire, ticks; what its options say."""
        start, captured, original, ticks = place
        interface = self._interface(index)
        if interface.link_type not in LINK_TYPES:
            raise ValueError(f"the file {unknown_link_type(interface.link_type)}")
        if captured > original:
            raise ValueError(f"it claims {captured} octets captured of a frame of {original}")
        length = max(original - (interface.fcs if fcs is None else fcs), 0)
        when = ticks * 1_000_000_000 // interface.ticks + interface.offset_ns if ticks else 0
        rows.add(start, start + min(captured, length), length, when, (interface.link_type, direction, interface.index))

    def _interface(self, index: int) -> Interface:
        if index >= len(self._section):
            raise ValueError(f"it names interface {index}, of {len(self._section)} that are described")
        return self._section[index]

    def _frame_options(self, index: int, octets: bytes) -> tuple[Direction | None, int | None]:
        direction, fcs, plain = None, None, len(self._plain_options) < _MOST_OPTIONS
        for code, value in self._options(octets):
            if code == pcapng.EPB_FLAGS:
                (flags,) = struct.unpack(self._order + "I", value)
                direction = _DIRECTIONS.get(flags & 3)
                fcs = flags >> 5 & 15 or None
            elif code == pcapng.EPB_DROPCOUNT:
                self._interface(index).lost_between += struct.unpack(self._order + "Q", value)[0]
                plain = False
        if plain:
            self._plain_options[octets] = len(self._meanings)
            self._meanings.append((direction, fcs))
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
        tick_ns = None if seconds or 1_000_000_000 % ticks else 1_000_000_000 // ticks
        offset_ns = seconds * 1_000_000_000
        self._section.append(Interface(len(self._all), link_type, snap_length, fcs, ticks, offset_ns, tick_ns))
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
