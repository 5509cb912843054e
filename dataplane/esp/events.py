"""What an ESP engine has to tell whoever manages its keys, or reads its audit log."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from dataplane.esp.counters import DiscardReason
from dataplane.esp.flow import Flow, Octets, flow_or_none
from dataplane.esp.lifetime import Cause


class Direction(enum.Enum):
    """Which way an SA works."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SaSoftExpired:
    """An SA needs a successor soon; it works on. Told once per SA."""

    direction: Direction
    tunnel: str
    spi: int
    cause: Cause


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SaHardExpired:
    """An SA has come to its end and is gone from the SAD; the peer is to be told."""

    direction: Direction
    tunnel: str
    spi: int
    cause: Cause


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SaFirstUsed:
    """The first authentic packet came in on an SA: the peer has it, and uses it."""

    tunnel: str
    spi: int


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Acquire:
    """A packet waits for an SA that is not there. Told once a second for each SPD entry; the packet is discarded."""

    tunnel: str
    entry: str
    flow: Flow


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A packet was discarded (RFC 4303 4). `at` is the clock reading that came with it; what is not known is None."""

    reason: DiscardReason
    at: float
    spi: int | None = None
    sequence: int | None = None
    flow: Flow | None = None


EspEvent: TypeAlias = SaSoftExpired | SaHardExpired | SaFirstUsed | Acquire | Audited

_GREATEST_BACKLOG: Final = 1024


@final
class EventQueue:
    """Events in their order. What packets alone can cause is bounded, so that a flood fills no memory."""

    __slots__ = ("_events", "lost")

    def __init__(self) -> None:
        self._events: Final[deque[EspEvent]] = deque()
        self.lost = 0

    def tell(self, event: EspEvent) -> None:
        """Add an event that must not be lost."""
        self._events.append(event)

    def note(self, event: Acquire) -> None:
        """Add an event, or count it as lost when too many wait."""
        if len(self._events) < _GREATEST_BACKLOG:
            self._events.append(event)
        else:
            self.lost += 1

    def audit(
        self, reason: DiscardReason, at: float, *, spi: int | None = None, sequence: int | None = None,
        packet: Octets = b"",
    ) -> None:  # fmt: skip
        """Add that a packet was discarded, an inner one given whole, or count it as lost when too many wait."""
        if len(self._events) < _GREATEST_BACKLOG:
            flow = flow_or_none(packet)
            self._events.append(Audited(reason=reason, at=at, spi=spi, sequence=sequence, flow=flow))
        else:
            self.lost += 1

    def next(self) -> EspEvent | None:
        """The oldest event, taken out; None when there is none."""
        return self._events.popleft() if self._events else None
