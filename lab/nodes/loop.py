"""The one loop of a driver: descriptors that are ready, one after the other, each for one batch at a time.

One batch, then the next source: so however fast frames come in at one side, the other side has its turn.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Final, Protocol

Turn = Callable[[], bool]
"""Does a batch of work; true when there may be more to do although the descriptor might not say so."""


class HasDescriptor(Protocol):
    """Whatever a loop can watch."""

    def fileno(self) -> int:
        """The descriptor."""
        ...


class Loop:
    """Waits for descriptors and gives each that is ready its turn, until stopped."""

    def __init__(self) -> None:
        self._epoll: Final = select.epoll()
        self._turns: Final[dict[int, Turn]] = {}
        self._again: set[int] = set()
        self._is_running = False

    def watch(self, source: HasDescriptor, turn: Turn) -> None:
        """Call `turn` whenever `source` is readable."""
        descriptor = source.fileno()
        self._epoll.register(descriptor, select.EPOLLIN)
        self._turns[descriptor] = turn

    def run(self) -> None:
        """Run until a turn calls `stop`."""
        self._is_running = True
        while self._is_running:
            self._turn(None)

    def turn(self) -> None:
        """Give everything that is ready one turn, and do not wait."""
        self._turn(0)

    def stop(self) -> None:
        """Leave `run` after this turn."""
        self._is_running = False

    def close(self) -> None:
        """Let go of the loop's own descriptor; those that it watched are others'."""
        self._epoll.close()

    def _turn(self, timeout: float | None) -> None:
        ready = {descriptor for descriptor, _ in self._epoll.poll(0 if self._again else timeout)}
        turns = self._turns
        self._again = {descriptor for descriptor in ready | self._again if turns[descriptor]()}
