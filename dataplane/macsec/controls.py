"""What management decides about a SecY (802.1AE-2018 10.7.8, 10.7.17), and the names of the options that are ours."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, final

from dataplane.errors import LocalError
from dataplane.macsec.suites import GCM_AES_128, CipherSuite
from dataplane.wire.ethernet import ADDRESSES_OCTETS
from dataplane.wire.sectag import ICV_OCTETS, LONG_TAG_OCTETS

LEAST_FRAME_OCTETS: Final = ADDRESSES_OCTETS + LONG_TAG_OCTETS + 2 + ICV_OCTETS
"""The shortest frame that can leave protected: addresses, SecTAG, an EtherType and nothing behind it, ICV."""


@final
class ValidateFrames(enum.Enum):
    """validateFrames (802.1AE-2018 10.7.8)."""

    DISABLED = "disabled"
    CHECK = "check"
    STRICT = "strict"


@final
class SciEncoding(enum.Enum):
    """How our SecTAGs name our SC (802.1AE-2018 9.5, 10.5.3): in full, by ES, by SCB, or not at all."""

    EXPLICIT = "explicit"
    END_STATION = "end-station"
    SCB = "scb"
    IMPLIED = "implied"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """Frame verification controls (802.1AE-2018 10.7.8).

    `replay_window` is the number of PNs below the greatest that are still acceptable; it holds for receive SAs created
    from then on. Two options go beyond the standard: `strict_replay` accepts each PN inside the window only once;
    `padding_allowed` accepts short frames that a MAC has padded behind the ICV, which 9.12 forbids.

    Raises:
        LocalError: a negative replay window.
    """

    validate_frames: ValidateFrames = ValidateFrames.STRICT
    replay_protect: bool = True
    replay_window: int = 0
    strict_replay: bool = False
    padding_allowed: bool = False

    def __post_init__(self) -> None:
        if self.replay_window < 0:
            raise LocalError(f"a replay window is 0 or more, not {self.replay_window}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Frame generation controls (802.1AE-2018 10.7.17).

    `sci_encoding` holds for transmit SAs created from then on. `max_frame_octets` is the longest frame that the Common
    Port takes, addresses to ICV; None leaves it to the slots of the batch that is filled.

    Raises:
        LocalError: no protected frame would fit the longest frame.
    """

    protect_frames: bool = True
    sci_encoding: SciEncoding = SciEncoding.EXPLICIT
    max_frame_octets: int | None = None

    def __post_init__(self) -> None:
        if self.max_frame_octets is not None and self.max_frame_octets < LEAST_FRAME_OCTETS:
            raise LocalError(f"a protected frame has at least {LEAST_FRAME_OCTETS} octets, not {self.max_frame_octets}")

    def room(self, slot_octets: int) -> int:
        """How long a frame may be that goes to the Common Port by a slot of this size."""
        return slot_octets if self.max_frame_octets is None else min(self.max_frame_octets, slot_octets)


@final
@dataclass(slots=True, kw_only=True)
class Controls:
    """All of a SecY's controls; whoever manages it replaces their values, and the next frame, or SA, follows them.

    `cipher_suite` is the current one (10.7.25): it decides what a SecTAG must obey that no SA is found for. The SAs go
    by the suites of their own SAKs, so that old and new overlap when the suite changes.
    """

    verification: Verification
    generation: Generation
    cipher_suite: CipherSuite = GCM_AES_128
