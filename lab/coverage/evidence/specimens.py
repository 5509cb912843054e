"""Specimens: one frame of each class, kept whole, to be shown. The first there is, rather one that carries IP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

from lab.capture.frame import Frame


@dataclass(frozen=True, slots=True)
class Specimen:
    """One frame. `telling` says that there is more to see in it than in another."""

    frame: Frame
    telling: bool


@final
class Specimens:
    """The best frame so far for each key: a census class's name, or `PROTOCOL failed`."""

    def __init__(self) -> None:
        self.kept: Final[dict[str, Specimen]] = {}

    def wants(self, key: str, number: int, *, telling: bool) -> bool:
        """Whether the frame of this number would be kept. A telling one is better, then an earlier one."""
        known = self.kept.get(key)
        return known is None or (not telling, number) < (not known.telling, known.frame.number)

    def offer(self, key: str, frame: Frame, *, telling: bool) -> None:
        """Keep a frame if it is better than the one that is kept."""
        if self.wants(key, frame.number, telling=telling):
            self.kept[key] = Specimen(frame, telling)

    def merge(self, other: Specimens) -> None:
        """Add those of another part."""
        for key, specimen in other.kept.items():
            self.offer(key, specimen.frame, telling=specimen.telling)
