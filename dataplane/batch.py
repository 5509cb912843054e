"""Batches: frames or packets of one burst in a buffer that the caller owns and uses again and again.

The data-plane verbs take and fill batches, so that no object is made per frame on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from dataplane.errors import LocalError


@final
class Batch:
    """`slots` frames of at most `size` octets each, with `headroom` octets of nobody's before every slot.

    Frame i lies at the start of slot i and is `lengths[i]` octets long; the frames in use are 0 to `count` - 1.
    `views[i]` is the whole slot i, `rows` the same octets as a (slots, size) array, for work on columns. The engines'
    fast paths write all three by hand; `append` and iteration are for everybody else. `stride` octets lie between the
    starts of two slots. What is around a frame, in its slot or before it, is work space for whoever has the batch.
    """

    __slots__ = ("_columns", "buffer", "count", "headroom", "lengths", "rows", "size", "slots", "stride", "views")

    def __init__(self, slots: int, size: int, *, headroom: int = 0) -> None:
        if slots < 1 or size < 1 or headroom < 0:
            raise LocalError(f"a batch has at least one slot of one octet, not {slots} of {size} behind {headroom}")
        self.slots = slots
        self.size = size
        self.headroom = headroom
        self.stride = stride = headroom + size
        self.buffer = bytearray(slots * stride)
        self.rows: NDArray[np.uint8] = np.frombuffer(self.buffer, np.uint8).reshape(slots, stride)[:, headroom:]
        whole = memoryview(self.buffer)
        self.views: tuple[memoryview, ...] = tuple(
            whole[i * stride + headroom : (i + 1) * stride] for i in range(slots)
        )
        self.lengths: list[int] = [0] * slots
        self.count = 0
        self._columns: dict[tuple[str, int], NDArray[Any]] = {}

    def append(self, octets: bytes | bytearray | memoryview) -> None:
        """Copy one frame into the next free slot.

        Raises:
            LocalError: no slot is free, or the frame is longer than a slot.
        """
        length = len(octets)
        if self.count == self.slots:
            raise LocalError(f"all {self.slots} slots of the batch are in use")
        if length > self.size:
            raise LocalError(f"a frame of {length} octets does not fit a slot of {self.size}")
        self.views[self.count][:length] = octets
        self.lengths[self.count] = length
        self.count += 1

    def column(self, kind: str, offset: int) -> NDArray[Any]:
        """The field at this offset of every slot as an array, made once; `kind` is numpy's, `>u4` or `>u2` say."""
        column = self._columns.get((kind, offset))
        if column is None:
            column = np.ndarray((self.slots,), kind, self.buffer, self.headroom + offset, (self.stride,))
            self._columns[kind, offset] = column
        return column

    def clear(self) -> None:
        """Forget all frames; the octets stay until they are overwritten."""
        self.count = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> memoryview:
        """Frame `index`, as a view of the buffer: valid until the slot is written again."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        return self.views[index][: self.lengths[index]]

    def __iter__(self) -> Iterator[memoryview]:
        return (self[index] for index in range(self.count))


def run_end(lengths: list[int], start: int, count: int) -> int:
    """Where the run of frames of one length that begins at `start` ends, at most at `count`."""
    length = lengths[start]
    if lengths[start:count].count(length) == count - start:  # what nearly every batch of bulk traffic is
        return count
    end = start + 1
    while lengths[end] == length:
        end += 1
    return end
