"""What becomes of a packet: each way to lose one has a name, and is counted under it.

ESP has no counter names of its own as MACsec has; these say where on the way of RFC 4301 5.1 and 5.2 a packet ended.
"""

from __future__ import annotations

import enum
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, final


@final
class DiscardReason(enum.StrEnum):
    """Why a packet was discarded: the name of the counter that counts it. All but the dummy are audited."""

    IN_TOO_SHORT = "InTooShort"
    """No room for the header, the SA's IV and ICV and one block, or not whole blocks (RFC 4303 2)."""
    IN_NO_SA = "InNoSa"
    """No SA has this SPI (RFC 4303 3.4.2)."""
    IN_REPLAYED = "InReplayed"
    """The sequence number is below the window, or was seen (RFC 4303 3.4.3)."""
    IN_NOT_AUTHENTIC = "InNotAuthentic"
    """The ICV does not verify (RFC 4303 3.4.4)."""
    IN_BAD_PADDING = "InBadPadding"
    """The padding is not 1, 2, 3, ... (RFC 4303 2.4)."""
    IN_BAD_NEXT_HEADER = "InBadNextHeader"
    """The payload is no IP packet: not tunnel mode (RFC 4303 2.6)."""
    IN_DUMMY = "InDummy"
    """A dummy packet, sent to hide traffic: silently discarded (RFC 4303 2.6)."""
    IN_BAD_INNER_PACKET = "InBadInnerPacket"
    """The inner packet's header is malformed, or claims more than there is (RFC 4301 5.2)."""
    IN_SELECTORS_MISMATCH = "InSelectorsMismatch"
    """The inner packet does not match the SA's selectors (RFC 4301 5.2 step 4)."""
    IN_CONGESTION_LOST = "InCongestionLost"
    """Congestion was marked outside on a packet that cannot carry the mark (RFC 6040 4.2)."""
    IN_TOO_LONG = "InTooLong"
    """The inner packet does not fit the slot that is to hold it."""
    IN_UNPROTECTED = "InUnprotected"
    """An unprotected packet that the SPD wants protected, discarded, or does not know (RFC 4301 5.2)."""
    OUT_BAD_PACKET = "OutBadPacket"
    """Not an IP packet, or shorter than it claims."""
    OUT_NO_POLICY = "OutNoPolicy"
    """No SPD entry matches (RFC 4301 5.1)."""
    OUT_POLICY = "OutPolicy"
    """An SPD entry says discard (RFC 4301 5.1)."""
    OUT_NO_SA = "OutNoSa"
    """An SPD entry says protect, and no SA stands for that (RFC 4301 5.1)."""
    OUT_TOO_BIG = "OutTooBig"
    """Longer than the path carries, and not to be fragmented; the sender was told (RFC 4301 8.2)."""
    OUT_TOO_LONG = "OutTooLong"
    """The ESP packet does not fit the slot that is to hold it."""
    OUT_NO_BYPASS = "OutNoBypass"
    """An SPD entry says bypass, and the caller gave no way to."""


AUDITED: Final = frozenset(DiscardReason) - {DiscardReason.IN_DUMMY}


@final
@dataclass(slots=True, kw_only=True)
class EspCounters:
    """What an engine did, over all SAs past and present. Octets are those of inner packets."""

    out_packets: int = 0
    out_octets: int = 0
    in_packets: int = 0
    in_octets: int = 0
    bypassed_packets: int = 0
    errors_sent: int = 0
    discarded: Counter[DiscardReason] = field(default_factory=Counter)
