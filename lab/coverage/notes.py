"""Notes about frames, taken while a capture is read: what was seen, in words, and in which frames.

Bounded whatever a capture holds: the first frames of each note are named, all are counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, final

MOST_FRAMES: Final = 10_000
MOST_TEXTS: Final = 100


@final
@dataclass(slots=True)
class Note:
    """One thing seen; `count` is of frames, `frames` the lowest numbers of them, in any order of arrival."""

    code: str
    text: str
    count: int = 0
    _frames: list[int] = field(default_factory=list)
    _latest: int = 0

    @property
    def frames(self) -> list[int]:
        """The first frames, in ascending order."""
        self._settle()
        return self._frames

    def add(self, *numbers: int) -> None:
        """Note more frames; the same frame twice running counts once."""
        kept = self._frames
        if numbers[0] == self._latest:
            numbers = numbers[1:]
        self._latest = numbers[-1] if numbers else self._latest
        self.count += len(numbers)
        kept += numbers
        if len(kept) > 2 * MOST_FRAMES:
            self._settle()

    def _settle(self) -> None:
        self._frames.sort()
        del self._frames[MOST_FRAMES:]


@final
class Notes:
    """All notes of one capture, by code and text."""

    def __init__(self) -> None:
        self._notes: Final[dict[tuple[str, str], Note]] = {}
        self._texts: Final[dict[str, int]] = {}

    def add(self, code: str, text: str, *numbers: int) -> None:
        """Note something about frames. A code with very many texts goes on under a common one."""
        note = self._notes.get((code, text))
        if note is None:
            if self._texts.get(code, 0) >= MOST_TEXTS:
                text = "many more of this kind"
                note = self._notes.get((code, text))
            if note is None:
                note = self._notes[code, text] = Note(code, text)
                self._texts[code] = self._texts.get(code, 0) + 1
        note.add(*numbers)

    def of(self, *codes: str) -> Iterable[Note]:
        """The notes with these codes, in the order of the codes, then of their first frame."""
        for code in codes:
            yield from sorted((note for note in self._notes.values() if note.code == code), key=lambda n: n.frames[:1])
