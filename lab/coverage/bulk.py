"""The second half of the fast way: counting what `Fast` found, and leaving the rest to the plain way, frame by frame.

`Bulk` says nothing that `Observer` would not say, only sooner. What `Fast` was told of numbers may be out of date; what
it found counts if the numbers as they stand now would have led to the same.
"""

from __future__ import annotations

from typing import Final, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.capture.frame import ETHERNET
from lab.coverage import census
from lab.coverage.columns import gather
from lab.coverage.directions import Tally
from lab.coverage.evidence.uses import Uses
from lab.coverage.fast import LEFT, NOTHING, Fast, Opened, Run, State
from lab.coverage.numbers import Numbers
from lab.coverage.observe import Observer

_NEAR: Final = 1 << 30
"""Within this, no matter in which order frames come, each number is the nearest to the greatest so far."""


@final
class Bulk:
    """Goes through bursts with an observer, which counts and does the rest."""

    def __init__(self, observer: Observer, fast: Fast) -> None:
        self._observer: Final = observer
        self._fast: Final = fast
        self._macsec: Final = observer.openers.macsec.every
        self._esp: Final = observer.openers.esp.every

    def burst(self, burst: Burst, rows: Column | None = None) -> None:
        """Observe every frame of a burst, or these rows."""
        self.settle(burst, rows, self._fast.look(burst, rows, self.state()))

    def state(self) -> State:
        """How far numbers have come."""
        return [sa.pn for sa in self._macsec], [sa.sequence for sa in self._esp]

    def settle(self, burst: Burst, rows: Column | None, opened: Opened, state: State | None = None) -> None:
        """Count what was found of a burst, or look again where that was with another state, and it may matter."""
        if state is not None and state != self.state() and (opened.unsure or not all(map(self._is_near, opened.runs))):
            opened = self._fast.look(burst, rows, self.state())
        for run in opened.runs:
            if not self._is_near(run):
                opened.kind[run.rows] = LEFT
        for run in opened.runs:
            self._advance(run, run.numbers[opened.kind[run.rows] != LEFT])
        if self._observer.watch.routing:  # what is in clear may be what links may say, which takes a closer look
            opened.kind[(opened.kind == census.CLEARTEXT) | (opened.inside == census.CLEARTEXT)] = LEFT
        rows = np.arange(len(burst)) if rows is None else rows
        tallies, direction = self._directions(burst, rows)
        for run in opened.runs:
            self._enter(burst, run, np.flatnonzero(opened.kind[run.rows] != LEFT), tallies, direction)
        fast = rows[opened.kind[rows] != LEFT]
        self._observer.seen.collected.run(burst, fast, opened.kind[fast], opened.speakers)
        kinds = direction[fast] << 16 | opened.kind[fast].astype(np.int64) << 8 | opened.inside[fast]
        for alike in np.unique(kinds).tolist():
            self._count(burst, fast[kinds == alike], alike >> 8 & 0xFF, alike & 0xFF, tallies[alike >> 16])
        for frame in burst.frames(rows[opened.kind[rows] == LEFT]):
            self._observer.frame(frame)

    def _count(self, burst: Burst, rows: Column, kind: int, inside: int, tally: Tally) -> None:
        """Count frames that are alike in everything."""
        numbers, octets = (burst.first_number + rows).tolist(), int(burst.lengths[rows].sum())
        under = census.UNDER_IPSEC if kind in (census.ESP, census.ESP_NULL) else 0
        self._observer.count(kind, numbers, octets)
        if inside != NOTHING:
            under = census.UNDER_MACSEC
            if self._observer.count_inside(inside, numbers):
                under |= census.UNDER_IPSEC
        tally.credit(kind, under, len(rows))

    def _enter(self, burst: Burst, run: Run, places: Column, tallies: list[Tally], direction: Column) -> None:
        """Enter these places of a run into the ledger."""
        if len(places):
            sa = self._macsec[run.sa] if run.protocol == "macsec" else self._esp[run.sa]
            rows, uses = run.rows[places], run.uses
            uses = Uses(uses.nonces[places], uses.icvs[places], uses.octets[places])
            labels = [tallies[each].label for each in set(direction[rows].tolist())]
            self._observer.seen.collected.ledger.run(sa.identity, burst, rows, run.numbers[places], uses, labels)

    def _is_near(self, run: Run) -> bool:
        if not run.guessed or not len(run.numbers):
            return True
        at = self._number(run)
        return int(run.numbers.min()) > at - _NEAR and int(run.numbers.max()) < at + _NEAR

    def _number(self, run: Run) -> int:
        return self._macsec[run.sa].pn if run.protocol == "macsec" else self._esp[run.sa].sequence

    def _advance(self, run: Run, numbers: Numbers) -> None:
        if not run.guessed or not len(numbers):
            return
        latest = max(self._number(run), int(numbers.max()))
        if run.protocol == "macsec":
            self._macsec[run.sa].pn = latest
        else:
            self._esp[run.sa].sequence = latest

    def _directions(self, burst: Burst, rows: Column) -> tuple[list[Tally], Column]:
        """The directions that are in these rows, known from their first frames on, and which of them each row has.

        A frame of a link type other than Ethernet, where nothing tells its direction but what is in it, has none here.
        """
        told = np.array([origin[1] is not None for origin in burst.origins], np.bool_)[burst.origin]
        ethernet = np.array([origin[0] == ETHERNET for origin in burst.origins], np.bool_)[burst.origin]
        rows = rows[told[rows] | (ethernet[rows] & (burst.ends[rows] - burst.starts[rows] >= 12))]
        senders = burst.origin[rows].astype(np.uint64) | np.uint64(1 << 48)
        named = ~told[rows]
        sources = gather(burst.data, burst.starts[rows[named]] + 4, 8).view(">u8")
        senders[named] = sources & np.uint64(0xFFFFFFFFFFFF)
        _, firsts, which = np.unique(senders, return_index=True, return_inverse=True)
        in_order = np.argsort(firsts)
        frames = burst.frames(rows[firsts[in_order]])
        tallies = [self._observer.seen.directions.of(frame) for frame in frames]
        direction = np.full(len(burst), -1, np.int64)
        direction[rows] = np.argsort(in_order)[which]
        return tallies, direction
