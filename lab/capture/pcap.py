"""Classic pcap (draft-ietf-opsawg-pcap): the reader. Micro- or nanoseconds, either byte order, FCS or none.

+-------------------------+      +---------+----------+----------+----------+-- captured octets --+
| file header, 24 octets  |  and  | seconds | fraction | captured | original | frame               |  again and again
+-------------------------+      +---------+----------+----------+----------+---------------------+
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, final

from lab.capture.frame import LINK_TYPES, CaptureInterface, Frame
from lab.capture.window import MOST_OCTETS, Window

# magic -> byte order, nanoseconds a tick
MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_FCS_PRESENT: Final = 1 << 26


@final
class PcapReader:
    """The frames of one file, once. pcap says nothing of lost frames."""

    def __init__(self, window: Window) -> None:
        self._window: Final = window
        window.need(0, 24)
        self._order, self._tick = MAGICS[window.data[:4]]
        major, _, _, _, snap_length, link = struct.unpack(self._order + "HHiIII", window.data[4:24])
        if major != 2:
            window.refuse(f"is pcap of version {major}; only version 2 is known")
        fcs = 2 * (link >> 28) if link & _FCS_PRESENT else 0
        interface = CaptureInterface(link_type=link & 0xFFFF, snap_length=snap_length, fcs_octets=fcs)
        if interface.link_type not in LINK_TYPES:
            window.refuse(unknown_link_type(interface.link_type))
        self.interfaces: Final = [interface]
        self.comments: Final[list[str]] = []
        self.dropped: Final = 0

    def __iter__(self) -> Iterator[Frame]:
        window, tick = self._window, self._tick
        link_type, fcs = self.interfaces[0].link_type, self.interfaces[0].fcs_octets
        unpack = struct.Struct(self._order + "IIII").unpack_from
        data, position, room = window.data, 24, len(window.data)
        number = 0
        while True:
            start = position + 16
            if start > room:
                if not window.need(position, 16):
                    return
                data, position, start, room = window.data, 0, 16, len(window.data)
            seconds, fraction, captured, original = unpack(data, position)
            end = start + captured
            if captured > original or captured > MOST_OCTETS:
                window.refuse_at(position, f"claims {captured} octets captured of a frame of {original}")
            if end > room:
                window.need(position, 16 + captured)
                data, position, start, end, room = window.data, 0, 16, 16 + captured, len(window.data)
            number += 1
            window.frames = number
            octets = data[start:end]
            if fcs:
                original = max(original - fcs, 0)
                octets = octets[:original]
            yield Frame(number, octets, original, seconds * 1_000_000_000 + fraction * tick, link_type, None, 0)
            position = end


def unknown_link_type(link_type: int) -> str:
    """The sentence for a link type that is not read here."""
    known = ", ".join(f"{name} ({number})" for number, name in LINK_TYPES.items())
    return f"has frames of link type {link_type}; read are {known}"
