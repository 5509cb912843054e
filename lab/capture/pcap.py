"""Classic pcap (draft-ietf-opsawg-pcap): the reader. Micro- or nanoseconds, either byte order, FCS or none.

+-------------------------+      +---------+----------+----------+----------+-- captured octets --+
| file header, 24 octets  |  and  | seconds | fraction | captured | original | frame               |  again and again
+-------------------------+      +---------+----------+----------+----------+---------------------+
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, final

import numpy as np

from lab.capture.burst import Burst
from lab.capture.frame import LINK_TYPES, CaptureInterface
from lab.capture.window import MOST_OCTETS, Window

# magic -> byte order, nanoseconds a tick
MAGICS: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_FCS_PRESENT: Final = 1 << 26
_HEAD: Final = 16


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

    def bursts(self) -> Iterator[Burst]:
        """The frames, as many at a time as the window holds."""
        window = self._window
        captured_of = struct.Struct(self._order + "8xI").unpack_from
        position = 24
        while window.need(position, _HEAD):
            data, room, position = window.data, len(window.data), 0
            records: list[int] = []
            keep, last = records.append, room - _HEAD
            while position <= last:
                end = position + _HEAD + captured_of(data, position)[0]
                if end > room:
                    break
                keep(position)
                position = end
            if records:
                yield from self._burst(data, records)
                continue
            captured, original = struct.unpack_from(self._order + "II", data, 8)
            self._check(0, captured, original)
            window.need(0, _HEAD + captured)

    def _burst(self, data: bytes, records: list[int]) -> Iterator[Burst]:
        """The whole records that start there; refuses the first of them that cannot be."""
        window = self._window
        at = np.array(records, np.int64)
        heads = np.ndarray(len(data) - _HEAD + 1, f"V{_HEAD}", data, strides=(1,))[at]
        at += _HEAD
        heads = heads.view(self._order + "u4").reshape(-1, 4)
        seconds, fraction, captured, originals = heads.astype(np.int64).T
        impossible = np.flatnonzero((captured > originals) | (captured > MOST_OCTETS))
        good = int(impossible[0]) if len(impossible) else len(at)
        lengths = np.maximum(originals - self.interfaces[0].fcs_octets, 0)
        ends = at + np.minimum(captured, lengths)
        times = seconds * 1_000_000_000 + fraction * self._tick
        first = window.frames + 1
        window.frames += good
        origin = (self.interfaces[0].link_type, None, 0)
        yield Burst(
            data,
            first,
            (at[:good], ends[:good], lengths[:good], times[:good]),
            np.zeros(good, np.int64),
            [origin],
        )
        if good < len(at):
            self._check(records[good], int(captured[good]), int(originals[good]))

    def _check(self, position: int, captured: int, original: int) -> None:
        if captured > original or captured > MOST_OCTETS:
            self._window.refuse_at(position, f"claims {captured} octets captured of a frame of {original}")


def unknown_link_type(link_type: int) -> str:
    """The sentence for a link type that is not read here."""
    known = ", ".join(f"{name} ({number})" for number, name in LINK_TYPES.items())
    return f"has frames of link type {link_type}; read are {known}"
