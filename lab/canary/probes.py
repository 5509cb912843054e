"""Numbered frames between the two ends of a link, both ways at a steady pace: what a change costs those who use it.

They are ARP requests that nobody answers: they pass this link and no other, need no address, and are no clear frames
where everything else is to be encrypted once more.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Final

from lab.host.arp import ArpProbes

PACE: Final = 0.005  # seconds from one to the next, in each direction
_GRACE: Final = 0.5  # seconds that the last ones have to arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeEnd:
    """Where probes start and arrive."""

    node: str
    device: str
    mac: bytes


@dataclass(slots=True, kw_only=True)
class Lane:
    """One direction: when each probe was sent, and which have arrived."""

    source: ProbeEnd
    target: ProbeEnd
    sent: list[float] = field(default_factory=list)
    arrived: set[int] = field(default_factory=set)

    @property
    def lost(self) -> int:
        """How many have not."""
        return len(self.sent) - len(self.arrived)

    @property
    def longest_gap(self) -> float:
        """For how many seconds at most nothing that was sent arrived."""
        longest, began = 0.0, None
        for number, when in enumerate(self.sent):
            if number in self.arrived:
                began = None
            else:
                began = when if began is None else began
                longest = max(longest, when - began + PACE)
        return longest


class Probes:
    """Both lanes. `enter(node)` is a context in which a socket opened belongs to the node's namespace."""

    def __init__(
        self,
        ends: Sequence[ProbeEnd],
        enter: Callable[[str], AbstractContextManager[None]],
        clock: Callable[[], float],
    ) -> None:
        """Between two ends; nothing is sent yet."""
        first, second = ends
        self.lanes: Final = (Lane(source=first, target=second), Lane(source=second, target=first))
        self._enter: Final = enter
        self._clock: Final = clock

    def run(self, stop: int) -> None:
        """Send and receive until the descriptor `stop` is readable, or its other end is closed."""
        with ExitStack() as stack, selectors.DefaultSelector() as selector:
            sockets: list[ArpProbes] = []
            for lane in self.lanes:
                with self._enter(lane.source.node):
                    sockets.append(ArpProbes(lane.source.device, lane.source.mac, lane.target.mac))
                stack.callback(sockets[-1].close)
            # What arrives at a lane's source was sent by the other lane.
            for opened, lane in zip(sockets, reversed(self.lanes), strict=True):
                selector.register(opened, selectors.EVENT_READ, lane)
            selector.register(stop, selectors.EVENT_READ)
            due, end = self._clock(), None
            while end is None or self._clock() < end:
                if end is None and self._clock() >= due:
                    due = max(due + PACE, self._clock())
                    self._send(sockets)
                for key, _ in selector.select(max(0.0, (due if end is None else end) - self._clock())):
                    if key.fd == stop:
                        selector.unregister(stop)
                        end = self._clock() + _GRACE
                    else:
                        self._receive(key.fileobj, key.data)
                if end is not None and not any(lane.lost for lane in self.lanes):
                    return

    def _send(self, sockets: Sequence[ArpProbes]) -> None:
        for opened, lane in zip(sockets, self.lanes, strict=True):
            number = len(lane.sent)
            lane.sent.append(self._clock())
            opened.send(number)

    @staticmethod
    def _receive(opened: object, lane: Lane) -> None:
        assert isinstance(opened, ArpProbes)
        for number in opened.arrived():
            if number < len(lane.sent):
                lane.arrived.add(number)
