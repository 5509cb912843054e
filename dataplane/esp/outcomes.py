"""What becomes of a packet, as a value, and where sealed packets of a batch are to go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

from dataplane.esp.counters import DiscardReason


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """Neighbouring packets of a wire batch, from slot `first` on, that leave alike.

    `tunnel` names the peer they go to. The outer header that the caller puts before each bears `tos` (DSCP and ECN) and
    `dont_fragment`; its TTL is the caller's own, 64 or so (RFC 4301 5.1.2.1).
    """

    first: int
    count: int
    tunnel: str
    tos: int
    dont_fragment: bool


@final
@dataclass(frozen=True, slots=True)
class Protected:
    """An ESP packet for the peer, with what goes into its outer header."""

    octets: bytes
    flight: Flight


@final
@dataclass(frozen=True, slots=True)
class Bypassed:
    """An IP packet that policy lets go as it is."""

    octets: bytes


@final
@dataclass(frozen=True, slots=True)
class Accepted:
    """An IP packet for the protected side."""

    octets: bytes


@final
@dataclass(frozen=True, slots=True)
class Discarded:
    """No packet, and why not; already counted."""

    reason: DiscardReason


Sent: TypeAlias = Protected | Bypassed | Discarded
Received: TypeAlias = Accepted | Discarded
