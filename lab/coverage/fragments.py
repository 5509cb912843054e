"""IP fragments put together again, in bounded memory. A frame waits here until its datagram's class is known."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar, final

from lab.coverage.sight import Fragment

MOST_DATAGRAMS: Final = 512  # of 64 KiB at the most: 32 MiB
LIFETIME_NS: Final = 60 * 1_000_000_000  # RFC 8200 4.5; RFC 1122 3.3.2 has 60 to 120 s

Waiting = TypeVar("Waiting")


@final
@dataclass(slots=True)
class Datagram(Generic[Waiting]):
    """A datagram as far as it has arrived, and who waits for it. `conflict` says that its pieces contradict."""

    first: Fragment
    since_ns: int
    pieces: dict[int, bytes] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    octets: int = 0
    furthest: int = 0
    length: int | None = None
    conflict: bool = False
    cut: bool = False
    waiting: list[Waiting] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all of it is here."""
        return self.octets == self.length and not self.conflict

    def payload(self) -> bytes:
        """The octets from the datagram's start up to the first that is missing."""
        parts, position = [], 0
        while piece := self.pieces.get(position):  # one that the snap length left nothing of is the last
            parts.append(piece)
            position += len(piece)
        return b"".join(parts)

    def add(self, piece: Fragment, octets: bytes) -> None:
        """Take one piece; an exact repetition changes nothing."""
        offset, end = piece.offset, piece.offset + len(octets)
        if self.pieces.get(offset) == octets:
            return
        place = bisect.bisect_left(self.offsets, offset)
        if place < len(self.offsets) and self.offsets[place] < end:
            self.conflict = True  # what receivers make of overlapping pieces differs (RFC 5722 3)
        elif place and self.offsets[place - 1] + len(self.pieces[self.offsets[place - 1]]) > offset:
            self.conflict = True
        else:
            self.offsets.insert(place, offset)
            self.pieces[offset] = octets
            self.octets += len(octets)
        self.furthest = max(self.furthest, end)
        if not piece.more:
            self.conflict |= self.length not in (None, end)
            self.length = end
        self.conflict |= self.length is not None and self.furthest > self.length


@final
class Reassembly(Generic[Waiting]):
    """All datagrams whose pieces are under way."""

    def __init__(self) -> None:
        self._datagrams: Final[dict[tuple[bytes, bytes, int, int], Datagram[Waiting]]] = {}

    def add(
        self, piece: Fragment, octets: bytes, *, cut: bool, now_ns: int, waiting: Waiting
    ) -> tuple[Datagram[Waiting], ...]:
        """Take one piece; give the datagrams that have ended by it: this one if it is whole, others that are too old.

        A datagram that is given but not complete, nor in conflict, will never be whole.
        """
        ended = self._expire(now_ns)
        datagram = self._datagrams.get(piece.key)
        if datagram is None:
            datagram = self._datagrams[piece.key] = Datagram(piece, now_ns)
        datagram.waiting.append(waiting)
        datagram.cut |= cut
        datagram.add(piece, octets)
        if datagram.is_complete or datagram.conflict:
            ended.append(self._datagrams.pop(piece.key))
        elif len(self._datagrams) > MOST_DATAGRAMS:
            ended.append(self._datagrams.pop(next(iter(self._datagrams))))
        return tuple(ended)

    def finish(self) -> tuple[Datagram[Waiting], ...]:
        """Give up all that is left."""
        left = tuple(self._datagrams.values())
        self._datagrams.clear()
        return left

    def _expire(self, now_ns: int) -> list[Datagram[Waiting]]:
        ended = []
        while self._datagrams:
            key, oldest = next(iter(self._datagrams.items()))
            if now_ns - oldest.since_ns <= LIFETIME_NS:
                break
            ended.append(self._datagrams.pop(key))
        return ended
