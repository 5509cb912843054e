"""A window that slides over a capture file's octets, in constant memory. Truncation is found here, and nowhere else."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, NoReturn, Protocol, cast, final

from lab.errors import InputError, Problem

CHUNK: Final = 1 << 22  # what is looked at together: with less, what a call costs comes to more
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

    __slots__ = ("_file", "_stream", "data", "frames", "path", "start")

    def __init__(self, path: Path, *, hashed: bool = True) -> None:
        """Open the file; with `hashed`, its hash can be asked for in the end."""
        self.path: Final = path
        self.data = b""
        self.start = 0
        self.frames = 0
        try:
            self._file: Final = _File(path, hashed=hashed)
        except OSError as error:
            raise InputError(
                [Problem(file=str(path), text=f"the capture cannot be read: {error.strerror or error}")]
            ) from None
        self._stream: _Readable = self._file
        for start, name in _OTHER_COMPRESSIONS.items():
            if self._file.ahead.startswith(start):
                self._file.close()
                self.refuse(f"is {name}; captures are read plain or gzipped")
        if self._file.ahead.startswith(b"\x1f\x8b"):
            self._stream = gzip.GzipFile(fileobj=cast(BinaryIO, self._file), mode="rb")

    @property
    def octets_read(self) -> int:
        """How much of the file has been read so far."""
        return self._file.octets_read

    def need(self, position: int, count: int) -> bool:
        """Make `data` start with the octet that was at index `position`, and hold `count` octets or more.

        Gives False where the file ends just there. A file that ends inside the `count` octets is refused.
        """
        if not position and len(self.data) >= count:
            return True
        parts = [self.data[position:]]
        self.data = b""
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
        while self._file.read(CHUNK):
            pass
        return self._file.digest()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _so_far(self) -> str:
        return f"{self.frames} whole frame{'' if self.frames == 1 else 's'} can be read"


class _Readable(Protocol):
    def read(self, count: int, /) -> bytes: ...


@final
class _File:
    """A file that is hashed while it is read, from the second chunk on by a thread of its own.

    What stands `ahead` has been read, for a look at it, and comes first.
    """

    def __init__(self, path: Path, *, hashed: bool) -> None:
        self._file: Final = path.open("rb", buffering=0)
        self._hash: Final = hashlib.sha256() if hashed else None
        self._hashing: ThreadPoolExecutor | None = None
        self._under_way: Future[None] | None = None
        self.octets_read = 0
        self.ahead = b""
        try:
            self.ahead = self.read(CHUNK)
        except OSError:
            self._file.close()
            raise

    def read(self, count: int) -> bytes:
        """Up to so many octets, none at the end."""
        if self.ahead:
            octets, self.ahead = self.ahead[:count], self.ahead[count:]
            return octets
        octets = self._file.read(count) or b""
        if self._hash is not None and octets:
            self._take(self._hash, octets)
        self.octets_read += len(octets)
        return octets

    def digest(self) -> str:
        """The hash of what was read, in hex."""
        self._wait()
        assert self._hash is not None
        return self._hash.hexdigest()

    def close(self) -> None:
        """Let go of the file and of the thread."""
        self._wait()
        if self._hashing is not None:
            self._hashing.shutdown()
        self._file.close()

    def _take(self, digest: hashlib._Hash, octets: bytes) -> None:
        if not self.octets_read:
            digest.update(octets)
            return
        if self._hashing is None:
            self._hashing = ThreadPoolExecutor(1)
        self._wait()
        self._under_way = self._hashing.submit(digest.update, octets)

    def _wait(self) -> None:
        if self._under_way is not None:
            self._under_way.result()
