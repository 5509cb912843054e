"""The lowest acceptable PN that a member tells of its own transmission (802.1X-2020 9.10.1)."""

from __future__ import annotations

from collections import deque
from typing import Final, final

from dataplane.mka.times import HELLO


@final
class LowestPn:
    """The lowest PN used within the last two seconds: a frame with a lower one has been on its way for longer."""

    __slots__ = ("_readings",)

    def __init__(self) -> None:
        self._readings: Final[deque[tuple[float, int]]] = deque([(float("-inf"), 1)])

    def note(self, next_pn: int, now: float) -> None:
        """Take a reading of the SA's next PN."""
        self._readings.append((now, next_pn))
        while len(self._readings) > 1 and self._readings[1][0] <= now - HELLO:
            self._readings.popleft()

    @property
    def value(self) -> int:
        """The lowest acceptable PN at the time of the last reading; 1 until the SA is two seconds old."""
        return self._readings[0][1]
