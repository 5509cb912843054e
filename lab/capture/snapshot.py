"""A copy of a capture that may still be written: all of it up to its last whole block."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

_PIECE: Final = 1 << 20
_LEAST_BLOCK: Final = 12


def copy_whole_blocks(source: Path, target: Path) -> int:
    """Copy a little-endian pcapng file, as the tap writes it, without a block that is not all there; give its octets.

    Raises:
        OSError: one of the files cannot be read or written.
    """
    with source.open("rb") as reading, target.open("wb") as writing:
        waiting, copied = b"", 0
        while piece := reading.read(_PIECE):
            waiting += piece
            end = _whole(waiting)
            writing.write(waiting[:end])
            copied += end
            waiting = waiting[end:]
    return copied


def _whole(octets: bytes) -> int:
    """Where the last block ends that is all there."""
    end = 0
    while end + _LEAST_BLOCK <= len(octets):
        (total,) = struct.unpack_from("<I", octets, end + 4)
        if total < _LEAST_BLOCK or end + total > len(octets):
            break
        end += total
    return end
