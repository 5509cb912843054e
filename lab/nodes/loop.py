"""The one loop of a driver: descriptors that are ready, one after the other, each for one batch at a time, and timers.

One batch, then the next source: so however fast frames come in at one side, the other side has its turn.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from typing import Final, Protocol

Turn = Callable[[], bool]
"""Does a batch of work; true when there may be more to do although the descriptor might not say so."""


class HasDescriptor(Protocol):
    """Whatever a loop can watch."""

    def fileno(self) -> int:
        """The descriptor."""
        ...


class HasTimer(Protocol):
    """Whatever has something to do at times of its own: an engine, or a part that has engines."""

    def next_timeout(self) -> float | None:
        """When `handle_timer` has something to do, by the loop's clock; None or infinite: not of itself."""
        ...

    def handle_timer(self, now: float) -> None:
        """Do what is due."""
        ...


class Loop:
    """Waits for descriptors and times, and gives each that is ready its turn, until stopped.

    `clock` gives seconds that never go back; it is the only clock that engines see.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock: Final = clock
        self._epoll: Final = select.epoll()
        self._turns: Final[dict[int, Turn]] = {}
        self._timers: Final[list[HasTimer]] = []
        self._again: set[int] = set()
        self._is_running = False

    def watch(self, source: HasDescriptor, turn: Turn) -> None:
        """Call `turn` whenever `source` is readable."""
        descriptor = source.fileno()
        self._epoll.register(descriptor, select.EPOLLIN)
        self._turns[descriptor] = turn

    def forget(self, source: HasDescriptor) -> None:
        """Watch `source`, still open, no longer."""
        descriptor = source.fileno()
        self._epoll.unregister(descriptor)
        del self._turns[descriptor]
        self._again.discard(descriptor)

    def time(self, timer: HasTimer) -> None:
        """Let `timer` do what is due whenever something is."""
        self._timers.append(timer)

    def run(self) -> None:
        """Run until a turn calls `stop`."""
        self._is_running = True
        while self._is_running:
            self._turn(self._patience())

    def turn(self) -> None:
        """Give everything that is ready one turn, and do not wait."""
        self._turn(0)

    def stop(self) -> None:
        """Leave `run` after this turn."""
        self._is_running = False

    def close(self) -> None:
        """Let go of the loop's own descriptor; those that it watched are others'."""
        self._epoll.close()

    def _patience(self) -> float | None:
        """How long to wait for descriptors at most; None: for ever."""
        if self._again:
            return 0
        deadline = min((when for timer in self._timers if (when := timer.next_timeout()) is not None), default=math.inf)
        return None if deadline == math.inf else max(0.0, deadline - self.clock())

    def _turn(self, timeout: float | None) -> None:
        ready = {descriptor for descriptor, _ in self._epoll.poll(timeout)}
        if self._timers:
            self._fire()
        turns = self._turns
        # A turn may have ended the watch over another descriptor.
        self._again = {descriptor for descriptor in ready | self._again if (turn := turns.get(descriptor)) and turn()}

    def _fire(self) -> None:
        now = self.clock()
        for timer in self._timers:
            when = timer.next_timeout()
            if when is not None and when <= now:
                timer.handle_timer(now)
