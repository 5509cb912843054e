"""A way: frames of one direction between being sent and being on the wire, with what they suffer there.

netem's model: each fault is decided for each frame by itself; a rate makes frames wait for those before them, a delay
and its jitter come on top of that, and what waits longer is overtaken by what does not.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import asdict, dataclass
from typing import Final, final

from lab.model.impairment import Impairment
from lab.ports.faulty import flip

LIMIT: Final = 1000
"""How many frames may wait at a time, as for netem; more are lost."""


@final
@dataclass(slots=True, kw_only=True)
class WayCounters:
    """What frames suffered. `overlimit` frames were lost because too many waited already."""

    frames: int = 0
    lost: int = 0
    corrupted: int = 0
    duplicated: int = 0
    reordered: int = 0
    overlimit: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counters by name."""
        return asdict(self)


@final
class Way:
    """Frames go in by `put`, and come out by `due`. Times are the caller's, in seconds.

    The same seed, name and frames make the same faults. Each frame takes the same draws whatever the impairment is, so
    that one share changed leaves the other faults where they are.
    """

    def __init__(self, impairment: Impairment, *, seed: int = 0, name: str = "") -> None:
        self.counters: Final = WayCounters()
        self.impairment = impairment
        self._chance: random.Random
        self._chance_of_copies: random.Random
        self._waiting: Final[list[tuple[float, int, bytes]]] = []
        self._number = 0
        self._free_at = 0.0
        self.change(impairment, seed=seed, name=name)

    def change(self, impairment: Impairment, *, seed: int = 0, name: str = "") -> None:
        """Do this to frames from now on; those that wait already keep their times."""
        self.impairment = impairment
        self._chance = random.Random(f"{seed} {name}")  # noqa: S311  # faults to be had again
        self._chance_of_copies = random.Random(f"{seed} {name} copies")  # noqa: S311  # likewise
        self._free_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, frame: bytes, now: float, *, later: float = 0.0) -> None:
        """Let a frame suffer what it does; it comes out `later` seconds later than it would."""
        self.counters.frames += 1
        if self.impairment.is_none:
            self._enter(frame, now, now + later)
        elif self._pass(frame, now, later, self._chance):
            self.counters.duplicated += 1
            self._pass(frame, now, later, self._chance_of_copies)

    def next_due(self) -> float | None:
        """When the next frame comes out."""
        return self._waiting[0][0] if self._waiting else None

    def due(self, now: float) -> list[bytes]:
        """The frames that come out now, in their order."""
        out = []
        while self._waiting and self._waiting[0][0] <= now:
            out.append(heapq.heappop(self._waiting)[2])
        return out

    def drain(self) -> list[bytes]:
        """All that wait, whatever their time, in their order: the way ends here."""
        out = [heapq.heappop(self._waiting)[2] for _ in range(len(self._waiting))]
        self._free_at = 0.0
        return out

    def _pass(self, frame: bytes, now: float, later: float, chance: random.Random) -> bool:
        """One copy of a frame on its way; gives whether there is to be another one."""
        suffered, counters, draw = self.impairment, self.counters, chance.random
        lost, corrupted, doubled, hurried, where, early = draw(), draw(), draw(), draw(), draw(), draw()
        is_doubled = doubled < suffered.duplicate
        if lost < suffered.loss:
            counters.lost += 1
            return is_doubled
        if corrupted < suffered.corrupt and frame:
            counters.corrupted += 1
            frame = flip(frame, int(where * 8 * len(frame)))
        if hurried < suffered.reorder:
            counters.reordered += 1
            self._enter(frame, now, now + later)
            return is_doubled
        sent = now + later
        if suffered.rate:
            sent = self._free_at = max(sent, self._free_at) + len(frame) * 8 / suffered.rate
        self._enter(frame, now, sent + suffered.delay + suffered.jitter * (2 * early - 1))
        return is_doubled

    def _enter(self, frame: bytes, now: float, due: float) -> None:
        if len(self._waiting) >= LIMIT and due > now:
            self.counters.overlimit += 1
            return
        self._number += 1
        heapq.heappush(self._waiting, (due, self._number, frame))
