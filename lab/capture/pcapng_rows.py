"""pcapng's packets on their way to a burst: what an interface says of their fields, and many of them read at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lab.capture.burst import Burst, Origin
from lab.capture.frame import LINK_TYPES, Direction
from lab.capture.window import Window

_LAST_TIME: Final = (1 << 63) - 1

Meaning: TypeAlias = tuple[Direction | None, int | None]
"""What a packet's options say: its direction, and the octets of its FCS."""


@dataclass(slots=True)
class Interface:
    """An interface of this section: what a frame's fields mean, and what it lost."""

    index: int
    link_type: int
    snap_length: int
    fcs: int
    ticks: int
    offset_ns: int
    tick_ns: int | None  # where every time stamp is so many times its ticks
    lost_between: int = 0
    lost_in_all: int = 0


@final
class Rows:
    """The frames found in the window so far: rows of start, end, length, time, origin."""

    def __init__(self) -> None:
        self._blocks: Final[list[NDArray[np.int64]]] = []
        self._rows: Final[list[tuple[int, int, int, int, int]]] = []
        self._origins: Final[dict[Origin, int]] = {}

    def add(self, start: int, end: int, length: int, when: int, origin: Origin) -> None:
        """Add a frame."""
        self._rows.append((start, end, length, min(max(when, 0), _LAST_TIME), self.place(origin)))

    def extend(self, block: NDArray[np.int64]) -> None:
        """Add many frames."""
        self._settle()
        self._blocks.append(block)

    def place(self, origin: Origin) -> int:
        """The number of an origin, for `extend`."""
        return self._origins.setdefault(origin, len(self._origins))

    def flush(self, window: Window) -> Iterator[Burst]:
        """The frames as a burst, if there are any; the window may slide after it."""
        self._settle()
        if self._blocks:
            starts, ends, lengths, times, origin = np.concatenate(self._blocks, axis=1)
            burst = Burst(window.data, window.frames + 1, (starts, ends, lengths, times), origin, list(self._origins))
            window.frames += len(burst)
            self._blocks.clear()
            yield burst

    def _settle(self) -> None:
        if self._rows:
            self._blocks.append(np.array(self._rows, np.int64).T)
            self._rows.clear()


def take(
    data: bytes,
    order: str,
    edges: Sequence[int],
    section: Sequence[Interface],
    options: Mapping[bytes, int],
    meanings: Sequence[Meaning],
    rows: Rows,
) -> bool:
    """Add the packets of the enhanced packet blocks between the edges, whose options are among those known.

    Gives False, and adds nothing, where anything is wrong with any of them, or not as usual.
    """
    at, ends = np.array(edges[:-1], np.int64), np.array(edges[1:], np.int64)
    heads = np.ndarray(len(data) - 27, "V28", data, strides=(1,))[at].view(order + "u4").reshape(-1, 7)
    _, total, index, high, low, captured, originals = heads.astype(np.int64).T
    again = np.ndarray(len(data) - 3, order + "u4", data, strides=(1,))[ends - 4]
    tails = at + 28 + (captured + 3 & ~3)
    odd = (tails > ends - 4) | (captured > originals) | (index >= len(section)) | (total != again) | (total & 3 != 0)
    if np.any(odd):
        return False
    known = options.get
    said = [known(data[a:b], -1) for a, b in zip(tails.tolist(), (ends - 4).tolist(), strict=True)]
    alike = index * (len(meanings) + 1) + said
    lengths, times, origin = np.empty_like(at), np.empty_like(at), np.empty_like(at)
    ticks = high.astype(np.uint64) << np.uint64(32) | low.astype(np.uint64)
    for kind in set(alike.tolist()):
        mask = alike == kind
        first = int(np.argmax(mask))
        interface, meaning = section[index[first]], said[first]
        if meaning < 0 or interface.tick_ns is None or interface.link_type not in LINK_TYPES:
            return False
        direction, fcs = meanings[meaning]
        lengths[mask] = np.maximum(originals[mask] - (interface.fcs if fcs is None else fcs), 0)
        most, tick_ns = np.uint64(_LAST_TIME // interface.tick_ns), np.uint64(interface.tick_ns)
        times[mask] = np.where(ticks[mask] > most, np.uint64(_LAST_TIME), np.minimum(ticks[mask], most) * tick_ns)
        origin[mask] = rows.place((interface.link_type, direction, interface.index))
    starts = at + 28
    rows.extend(np.stack((starts, starts + np.minimum(captured, lengths), lengths, times, origin)))
    return True
