"""Plain packets of a run seen as columns: whether their headers are alike, and which flows they belong to."""

from __future__ import annotations

from typing import Final, final

import numpy as np

from dataplane.esp.flow import Key
from dataplane.esp.layout import Octets
from dataplane.esp.mend import FLAGS_OFFSET, SYN


@final
class HeaderColumns:
    """Where one IP version has what a run is judged by.

    `compared` are the octets, with the bits of each, that must be the same in all packets of a run. `ends` are both
    addresses and ports; `transport` is where TCP or UDP starts.
    """

    __slots__ = ("_indices", "_masks", "ends", "transport")

    def __init__(self, compared: dict[int, int], *, ends: slice, transport: int) -> None:
        self._indices: Final = np.array(list(compared), np.intp)
        self._masks: Final = np.array(list(compared.values()), np.uint8)
        self.ends: Final = ends
        self.transport: Final = transport

    def alike(self, rows: Octets) -> int:
        """How many packets, from the first on, are like the first."""
        width, count = len(self._indices), len(rows)
        compared = (rows[:, self._indices] & self._masks).tobytes()
        first = compared[:width]
        if compared == first * count:
            return count
        same = 1
        while compared[same * width : (same + 1) * width] == first:
            same += 1
        return same

    def keys(self, rows: Octets, protocol: int) -> list[Key]:
        """The keys of the flows in order of packets, as `flow.glance` makes them; one alone when all have the same."""
        width, count = self.ends.stop - self.ends.start, len(rows)
        ends = rows[:, self.ends].tobytes()
        if ends == ends[:width] * count:
            return [(protocol, ends[:width])]
        return [(protocol, ends[place : place + width]) for place in range(0, width * count, width)]

    def any_syn(self, rows: Octets) -> bool:
        """Whether a packet opens a TCP connection; the run is TCP's."""
        place = self.transport + FLAGS_OFFSET
        return rows.shape[1] > place and bool((rows[:, place] & SYN).any())


_IPV4_ENDS: Final = slice(12, 24)
_IPV6_ENDS: Final = slice(8, 44)

# Version and IHL, TOS, total length, don't fragment and the rest of fragmentation, protocol.
OUTBOUND: Final = {
    4: HeaderColumns(dict.fromkeys((0, 1, 2, 3, 6, 7, 9), 0xFF), ends=_IPV4_ENDS, transport=20),
    6: HeaderColumns({0: 0xFF, 1: 0xF0, 4: 0xFF, 5: 0xFF, 6: 0xFF}, ends=_IPV6_ENDS, transport=40),
}
# The same but for TOS and don't fragment, on which nothing depends on the way in.
INBOUND: Final = {
    4: HeaderColumns({0: 0xFF, 2: 0xFF, 3: 0xFF, 6: 0xBF, 7: 0xFF, 9: 0xFF}, ends=_IPV4_ENDS, transport=20),
    6: HeaderColumns({0: 0xF0, 4: 0xFF, 5: 0xFF, 6: 0xFF}, ends=_IPV6_ENDS, transport=40),
}
