"""Where each canary was seen: the frames that held its token, by direction and by what lay around it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, final

from lab.coverage.tokens import Sighting

READABLE: Final = 4
"""The form of a token in MACsec without confidentiality; the other forms are the layers that were opened, as bits."""


@dataclass(slots=True, kw_only=True)
class Seen:
    """The frames in which one token was seen, in one form and direction."""

    frames: int = 0
    first_frame: int = 0
    first_time: int = 0
    encodings: set[str] = field(default_factory=set)

    def add(self, other: Seen) -> None:
        """Add what was seen elsewhere."""
        if not self.frames or other.first_frame < self.first_frame:
            self.first_frame, self.first_time = other.first_frame, other.first_time
        self.frames += other.frames
        self.encodings |= other.encodings


@final
class Sightings:
    """All sightings, by token, form and direction."""

    def __init__(self) -> None:
        self.seen: Final[dict[tuple[int, int, str], Seen]] = {}

    def add(self, found: Iterable[Sighting], form: int, direction: str, frame: int, time_ns: int) -> None:
        """Note the tokens found in one frame."""
        by_token: dict[int, set[str]] = {}
        for token, spelling in found:
            by_token.setdefault(token, set()).add(spelling)
        for token, encodings in by_token.items():
            one = Seen(frames=1, first_frame=frame, first_time=time_ns, encodings=encodings)
            self.seen.setdefault((token, form, direction), Seen()).add(one)

    def merge(self, other: Sightings) -> None:
        """Add those of another part."""
        for key, seen in other.seen.items():
            self.seen.setdefault(key, Seen()).add(seen)
