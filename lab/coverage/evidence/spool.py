"""Rows of numbers, very many of them: in memory up to a bound, beyond it in a file without a name."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, Any, Final, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

MOST_IN_MEMORY: Final = 1 << 20
"""Rows: about 32 MB of them. A capture of a million frames stays below it."""
_PIECE: Final = 1 << 18

Rows: TypeAlias = NDArray[np.void]


@final
class Spool:
    """Rows of one dtype, appended, then walked as often as wanted in the order of appending."""

    def __init__(self, dtype: np.dtype[np.void]) -> None:
        self._dtype: Final = dtype
        self._parts: list[Rows] = []
        self._in_memory = 0
        self._file: IO[bytes] | None = None
        self.count = 0

    def append(self, rows: Rows) -> None:
        """Add rows; the array is kept, and must not change any more."""
        self._parts.append(rows)
        self._in_memory += len(rows)
        self.count += len(rows)
        if self._in_memory >= MOST_IN_MEMORY:
            self._write_out()

    def extend(self, other: Spool) -> None:
        """Add all rows of another one."""
        for rows in other:
            self.append(rows)

    def __iter__(self) -> Iterator[Rows]:
        if self._file is not None:
            self._file.seek(0)
            while octets := self._file.read(_PIECE * self._dtype.itemsize):
                yield np.frombuffer(octets, self._dtype)
            self._file.seek(0, 2)
        yield from self._parts

    def all(self) -> Rows:
        """All rows as one array; for who knows that they are few enough."""
        parts = list(self)
        return np.concatenate(parts) if parts else np.empty(0, self._dtype)

    def __getstate__(self) -> dict[str, Any]:
        # A file does not travel to another process; its rows do.
        return {"_dtype": self._dtype, "_parts": list(self), "_in_memory": self.count, "_file": None,
                "count": self.count}  # fmt: skip

    def _write_out(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="wireproof-")  # noqa: SIM115 - lives as long as the spool
            weakref.finalize(self, self._file.close)
        for rows in self._parts:
            self._file.write(rows.tobytes())
        self._parts = []
        self._in_memory = 0
