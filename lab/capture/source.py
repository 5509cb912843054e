"""Opening a capture, whatever its format: `with open_capture(path) as capture: for frame in capture: ...`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self, final

from lab.capture.burst import Burst
from lab.capture.frame import CaptureInterface, Frame
from lab.capture.pcap import MAGICS, PcapReader
from lab.capture.pcapng_reader import PcapngReader
from lab.capture.window import Window


@final
class Capture:
    """A capture file being read, in constant memory: its frames can be walked once.

    A file that is cut off in the middle, or broken, is refused when the walk comes to that place, with the number of
    frames before it; nothing is lost in silence. What the file says of itself is complete when the walk is.
    """

    def __init__(self, path: Path, *, hashed: bool = True) -> None:
        self.path: Final = path
        self._window: Final = Window(path, hashed=hashed)
        try:
            self._reader: Final = _reader(self._window)
        except BaseException:
            self._window.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        return (frame for burst in self._reader.bursts() for frame in burst.frames())

    def bursts(self) -> Iterator[Burst]:
        """The same walk, many frames at a time, for those who are in a hurry."""
        return self._reader.bursts()

    @property
    def interfaces(self) -> tuple[CaptureInterface, ...]:
        """The interfaces described so far."""
        return tuple(self._reader.interfaces)

    @property
    def comments(self) -> tuple[str, ...]:
        """The comments of the sections read so far."""
        return tuple(self._reader.comments)

    @property
    def dropped(self) -> int:
        """How many frames the file itself says are missing from it."""
        return self._reader.dropped

    @property
    def octets_read(self) -> int:
        """How much of the file has been read so far."""
        return self._window.octets_read

    def sha256(self) -> str:
        """The hash of the file as it lies on the disk, in hex; to be asked after the walk."""
        return self._window.sha256()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._window.close()


def open_capture(path: Path, *, hashed: bool = True) -> Capture:
    """Open a pcap or pcapng file, plain or gzipped; with `hashed`, to be asked for its hash when it was walked.

    Raises:
        InputError: it cannot be read, is empty, or is no capture; also later, while frames are read from it.
    """
    return Capture(path, hashed=hashed)


def _reader(window: Window) -> PcapReader | PcapngReader:
    if not window.need(0, 1):
        window.refuse("is empty: not even a capture's header")
    magic = window.data[:4]
    if magic in MAGICS:
        return PcapReader(window)
    if magic == b"\x0a\x0d\x0d\x0a":
        return PcapngReader(window)
    return window.refuse(
        f"is not a capture: it starts with {magic.hex(' ')}; pcap and pcapng are read, plain or gzipped"
    )
