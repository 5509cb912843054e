"""Lifetimes of SAs, in seconds, octets and sequence numbers: local to each side, never negotiated (RFC 7296 2.8)."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, final

from dataplane.errors import LocalError

_EARLIEST_SOFT: Final = 0.8
_LATEST_SOFT: Final = 0.9
_SOFT_SEQUENCE: Final = 0.75


class Cause(enum.StrEnum):
    """Which limit was reached."""

    SECONDS = "seconds"
    KILOBYTES = "kilobytes"
    SEQUENCE = "sequence numbers"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """At the soft limit an SA wants a successor, at the hard one it is deleted; infinite unless said otherwise.

    Octets are those that the encryption works on: payload, padding and trailer (RFC 4301 4.4.2.1).
    """

    soft_seconds: float = math.inf
    hard_seconds: float = math.inf
    soft_octets: float = math.inf
    hard_octets: float = math.inf

    def __post_init__(self) -> None:
        if not (0 < self.soft_seconds <= self.hard_seconds and 0 < self.soft_octets <= self.hard_octets):
            raise LocalError("a soft limit is above 0 and not above the hard limit")

    @classmethod
    def with_jitter(cls, *, seconds: float, kilobytes: float, random: Callable[[int], bytes]) -> Self:
        """Hard limits as given, soft ones at 80 to 90 % of them, so that two peers seldom rekey at once.

        A kilobyte has 1,024 octets. `random(n)` gives n octets; the same ones give the same limits.
        """
        part = int.from_bytes(random(4), "big") / 2**32
        soft = _EARLIEST_SOFT + (_LATEST_SOFT - _EARLIEST_SOFT) * part
        octets = kilobytes * 1024
        return cls(soft_seconds=seconds * soft, hard_seconds=seconds, soft_octets=octets * soft, hard_octets=octets)


@final
class Age:
    """How far an SA is into its lifetime. `greatest_packets` is what its sequence numbers allow."""

    __slots__ = ("_greatest_packets", "_lifetime", "_soft_told", "born", "octets", "packets")

    def __init__(self, lifetime: Lifetime, now: float, greatest_packets: float = math.inf) -> None:
        self.born: Final = now
        self.octets = 0
        self.packets = 0
        self._lifetime: Final = lifetime
        self._greatest_packets: Final = greatest_packets
        self._soft_told = False

    def room(self, octets: int) -> float:
        """How many more packets of so many octets the hard limits allow."""
        lifetime = self._lifetime
        if lifetime.hard_octets == math.inf:
            return self._greatest_packets - self.packets
        return min((lifetime.hard_octets - self.octets) // octets, self._greatest_packets - self.packets)

    def add(self, packets: int, octets: int) -> None:
        """Count packets, and their octets together."""
        self.packets += packets
        self.octets += octets

    @property
    def are_packets_spent(self) -> bool:
        """Whether no sequence number is left."""
        return self.packets >= self._greatest_packets

    def soft(self, now: float) -> Cause | None:
        """Which soft limit was reached, told once; None when none was, or it was told."""
        if self._soft_told:
            return None
        cause = self._reached(now, self._lifetime.soft_seconds, self._lifetime.soft_octets, _SOFT_SEQUENCE)
        self._soft_told = cause is not None
        return cause

    def hard(self, now: float) -> Cause | None:
        """Which hard limit was reached."""
        return self._reached(now, self._lifetime.hard_seconds, self._lifetime.hard_octets, 1.0)

    @property
    def deadline(self) -> float:
        """When the next limit in seconds comes; infinite when none does."""
        lifetime = self._lifetime
        return self.born + (lifetime.hard_seconds if self._soft_told else lifetime.soft_seconds)

    def _reached(self, now: float, seconds: float, octets: float, part: float) -> Cause | None:
        if now >= self.born + seconds:
            return Cause.SECONDS
        if self.octets >= octets:
            return Cause.KILOBYTES
        return Cause.SEQUENCE if self.packets >= self._greatest_packets * part else None


UNLIMITED: Final = Lifetime()
