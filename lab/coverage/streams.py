"""Tokens that TCP cut in two: the ends of what every connection sent, laid side by side in sequence (RFC 9293 3.4).

Nothing is put together but the seams. Segments may come in any order, overlap and come again; memory is bounded.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final, Generic, NamedTuple, TypeVar, final

from lab.coverage.tokens import Sighting, Tokens

MOST_FLOWS: Final = 1024
MOST_RUNS: Final = 16  # pieces of one connection that do not touch each other
_HALF: Final = 1 << 31
_SYN: Final = 0x02

Who = TypeVar("Who")


class Run(NamedTuple, Generic[Who]):
    """Octets in sequence without a gap: where they start, how many, the first and the last of them, and in whose."""

    start: int
    length: int
    head: bytes
    tail: bytes
    first: Who
    last: Who


class Across(NamedTuple, Generic[Who]):
    """A frame with a part of a token that lies across a seam, and which token that is."""

    who: Who
    found: frozenset[Sighting]


@final
class Streams(Generic[Who]):
    """The connections of one capture, each by a key that tells it from the others."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens: Final = tokens
        self._edge: Final = tokens.longest - 1
        self._flows: Final[dict[Hashable, list[Run[Who]]]] = {}

    def segment(self, where: Hashable, octets: bytes, start: int, end: int, who: Who) -> tuple[Across[Who], ...]:
        """Take a TCP segment; give both frames of each seam that it closes and that a token lies across, and which.

        A token that lies in one segment alone is for others to find.
        """
        if end > len(octets) or end - start < 20:
            return ()
        payload = octets[start + (octets[start + 12] >> 4) * 4 : end]
        if not payload or not self._edge:
            return ()
        sequence = int.from_bytes(octets[start + 4 : start + 8], "big") + (octets[start + 13] & _SYN != 0)
        return self._add((where, octets[start : start + 4]), sequence & 0xFFFFFFFF, payload, who)

    def _add(self, key: Hashable, sequence: int, payload: bytes, who: Who) -> tuple[Across[Who], ...]:
        runs = self._flows.pop(key, [])
        self._flows[key] = runs
        if len(self._flows) > MOST_FLOWS:
            del self._flows[next(iter(self._flows))]
        before: Run[Who] | None = None
        behind: Run[Who] | None = None
        front, back = 0, len(payload)
        for run in tuple(runs):
            begin = _distance(run.start, sequence)
            if 0 <= begin <= run.length:
                if begin + len(payload) <= run.length:
                    return ()  # all of it is known already
                before, front = run, run.length - begin
                runs.remove(run)
            elif begin < 0 <= begin + len(payload):
                runs.remove(run)
                if begin + len(payload) <= run.length and -begin <= back:
                    behind, back = run, -begin
        new = payload[front:back]
        joined = self._run(sequence + front, new, who)
        found: tuple[Across[Who], ...] = ()
        if before is not None:
            joined, found = self._join(before, joined)
        if behind is not None:
            joined, more = self._join(joined, behind)
            found += more
        runs.append(joined)
        del runs[:-MOST_RUNS]
        return found

    def _run(self, start: int, octets: bytes, who: Who) -> Run[Who]:
        return Run(start & 0xFFFFFFFF, len(octets), octets[: self._edge], octets[-self._edge :], who, who)

    def _join(self, left: Run[Who], right: Run[Who]) -> tuple[Run[Who], tuple[Across[Who], ...]]:
        head = left.head if left.length >= self._edge else (left.head + right.head)[: self._edge]
        tail = right.tail if right.length >= self._edge else (left.tail + right.tail)[-self._edge :]
        length = min(left.length + right.length, _HALF // 2)  # sequence numbers come round
        start = right.start + right.length - length & 0xFFFFFFFF
        joined = Run(start, length, head, tail, left.first, right.last)
        across = self._tokens.found_in(left.tail + right.head)
        if across:
            across -= self._tokens.found_in(left.tail) | self._tokens.found_in(right.head)
        if not across:
            return joined, ()
        return joined, (Across(left.last, across), Across(right.first, across))


def _distance(origin: int, sequence: int) -> int:
    """How far a sequence number is behind another one, negative if before it (RFC 9293 3.4)."""
    return (sequence - origin + _HALF) % (2 * _HALF) - _HALF
