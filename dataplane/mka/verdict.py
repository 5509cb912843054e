"""What becomes of a received frame, and how often each of that happened."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TypeAlias, final


@final
class DiscardReason(enum.StrEnum):
    """Why a frame was discarded (802.1X-2020 11.11.2, 9.4.2)."""

    NOT_MKA = "not-mka"
    WRONG_DESTINATION = "wrong-destination"
    MALFORMED = "malformed"
    UNKNOWN_CKN = "unknown-ckn"
    UNKNOWN_ALGORITHM = "unknown-algorithm"
    INVALID_ICV = "invalid-icv"
    OWN_FRAME = "own-frame"
    MI_COLLISION = "mi-collision"
    REPLAYED_MN = "replayed-mn"
    TOO_MANY_PEERS = "too-many-peers"


@final
@dataclass(frozen=True, slots=True)
class Accepted:
    """An authentic, fresh MKPDU of this member."""

    sci: bytes


@final
@dataclass(frozen=True, slots=True)
class Discarded:
    """A frame that said nothing, and why; already counted."""

    reason: DiscardReason


Outcome: TypeAlias = Accepted | Discarded


@final
@dataclass(slots=True, kw_only=True)
class KayCounters:
    """Since the KaY was made."""

    mkpdus_accepted: int = 0
    mkpdus_sent: int = 0
    saks_distributed: int = 0
    saks_accepted: int = 0
    discarded: dict[DiscardReason, int] = field(default_factory=lambda: dict.fromkeys(DiscardReason, 0))
