"""A window that slides over a capture file's octets, in constant memory. Truncation is found here, and nowhere else."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn, cast, final

from lab.errors import InputError, Problem

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

CHUNK: Final = 1 << 20
MOST_OCTETS: Final = (
    1 << 24
)  # of one record or block: no link type has a frame near it, and no memory is asked for more

_OTHER_COMPRESSIONS: Final = {
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\xfd7zXZ\0": "xz",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
}


@final
class Window:
    """The octets of a file, gunzipped where they are gzipped.

    `data` holds a part of them, starting at octet `start` of the file; a reader walks it with an index of its own and
    asks for more with `need`. `frames` is the reader's count of whole frames so far, for messages.
    """

    __slots__ = ("_hashing", "_raw", "_stream", "data", "frames", "path", "start")

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self.data = b""
        self.start = 0
        self.frames = 0
        try:
            self._hashing: Final = _Hashing(path)
            self._raw: Final = io.BufferedReader(self._hashing, CHUNK)
            magic = self._raw.peek(6)
        except OSError as error:
            raise InputError(
                [Problem(file=str(path), text=f"the capture cannot be read: {error.strerror or error}")]
            ) from None
        for start, name in _OTHER_COMPRESSIONS.items():
            if magic.startswith(start):
                self.refuse(f"is {name}; captures are read plain or gzipped")
        self._stream: BinaryIO = self._raw
        if magic.startswith(b"\x1f\x8b"):
            self._stream = cast(BinaryIO, gzip.GzipFile(fileobj=self._raw))

    def need(self, position: int, count: int) -> bool:
        """Make `data` start with the octet that was at index `position`, and hold `count` octets or more.

        Gives False where the file ends just there. A file that ends inside the `count` octets is refused.
        """
        if not position and len(self.data) >= count:
            return True
        parts = [self.data[position:]]
        have = len(parts[0])
        self.start += position
        while have < count:
            try:
                more = self._stream.read(CHUNK)
            except (OSError, EOFError, zlib.error) as error:
                self.refuse(f"{self._so_far()}, then it cannot be read on: {error}")
            if not more:
                break
            parts.append(more)
            have += len(more)
        self.data = b"".join(parts)
        if have < count and have:
            self.refuse(
                f"is cut off: {self._so_far()}; at octet {self.start} begin {count} octets or more, of which there are"
                f" {have}"
            )
        return have >= count

    def refuse(self, text: str) -> NoReturn:
        """Raise the error that names the file."""
        raise InputError([Problem(file=str(self.path), text=text)])

    def refuse_at(self, position: int, text: str) -> NoReturn:
        """Raise the error that names the file, the frame that was being read and its place; `position` is an index."""
        self.refuse(f"{self._so_far()}; what follows at octet {self.start + position} {text}")

    def sha256(self) -> str:
        """The hash of the file as it lies on the disk, in hex; reads what nobody has read yet."""
        while self._raw.read(CHUNK):
            pass
        return self._hashing.hash.hexdigest()

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()

    def _so_far(self) -> str:
        return f"{self.frames} whole frame{'' if self.frames == 1 else 's'} can be read"


class _Hashing(io.RawIOBase):
    """A file that hashes what is read from it."""

    def __init__(self, path: Path) -> None:
        self._file: Final = path.open("rb", buffering=0)
        self.hash: Final = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        count = self._file.readinto(buffer) or 0
        self.hash.update(memoryview(buffer)[:count])
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
