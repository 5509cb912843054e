"""The ledger of authentic units: under which key, with which number and nonce, in which frame.

A unit is one row of 32 octets. The end of its ICV stands for its content: under one key and nonce, units with the same
ICV are the same, for all practical purposes, and others are not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, final

import numpy as np

from lab.capture.burst import Burst, Column
from lab.coverage.evidence.identity import KeyIdentity, Used
from lab.coverage.evidence.spool import Rows, Spool
from lab.coverage.evidence.uses import Uses
from lab.coverage.numbers import Numbers

ROW: Final = np.dtype([("number", "<u8"), ("nonce", "<u8"), ("icv", "<u8"), ("frame", "<u4"), ("sa", "<u4")])
_BATCH: Final = 4096
_MOST_DIRECTIONS: Final = 8


@final
@dataclass(slots=True, kw_only=True)
class SaUse:
    """What was seen under one key. Times are in nanoseconds since 1970, 0 where the capture has none."""

    units: int = 0
    octets: int = 0
    first_frame: int = 0
    last_frame: int = 0
    first_time: int = 0
    last_time: int = 0
    lowest: int = 0
    highest: int = 0
    directions: list[str] = field(default_factory=list)

    def add(self, other: SaUse) -> None:
        """Add what was seen elsewhere, or later."""
        if not self.units:  # nothing yet to be less than
            self.lowest, self.first_frame, self.first_time = other.lowest, other.first_frame, other.first_time
        self.units += other.units
        self.octets += other.octets
        self.first_frame = min(self.first_frame, other.first_frame)
        self.last_frame = max(self.last_frame, other.last_frame)
        self.first_time = min(self.first_time, other.first_time)
        self.last_time = max(self.last_time, other.last_time)
        self.lowest = min(self.lowest, other.lowest)
        self.highest = max(self.highest, other.highest)
        for label in other.directions:
            if label not in self.directions and len(self.directions) < _MOST_DIRECTIONS:
                self.directions.append(label)


@final
class Ledger:
    """All authentic units of one capture, or of a part of it."""

    def __init__(self) -> None:
        self.uses: Final[dict[KeyIdentity, SaUse]] = {}
        self._places: Final[dict[KeyIdentity, int]] = {}
        self._spool: Final = Spool(ROW)
        self._waiting: list[tuple[int, int, int, int, int]] = []

    @property
    def identities(self) -> tuple[KeyIdentity, ...]:
        """The keys in use; a row's `sa` is an index into them."""
        return tuple(self._places)

    @property
    def spool(self) -> Spool:
        """The rows, all of them."""
        self._settle()
        return self._spool

    def unit(self, used: Used, frame: int, time_ns: int, direction: str) -> None:
        """Enter one unit."""
        identity, number, nonce, icv, octets = used
        place = self._places.setdefault(identity, len(self._places))
        self._waiting.append((number, nonce, icv, frame, place))
        if len(self._waiting) >= _BATCH:
            self._settle()
        use = self.uses.get(identity)
        if use is None or direction not in use.directions or frame < use.last_frame:
            self._use(identity, SaUse(units=1, octets=octets, first_frame=frame, last_frame=frame, first_time=time_ns,
                                      last_time=time_ns, lowest=number, highest=number,
                                      directions=[direction]))  # fmt: skip
            return
        use.units += 1
        use.octets += octets
        use.last_frame = frame
        use.first_time, use.last_time = min(use.first_time, time_ns), max(use.last_time, time_ns)
        use.lowest, use.highest = min(use.lowest, number), max(use.highest, number)

    def run(
        self, identity: KeyIdentity, burst: Burst, rows: Column, numbers: Numbers, uses: Uses, directions: list[str]
    ) -> None:
        """Enter the units of rows of a burst, in ascending order."""
        entered = np.empty(len(rows), ROW)
        entered["number"], entered["nonce"], entered["icv"] = numbers, uses.nonces, uses.icvs
        entered["frame"] = burst.first_number + rows
        entered["sa"] = self._places.setdefault(identity, len(self._places))
        self._settle()
        self._spool.append(entered)
        times = burst.times[rows]
        self._use(identity, SaUse(
            units=len(rows), octets=int(uses.octets.sum()), first_frame=int(entered["frame"][0]),
            last_frame=int(entered["frame"][-1]), first_time=int(times.min()), last_time=int(times.max()),
            lowest=int(numbers.min()), highest=int(numbers.max()), directions=directions,
        ))  # fmt: skip

    def merge(self, other: Ledger) -> None:
        """Add the ledger of the part that follows."""
        places = np.array([self._places.setdefault(each, len(self._places)) for each in other.identities], np.uint32)
        self._settle()
        for rows in other.spool:
            moved: Rows = rows.copy()
            moved["sa"] = places[rows["sa"]]
            self._spool.append(moved)
        for identity, use in other.uses.items():
            self._use(identity, use)

    def _use(self, identity: KeyIdentity, more: SaUse) -> None:
        self.uses.setdefault(identity, SaUse()).add(more)

    def _settle(self) -> None:
        """Make an array of the rows that came one by one."""
        if self._waiting:
            self._spool.append(np.array(self._waiting, ROW))
            self._waiting = []
