"""The one loop of process 1: descriptors, timers and signals in, calls out, one after the other."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import signal
import time
from collections.abc import Callable, Iterable
from typing import Protocol

Call = Callable[[], None]


class HasDescriptor(Protocol):
    """Whatever a loop can watch."""

    def fileno(self) -> int:
        """The descriptor."""
        ...


class Timer:
    """A call that is due later, and can be taken back."""

    __slots__ = ("call",)

    def __init__(self, call: Call) -> None:
        self.call: Call | None = call

    def cancel(self) -> None:
        """Take it back; nothing happens when it was made already."""
        self.call = None


class Loop:
    """Waits, and calls whoever asked for what happened."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    def watch(self, source: HasDescriptor, readable: Call, writable: Call | None = None) -> None:
        """Call `readable` when there is something to read, and `writable`, if given, when there is room to write.

        Replaces what was asked for the same source before.
        """
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if writable else 0)
        calls = ((selectors.EVENT_READ, readable), (selectors.EVENT_WRITE, writable))
        if source.fileno() in self._selector.get_map():
            self._selector.modify(source, mask, calls)
        else:
            self._selector.register(source, mask, calls)

    def forget(self, source: HasDescriptor) -> None:
        """Watch it no longer; to be called before it is closed."""
        if source.fileno() in self._selector.get_map():
            self._selector.unregister(source)

    def after(self, seconds: float, call: Call) -> Timer:
        """Make a call in that time."""
        timer = Timer(call)
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), timer))
        return timer

    def on_signals(self, numbers: Iterable[int], call: Callable[[int], None]) -> None:
        """Make the call, in the loop, whenever one of these signals came; several of one kind may count once."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, _nothing)

        def came() -> None:
            for number in set(os.read(reading, 4096)):
                call(number)

        self._selector.register(reading, selectors.EVENT_READ, ((selectors.EVENT_READ, came),))

    def run_until(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait and call until `done`; false when `timeout` seconds passed first."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not done():
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return False
            self._turn(now, deadline)
        return True

    def _turn(self, now: float, deadline: float | None) -> None:
        while self._timers and self._timers[0][2].call is None:
            heapq.heappop(self._timers)
        until = min((due for due in (self._timers[0][0] if self._timers else None, deadline) if due is not None),
                    default=None)  # fmt: skip
        for key, came in self._selector.select(None if until is None else max(0.0, until - now)):
            for event, call in key.data:
                # An earlier call of this turn may have closed what this one is about.
                if call is not None and came & event and self._selector.get_map().get(key.fd) == key:
                    call()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            if timer.call is not None:
                timer.call()


def _nothing(number: int, frame: object) -> None:
    """A signal with a handler wakes the loop; the loop does the rest."""
