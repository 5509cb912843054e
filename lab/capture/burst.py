"""A burst: the frames that lie whole in one window over a capture file, as columns, to handle many at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from lab.capture.frame import Direction, Frame

Column: TypeAlias = NDArray[np.int64]
Origin: TypeAlias = tuple[int, Direction | None, int]


@final
class Burst:
    """Frames `first_number` and following; row i is frame `first_number` + i.

    The frame of row i is `data[starts[i] : ends[i]]`, `lengths[i]` octets long on the wire, seen at `times[i]`
    nanoseconds after 1970, and comes from `origins[origin[i]]`: link type, direction, interface.
    """

    __slots__ = ("data", "ends", "first_number", "lengths", "origin", "origins", "starts", "times")

    def __init__(
        self,
        data: bytes,
        first_number: int,
        columns: tuple[Column, Column, Column, Column],
        origin: Column,
        origins: Sequence[Origin],
    ) -> None:
        """Take the columns: starts, ends, lengths, times."""
        self.data: Final = data
        self.first_number: Final = first_number
        self.starts, self.ends, self.lengths, self.times = columns
        self.origin: Final = origin
        self.origins: Final = origins

    def __len__(self) -> int:
        return len(self.starts)

    def frames(self, rows: Column | None = None) -> Iterator[Frame]:
        """These rows, or all, one by one."""
        data, first, origins = self.data, self.first_number, self.origins
        rows = np.arange(len(self.starts)) if rows is None else rows
        columns = (rows, self.starts[rows], self.ends[rows], self.lengths[rows], self.times[rows], self.origin[rows])
        for row, start, end, length, time, origin in zip(*(column.tolist() for column in columns), strict=True):
            yield Frame(first + row, data[start:end], length, time, *origins[origin])
